"""Pairs in a NumPy archive, see `pairs`: the inputs, and the attribute and the object of each."""

import difflib
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import arrays, pair_names, recorded, soundness

_USES = {
    **dict.fromkeys(("0", "train", "training"), "train"),
    **dict.fromkeys(("1", "val", "validation", "dev"), "validation"),
    **dict.fromkeys(("2", "test", "testing"), "test"),
}


class Found(NamedTuple):
    """Inputs with their pairs, wherever they come from.

    Fields:
      name: of the data.
      kind: of an input, in the plural.
      inputs: `[N, ...]`.
      pairs: of the inputs.
      use: `[N]` texts, `train`, `validation` or `test`; None where no split is given.
      info: what identifies the data.
      images: to look at, or None.
    """

    name: str
    kind: str
    inputs: Any
    pairs: pair_names.Pairs
    use: np.ndarray | None
    info: dict[str, Any]
    images: Any = None


def read(path: pathlib.Path, attribute: str = "attribute", object: str = "object") -> Found:
    """Reads an archive.

    Args:
      path: of it.
      attribute, object: names of the arrays that hold the parts.

    Raises:
      UserError: an array that is missing, at odds with the others or nearly of a known name, or names that will not do.
    """
    found = arrays.read(path)
    recorded.check(path, found.sha256)
    held = found.arrays
    inputs, kind = inputs_of(path, held)
    sides = _parts(path, held, attribute, object)
    for name, side in zip((attribute, object), sides):
        if len(side) != len(inputs):
            raise errors.UserError(f"{path.name}: {len(side)} entries of {name} for {len(inputs)} {kind}")
    pairs = pair_names.make(path.name, *sides)
    use, images = _use(path, held, len(inputs)), inputs if kind == "images" else None
    return Found(path.stem, kind, inputs, pairs, use, {"files": {path.name: found.sha256}}, images)


def inputs_of(path: pathlib.Path, held: Mapping[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """Returns the inputs of an archive, and what an input is: `features` or `images`."""
    if "features" in held:
        features = held["features"]
        if features.ndim != 2 or not features.size:
            raise errors.UserError(f"{path.name}: features {features.shape}, wanted [N, F]")
        if wrong := soundness.features(features):
            raise errors.UserError(f"{path.name}: features: {wrong}")
        return features.astype(np.float32), "features"
    if "images" not in held:
        near = [(n, known) for known in ("features", "images") for n in difflib.get_close_matches(known, held, 1, 0.7)]
        hint = f"; did you mean {near[0][0]!r} to be {near[0][1]}?" if near else ""
        raise errors.UserError(
            f"{path.name} has neither features nor images, only {', '.join(sorted(held)) or 'nothing'}{hint}"
        )
    images = held["images"]
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not images.size:
        raise errors.UserError(f"{path.name}: images {images.shape} {images.dtype}, wanted [N, H, W, 3] uint8")
    return images, "images"


def _parts(path, held: Mapping[str, np.ndarray], attribute: str, object: str) -> list[list[str]]:
    """The attribute and the object of every input."""
    if not {attribute, object} & held.keys() and "files" in held:
        folders = [name.replace("\\", "/").rsplit("/", 2) for name in _texts(path, held, "files")]
        split = [pair_names.of_folder(parts[-2]) if len(parts) > 1 else None for parts in folders]
        if None in split:
            row = split.index(None)
            raise errors.UserError(
                f"{path.name}: files: row {row} is {'/'.join(folders[row])!r}, not ATTRIBUTE_OBJECT/NAME"
            )
        return [list(side) for side in zip(*split)]
    for part, name in (("attribute", attribute), ("object", object)):
        if name not in held:
            near = difflib.get_close_matches(name, held, 1, 0.6)
            hint = f"did you mean --config.data.{part}={near[0]}?" if near else f"name it by --config.data.{part}=NAME"
            raise errors.UserError(f"{path.name} has no {name}, only {', '.join(sorted(held))}: {hint}")
    return [_texts(path, held, name) for name in (attribute, object)]


def _texts(path, held: Mapping[str, np.ndarray], name: str) -> list[str]:
    texts = soundness.text(held[name])
    if texts is None or held[name].ndim != 1:
        raise errors.UserError(
            f"{path.name}: {name} {held[name].shape} {held[name].dtype}, wanted a text per input [N]"
        )
    return texts


def _use(path, held: Mapping[str, np.ndarray], count: int) -> np.ndarray | None:
    if "split" not in held:
        return None
    split = held["split"]
    whole = split.dtype.kind in "fb" and not soundness.whole(split)
    texts = soundness.text(split.astype(np.int64) if whole else split)
    if texts is None or split.shape != (count,):
        raise errors.UserError(f"{path.name}: split {split.shape} {split.dtype}, wanted a use per input [{count}]")
    # "test_seen", "val_unseen": what is seen follows from the training inputs.
    words = [text.strip().lower().partition("_")[0] for text in texts]
    if unknown := sorted({text for text, word in zip(texts, words) if word not in _USES}):
        raise errors.UserError(f"{path.name}: split {unknown[0]!r} is none of train, validation, test (or 0, 1, 2)")
    return np.array([_USES[word] for word in words])
