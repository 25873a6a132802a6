"""Class embeddings from words: vectors of the words of a name, and TF-IDF of descriptions."""

import gzip
import json
import os
import pathlib
import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors, rules, whole_files
from zsl_jax.data import soundness


def words(name: str) -> list[str]:
    """The words of a class name, in lower case; a number before a dot and all that is not a letter are left out.

    >>> words("046.Black_footed_Albatross"), words("polar+bear"), words("Chuck-will's-widow")
    (['black', 'footed', 'albatross'], ['polar', 'bear'], ['chuck', 'will', 's', 'widow'])
    """
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", name).lower())


def load_word_vectors(
    path: str | os.PathLike, wanted: Collection[str] | None = None, *, most: int = 0
) -> dict[str, np.ndarray]:
    """Reads the vectors of words from a file as word2vec and GloVe write them.

        .txt, .vec, .gz    a line is a word and its numbers, with blanks or tabs between; the first may be `COUNT WIDTH`
        .bin               `COUNT WIDTH`, then each word, a blank and its numbers in float32
        .npz               `words [N]`, `vectors [N, D]` and, where these are whole numbers, a `scale [N]` of each row

    Words are compared in lower case, and the first one that matches counts: such files are sorted by frequency. The
    rest of a text or binary file is skipped, so that a file of millions of words needs no memory.

    Args:
      path: the file.
      wanted: words in lower case; None for all of the file.
      most: words that are read, the first ones of the file; 0 for all.

    Returns:
      Vectors `[D]`, float32, by word, of those that are there, in the order of the file.

    Raises:
      UserError: no such file, an archive or binary file of another form, a vector of another width than the one before
        it, or a number that is none or not finite.
    """
    if not pathlib.Path(path).is_file():
        raise errors.UserError(f"no file of word vectors {os.fspath(path)!r}")
    if os.fspath(path).endswith(".npz"):
        found = _from_archive(path, wanted, most)
    elif os.fspath(path).endswith(".bin"):
        found = _from_binary(path, wanted, most)
    else:
        try:
            found = _from_lines(path, wanted, most)
        except (OSError, EOFError, zlib.error) as error:
            raise errors.UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    wrong = next((word for word, vector in found.items() if not np.isfinite(vector).all()), None)
    if wrong is not None:
        raise errors.UserError(f"{path}: the vector of {wrong!r} holds a number that is not finite, or beyond float32")
    return found


