"""Texts as means of word vectors: what a file of word vectors gives in the place of a folder of a text tower.

    e = unit(mean over the words of the text that have a vector),    or equal numbers where no word has one

Reference: Iyyer, Manjunatha, Boyd-Graber, Daume III, "Deep Unordered Composition Rivals Syntactic Methods for Text
Classification", ACL 2015, for how far such means go.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Sequence

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import matfile
from zsl_jax.data import texts as data_texts
from zsl_jax.encoders import stages

SUFFIXES = (".txt", ".vec", ".gz", ".bin", ".npz")


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
        empty = next((row for row, text in enumerate(texts) if data_texts.is_blank(text)), None)
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
