"""Features of one's own in a NumPy archive: images, their classes, and what describes the classes.

    features [N, F]         labels [N], rows of the classes, from 0         image features and classes
    split [N]               0 train, 1 validation, 2 test                   optional: the use of a seen class's image
    class_names [C]                                                         optional
    attributes [C, A]       semantics=attributes                            at least one of these four:
    coarse [N] or [C]       semantics=hierarchy: the group of a class       ancestors in a tree of two levels
    descriptions [C]        semantics=descriptions: a text a class          TF-IDF, by the words of the seen classes
    iconic_features [C, F]  semantics=iconic: features of a model picture   as they are

Which classes are unseen is drawn by a seed. Images of split 0 and 1 train; those of split 2 are the seen test images.
Without `split`, a fifth of the images of each seen class is drawn. All images of unseen classes are unseen test images.
"""

import hashlib
import io
import os
import pathlib
import zipfile
from collections.abc import Mapping

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import dataset

_TEST = 2


def load(
    file: str | os.PathLike = "", *, semantics: str = "hierarchy", num_unseen: int = 20, seed: int = 0
) -> dataset.Dataset:
    """An archive as `numpy.savez` writes it, as a dataset.

    Args:
      file: the archive, see the module for what it holds.
      semantics: what describes the classes: `attributes`, `hierarchy`, `descriptions` or `iconic`.
      num_unseen: classes held out, at least 1.
      seed: of the choice of unseen classes, and of the seen test images where the archive does not split.

    Returns:
      The dataset, named like the file; `inputs [N, F]` and the class embedding `[C, A]` are float32.

    Raises:
      UserError: no such file, an array that is missing or at odds with the others, or nothing left to train on.
    """
    if not os.fspath(file):
        raise errors.UserError("npz needs an archive of features in its option file: --config.data.file=FILE")
    path = pathlib.Path(file).expanduser()
    arrays, digest = _read(path)
    if semantics not in SEMANTICS:
        raise errors.unknown("semantics", semantics, SEMANTICS)
    inputs, labels = _images(path, arrays)
    num_classes = int(labels.max()) + 1
    if not 1 <= num_unseen <= num_classes - 2:
        raise errors.UserError(
            f"num_unseen={num_unseen} of the {num_classes} classes in {path.name}: hold out 1 to {num_classes - 2}"
        )
    rng = np.random.default_rng(seed)
    is_seen = np.ones(num_classes, bool)
    is_seen[rng.permutation(num_classes)[:num_unseen]] = False
    source, describe = SEMANTICS[semantics]
    if source not in arrays:
        offered = ", ".join(_offered(arrays)) or "none"
        raise errors.UserError(f"{path.name} has no {source}, which semantics={semantics} needs; it offers {offered}")
    embedding = np.asarray(describe(arrays[source], labels, is_seen), np.float32)
    if embedding.ndim != 2 or len(embedding) != num_classes or not np.all(np.isfinite(embedding)):
        raise errors.UserError(
            f"{path.name}: {source} {arrays[source].shape} does not describe {num_classes} classes with finite numbers"
        )
    names = arrays.get("class_names", np.array([f"class {row}" for row in range(num_classes)]))
    if names.shape != (num_classes,):
        raise errors.UserError(f"{path.name}: class_names {names.shape}, wanted one for each of {num_classes} classes")
    return dataset.Dataset(
        name=path.stem,
        inputs=inputs,
        labels=labels,
        classes=dataset.ClassTable(embedding, is_seen, tuple(map(str, names))),
        splits=_splits(path, arrays, labels, is_seen, rng),
        info={
            "semantics": semantics,
            "split": f"{num_unseen} classes held out by seed {seed}",
            "files": {path.name: digest},
        },
    )


def semantics_in(file: str | os.PathLike) -> tuple[str, ...]:
    """The descriptions of classes that an archive offers."""
    arrays, _ = _read(pathlib.Path(file).expanduser())
    return _offered(arrays)