def _from_lines(path: str | os.PathLike, wanted: Collection[str] | None, most: int) -> dict[str, np.ndarray]:
    asked, found, width = _asked(wanted), {}, None
    opened = gzip.open if os.fspath(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and "\0" in line:
                raise errors.UserError(f"{path} is not in UTF-8, by its first line UTF-16 perhaps: save it as UTF-8")
            word, _, rest = line.rstrip().replace("\t", " ").partition(" ")
            word = word.lower()
            if word and not rest and (number == 1 or asked(word)):
                raise errors.UserError(
                    f"{path}, line {number}: no numbers behind {word[:40]!r}: a word and its vector, with blanks or "
                    "tabs between them, are wanted in each line"
                )
            if not asked(word) or word in found or (number == 1 and len(rest.split()) == 1):
                continue
            if most and len(found) == most:
                break
            fields = rest.split()
            try:
                with np.errstate(over="ignore"):
                    vector = np.array(fields, np.float32)
            except ValueError as error:
                raise errors.UserError(f"{path}, line {number}: the vector of {word!r} is not all numbers") from error
            if width is not None and len(vector) != width:
                raise errors.UserError(
                    f"{path}, line {number}: {word!r} has {len(vector)} numbers, the words before it {width}"
                )
            width = len(vector)
            found[word] = vector
    return found


def save_word_vectors(
    path: str | os.PathLike, words: Sequence[str], vectors: np.ndarray, *, about: Mapping[str, Any]
) -> None:
    """Writes an archive that `load_word_vectors` reads, whole or not at all.

    Args:
      path: of the archive, an .npz.
      words: the most frequent first.
      vectors: `[N, D]`.
      about: what they were made of, JSON-able; it is kept as a text.

    Raises:
      UserError: it cannot be written.
    """
    path = pathlib.Path(path)
    told = np.array(json.dumps(dict(about)))
    try:
        with whole_files.replacing(path) as part, part.open("wb") as file:
            np.savez(file, words=np.array(words, np.str_), vectors=vectors, about=told)
    except OSError as error:
        raise errors.UserError(f"cannot write to {path}: {error.strerror}") from error


def _asked(wanted: Collection[str] | None) -> Callable[[str], bool]:
    return (lambda word: True) if wanted is None else set(wanted).__contains__


def _from_archive(path: str | os.PathLike, wanted: Collection[str] | None, most: int) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            words, vectors = soundness.text(archive["words"]), archive["vectors"]
            scale = archive["scale"].astype(np.float32) if "scale" in archive else None
        if words is None:
            raise ValueError("words are no text in UTF-8")
        is_whole = vectors.dtype.kind == "i"
        fits = vectors.ndim == 2 and len(words) == len(vectors) and vectors.dtype.kind in "fi"
        if not fits or is_whole != (scale is not None):
            raise ValueError(f"{len(words)} words, vectors {vectors.dtype} {vectors.shape}")
        if scale is not None and scale.shape != (len(words),):
            raise ValueError(f"scale {scale.shape} for {len(words)} words")
    except Exception as error:  # a damaged archive raises what it likes
        raise errors.UserError(
            f"{path} is no archive of word vectors (words, vectors, and scale where these are whole numbers): "
            f"{' '.join(str(error).split())}"
        ) from error
    asked, rows = _asked(wanted), {}
    for row, word in enumerate(words):
        if asked(word.lower()) and word.lower() not in rows:
            rows[word.lower()] = row
            if len(rows) == most:
                break
    return {word: vectors[row].astype(np.float32) * (1 if scale is None else scale[row]) for word, row in rows.items()}


def _from_binary(path: str | os.PathLike, wanted: Collection[str] | None, most: int) -> dict[str, np.ndarray]:
    asked, found = _asked(wanted), {}
    with open(path, "rb") as file:
        head = [rules.whole_of(part.decode("ascii", "replace")) for part in file.readline(100).split()]
        if len(head) != 2 or None in head:
            raise errors.UserError(f"{path} is no binary file of word vectors: it does not begin with COUNT WIDTH")
        count, size = head[0], 4 * head[1]
        if count * size > os.path.getsize(path):
            raise errors.UserError(f"{path} announces {count} words with {head[1]} numbers each, and is shorter")
        for number in range(1, count + 1):
            letters = bytearray()
            while (letter := file.read(1)) not in (b" ", b""):
                letters += letter
            numbers = file.read(size)
            if len(numbers) < size:
                raise errors.UserError(f"{path} ends within word {number} of {count}: it is not whole")
            word = letters.decode("utf-8", errors="replace").strip().lower()
            if asked(word) and word not in found:
                found[word] = np.frombuffer(numbers, "<f4").copy()
                if len(found) == most:
                    break
    return found


def word_embedding(
    names: Sequence[str], vectors: Mapping[str, np.ndarray], *, ignored: Collection[str] = ()
) -> np.ndarray:
    """The mean of the vectors of the words of each class name.

    Args:
      names: of the classes; see `words` for what their words are.
      vectors: `[D]` by word, as from `load_word_vectors`.
      ignored: words to leave out, such as those that a first call names as missing.

    Returns:
      `[C, D]`, float32.

    Raises:
      UserError: words without a vector, all of them in one line, or a class of which no word is left.

    >>> import numpy as np
    >>> vectors = {"polar": np.array([1.0, 0.0]), "bear": np.array([0.0, 1.0])}
    >>> print(word_embedding(["polar+bear", "bear"], vectors))
    [[0.5 0.5]
     [0.  1. ]]
    """
    split = {name: [word for word in words(name) if word not in ignored] for name in names}
    missing = sorted({word for parts in split.values() for word in parts if word not in vectors})
    if missing:
        raise errors.UserError(f"no vector for {len(missing)} words: {', '.join(missing)}")
    empty = [name for name, parts in split.items() if not parts]
    if empty:
        raise errors.UserError(f"no word is left of {len(empty)} class names: {', '.join(empty)}")
    return np.stack([np.mean([vectors[word] for word in split[name]], axis=0) for name in names]).astype(np.float32)


def tf_idf(texts: Sequence[str], *, is_seen: Sequence[bool] | None = None) -> np.ndarray:
    """Which words the description of a class uses, each weighted by how few descriptions use it.

    `(1 + log count) * (1 + log((1 + C) / (1 + number of texts with the word)))`

    Rows have unit length; English stop words are left out.

    Args:
      texts: one description per class.
      is_seen: `[C]` bool, the classes whose texts fix the vocabulary and the weights; None takes all, which lets the
        texts of unseen classes take part. A word that no seen class uses could not be learned in any case.

    Returns:
      `[C, words]`, float32; a row of zeros for a text without a known word. Columns are in alphabetical order.

    Raises:
      UserError: a number of marks other than that of texts, or texts without any word.

    >>> print(tf_idf(["a red apple", "a green apple"]).round(2))
    [[0.58 0.   0.81]
     [0.58 0.81 0.  ]]
    """
    from sklearn.feature_extraction import text  # half a second that only this function should cost

    if is_seen is not None and len(is_seen) != len(texts):
        raise errors.UserError(f"{len(texts)} texts need as many marks in is_seen, not {len(is_seen)}")
    fitted_on = texts if is_seen is None else [t for t, seen in zip(texts, is_seen) if seen]
    vectorizer = text.TfidfVectorizer(sublinear_tf=True, stop_words="english", dtype=np.float32)
    try:
        vectorizer.fit(fitted_on)
    except ValueError as error:
        raise errors.UserError(f"the {len(fitted_on)} texts hold no word to weigh") from error
    return vectorizer.transform(texts).toarray()
