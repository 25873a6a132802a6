"""Texts as one array of word numbers, which word vectors are trained on.

found = corpus(["a red bird", "a bird"], min_count=1)
found.words     ("a", "bird", "red")      by how often they occur
found.tokens    [0, 2, 1, 0, 1]           rows of `words`
found.text_of   [0, 0, 0, 1, 1]           the text of each
"""

import array
import collections
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.class_encoders import texts as class_texts


class Corpus(NamedTuple):
    """The words of texts as numbers.

    Fields:
      words: V words, the most frequent first; words of the same count in alphabetical order.
      counts: `[V]` int64, how often each occurs.
      tokens: `[N]` int32, rows of `words` in the order of the texts.
      text_of: `[N]` int32, which text each is of; it never falls.
    """

    words: tuple[str, ...]
    counts: np.ndarray
    tokens: np.ndarray
    text_of: np.ndarray


def corpus(texts: Iterable[str], *, min_count: int = 5) -> Corpus:
    """Reads texts once, one after another; 8 bytes are kept per word.

    Args:
      texts: any number of them; see `texts.words` for what their words are.
      min_count: rarer words are left out, as if they had not been written.

    Raises:
      UserError: no text with a word, or fewer than two words that are frequent enough.

    >>> found = corpus(["a red bird", "a bird", "a fox"], min_count=2)
    >>> found.words, found.tokens.tolist(), found.text_of.tolist()
    (('a', 'bird'), [0, 1, 0, 1, 0], [0, 0, 1, 1, 2])
    """
    row: collections.defaultdict[str, int] = collections.defaultdict()
    row.default_factory = row.__len__  # a new word gets the next number
    numbers, lengths = array.array("i"), array.array("q")
    for text in texts:
        before = len(numbers)
        numbers.extend(map(row.__getitem__, class_texts.words(text)))
        lengths.append(len(numbers) - before)
    if not numbers:
        raise errors.UserError(f"{len(lengths)} texts hold no word: word vectors need texts to learn from")
    tokens = np.frombuffer(numbers, np.int32)
    counts, found = np.bincount(tokens), np.array(list(row), object)
    order = np.lexsort((found.astype(str), -counts))
    kept = order[counts[order] >= min_count]
    if len(kept) < 2:
        most = f"the most frequent, {found[order[0]]!r}, occurs {counts[order[0]]} times"
        raise errors.UserError(
            f"{len(kept)} of {len(found)} different words occur {min_count} times or more ({most}), at least 2 are "
            "wanted: take more texts or a smaller min_count"
        )
    place = np.full(len(found), -1, np.int32)
    place[kept] = np.arange(len(kept))
    text_of = np.repeat(np.arange(len(lengths), dtype=np.int32), np.frombuffer(lengths, np.int64))
    tokens, is_kept = place[tokens], place[tokens] >= 0
    return Corpus(tuple(found[kept]), counts[kept], tokens[is_kept], text_of[is_kept])