def _offered(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(name for name, (source, _) in SEMANTICS.items() if source in arrays)


def _hierarchy(coarse: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Every class under the group of its images, every group under the root."""
    num_classes = len(is_seen)
    if coarse.shape == labels.shape:
        group = np.array([coarse[labels == row][0] for row in range(num_classes)])
        if np.any(group[labels] != coarse):
            row = int(labels[group[labels] != coarse][0])
            raise errors.UserError(f"coarse gives images of class {row} different groups")
    elif coarse.shape == (num_classes,):
        group = coarse
    else:
        wanted = f"{labels.shape} or {is_seen.shape}"
        raise errors.UserError(f"coarse {coarse.shape}: wanted a group an image or a class, {wanted}")
    groups, group = np.unique(group, return_inverse=True)
    root = num_classes + len(groups)
    parents = np.concatenate([num_classes + group, np.full(len(groups), root), [-1]])
    return class_encoders.ancestors(parents)[:num_classes]


def _texts(descriptions: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    del labels
    if descriptions.shape != is_seen.shape:
        raise errors.UserError(f"descriptions {descriptions.shape}: wanted a text for each of {len(is_seen)} classes")
    return class_encoders.tf_idf([str(text) for text in descriptions], is_seen=is_seen)


def _as_given(array: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    del labels, is_seen
    return array


# The array that a description of the classes is made of, and how.
SEMANTICS = {
    "attributes": ("attributes", _as_given),
    "hierarchy": ("coarse", _hierarchy),
    "descriptions": ("descriptions", _texts),
    "iconic": ("iconic_features", _as_given),
}


def _read(path: pathlib.Path) -> tuple[Mapping[str, np.ndarray], str]:
    """The arrays of an archive, and its sha256."""
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if not isinstance(archive, Mapping):
                raise ValueError("one array")
            return {name: archive[name] for name in archive.files}, hashlib.sha256(content).hexdigest()
    except OSError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise errors.UserError(f"{path} is no archive of plain arrays as numpy.savez writes it") from error


def _images(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    for name in ("features", "labels"):
        if name not in arrays:
            raise errors.UserError(f"{path.name} has no {name}, only {', '.join(sorted(arrays)) or 'nothing'}")
    inputs, labels = arrays["features"], arrays["labels"]
    if inputs.ndim != 2 or labels.shape != inputs.shape[:1] or not len(labels):
        raise errors.UserError(f"{path.name}: features {inputs.shape} and labels {labels.shape}, wanted [N, F] and [N]")
    if not np.issubdtype(labels.dtype, np.integer) or not np.all(np.bincount(np.maximum(labels, 0))) or labels.min():
        raise errors.UserError(f"{path.name}: labels must be the rows of the classes, 0 to C - 1, each with an image")
    inputs = inputs.astype(np.float32)
    if not np.all(np.isfinite(inputs)):
        raise errors.UserError(f"{path.name}: features holds values that are not finite")
    return inputs, labels.astype(np.int32)


def _splits(path, arrays, labels, is_seen, rng) -> dict[str, np.ndarray]:
    if "split" in arrays:
        if arrays["split"].shape != labels.shape or not np.all(np.isin(arrays["split"], (0, 1, 2))):
            raise errors.UserError(f"{path.name}: split must hold 0, 1 or 2 for each of {len(labels)} images")
        is_test = arrays["split"] == _TEST
    else:
        is_test = np.zeros(len(labels), bool)
        for row in np.flatnonzero(is_seen):
            rows = rng.permutation(np.flatnonzero(labels == row))
            is_test[rows[: round(len(rows) / 5)]] = True
    splits = {
        "train": np.flatnonzero(is_seen[labels] & ~is_test),
        "test_seen": np.flatnonzero(is_seen[labels] & is_test),
        "test_unseen": np.flatnonzero(~is_seen[labels]),
    }
    without = np.setdiff1d(np.flatnonzero(is_seen), labels[splits["train"]])
    if len(without):
        raise errors.UserError(f"{path.name}: class {without[0]} has no training image; all its images are of split 2")
    return splits
