"""Texts as numbers of words, for the encoders of text that are trained."""

import zlib
from collections.abc import Sequence

import numpy as np

from zsl_jax import errors
from zsl_jax.class_encoders import texts

LARGEST = 2**24  # tokens are 1 to this; 0 is padding


def tokens(descriptions: Sequence[str], *, length: int = 32) -> np.ndarray:
    """The words of each description as hashes, in their order, so that a word that was never seen has a number too.

    Args:
      descriptions: one text per class; see `texts.words` for what its words are.
      length: L, words that are kept.

    Returns:
      `[C, L]` int32 in [0, 2^24]; 0 after the last word.

    Raises:
      UserError: texts without a word.

    >>> found = tokens(["small red star", "red star"], length=4)
    >>> found.shape, bool((found[0, 1:3] == found[1, :2]).all()), int(found[1, 2])
    ((2, 4), True, 0)
    """
    split = [texts.words(text)[:length] for text in descriptions]
    empty = [repr(text) for text, parts in zip(descriptions, split) if not parts]
    if empty:
        raise errors.UserError(f"{len(empty)} texts hold no word: {', '.join(empty[:5])}")
    rows = [[1 + zlib.crc32(word.encode()) % LARGEST for word in parts] for parts in split]
    return np.array([row + [0] * (length - len(row)) for row in rows], np.int32)
