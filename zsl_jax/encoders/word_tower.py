"""Texts by word vectors: what a file of them gives in the place of a folder of a text tower.

    e = unit(mean over the words of the text that have a vector),    or equal numbers where no word has one
    ids = rows of the words of the text that have a vector [L],      0 after the last one

Ids are for encoders that read word after word; the vectors themselves are one table `[V, D]`, which nothing trains.

Reference: Iyyer, Manjunatha, Boyd-Graber, Daume III, "Deep Unordered Composition Rivals Syntactic Methods for Text
Classification", ACL 2015, for how far such means go.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import tqdm

from zsl_jax import class_encoders, errors
from zsl_jax.data import matfile, soundness
from zsl_jax.encoders import stages

SUFFIXES = (".txt", ".vec", ".gz", ".bin", ".npz")
MOST_WORDS = 200_000  # of the table of words, the first ones of the file, which are the most frequent


@dataclasses.dataclass(frozen=True)
class WordTower:
    """A file of word vectors as an encoder of texts; see `class_encoders.load_word_vectors` for its forms.

    Args:
      path: of the file.
      sha256: of its content.
    """

    path: pathlib.Path
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name

    def encode(self, texts: Sequence[str], *, prefix: str = "") -> np.ndarray:
        """Returns `[N, D]` float32, of unit length.

        Raises:
          UserError: an empty text, or texts of which no word has a vector.
        """
        empty = next((row for row, text in enumerate(texts) if soundness.is_blank(text)), None)
        if empty is not None:
            raise errors.UserError(f"text {empty} of {len(texts)} is empty")
        split = [class_encoders.words(prefix + text) for text in texts]
        known = class_encoders.load_word_vectors(self.path, {word for found in split for word in found})
        if not known:
            raise errors.UserError(
                f"{self.name} has no vector for any word of {len(texts)} texts, the first of which is {texts[0][:60]!r}"
            )
        nothing = np.ones_like(next(iter(known.values())))
        means = np.stack([np.mean([known[w] for w in found if w in known] or [nothing], axis=0) for found in split])
        return (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-30)).astype(np.float32)

    def stage(self, prefix: str = "", width: int = 0) -> stages.Stage:
        """Returns the tower as a stage of the data, see `TextTower.stage`."""
        said = {"by": "text_tower", "name": self.name}
        options = {name: value for name, value in (("prefix", prefix), ("width", width)) if value}
        digest = self.sha256
        if options:
            digest = hashlib.sha256(json.dumps([self.sha256, options]).encode()).hexdigest()

        def encode(texts: Sequence[str]) -> np.ndarray:
            found = self.encode(texts, prefix=prefix)
            found = found[:, : width or found.shape[1]]
            return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-30)

        return stages.Stage(encode, digest, {**said, **options, "sha256": digest})

    def words(self, most: int, prefix: str = "") -> stages.Stage:
        """Returns the stage of texts as rows of `vectors`: `[N, most]` int32, 0 after the last word.

        Words without a vector are left out. A line on the error output says how many texts are longer, of which what is
        beyond is not read, and of how many no word is known.

        Args:
          most: L, words of a text, the first that have a vector.
          prefix: put before each text.
        """
        options = {"words": most, **({"prefix": prefix} if prefix else {})}
        digest = hashlib.sha256(json.dumps([self.sha256, options]).encode()).hexdigest()
        said = {"by": "text_tower", "name": self.name, **options, "sha256": digest}
        return stages.Stage(functools.partial(self._ids, most=most, prefix=prefix), digest, said)

    def vectors(self) -> np.ndarray:
        """Returns the vectors of the words `[V, D]` float32; row 0 is padding, all zeros."""
        return _vocabulary(self)[1]

    def layers(self, prefix: str = "") -> stages.Stage:
        """Raises a UserError: word vectors are no layers."""
        raise errors.UserError(
            f"the encoder scalar_mix mixes the layers of a text tower, and {self.name} is a file of word vectors: "
            "--config.towers.text=FOLDER of a BERT"
        )

    def _ids(self, texts: Sequence[str], *, most: int, prefix: str) -> np.ndarray:
        rows = _vocabulary(self)[0]
        found = [[rows[word] for word in class_encoders.words(prefix + text) if word in rows] for text in texts]
        silent = [row for row, ids in enumerate(found) if not ids]
        if len(silent) == len(texts):
            raise errors.UserError(
                f"{self.name} has no vector for any word of {len(texts)} texts, the first of which is {texts[0][:60]!r}"
            )
        cut = [row for row, ids in enumerate(found) if len(ids) > most]
        for among, says in (
            (cut, f"are longer than {most} words: what is beyond is not read (towers.words)"),
            (silent, "have no word with a vector: they all are the same to an encoder"),
        ):
            if among:
                first = f"text {among[0]}, {texts[among[0]][:40]!r}"
                line = f"{self.name}: {len(among)} of {len(texts)} texts {says}; the first is {first}"
                tqdm.tqdm.write(line, file=sys.stderr)
        return np.array([ids[:most] + [0] * (most - len(ids)) for ids in found], np.int32)


@functools.lru_cache(maxsize=1)
def _vocabulary(tower: WordTower) -> tuple[dict[str, int], np.ndarray]:
    """The row of each word, and the table."""
    found = class_encoders.load_word_vectors(tower.path, most=MOST_WORDS)
    if not found:
        raise errors.UserError(f"{tower.name} holds no word vectors")
    vectors = np.stack([*found.values()])
    return {word: row for row, word in enumerate(found, 1)}, np.concatenate([np.zeros_like(vectors[:1]), vectors])


def load(path: pathlib.Path) -> WordTower:
    """Returns a file of word vectors as a tower.

    Raises:
      UserError: a file of another kind by its name.
    """
    if path.suffix not in SUFFIXES:
        raise errors.UserError(
            f"{path} is no folder of a text tower, and no file of word vectors ({', '.join(SUFFIXES)})"
        )
    return WordTower(path, matfile.sha256(path))
