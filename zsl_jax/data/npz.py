"""Your own features in a NumPy archive: images, their classes, and what describes the classes.

    features [N, F]         labels [N], rows of the classes, from 0         image features and classes; [N, P, F] for
                                                                            the features of P patches of each
    split [N]               0 train, 1 validation, 2 test                   optional: the use of a seen class's image
    class_names [C]         semantics=names: for a text tower               optional but for that
    attributes [C, A]       semantics=attributes                            at least one of these four, or names:
    coarse [N] or [C]       semantics=hierarchy: the group of a class       ancestors in a tree of two levels
    descriptions [C]        semantics=descriptions: one text per class          TF-IDF, by the words of the seen classes
    iconic_features [C, F]  semantics=iconic: features of a model image   as they are

Which classes are unseen is drawn by a seed. Images of split 0 and 1 train; those of split 2 are the seen test images.
Without `split`, a fifth of the images of each seen class is drawn. All images of unseen classes are unseen test images.
With `num_unseen=0` no class has a training image, and all images are tested. With `semantics=names` there may be
classes without an image, and labels may be names themselves.
With `semantics=none` nothing describes a class, and one without labelled images can only be discovered.
Labels may be of any type that holds whole numbers. -1 among percentages marks an attribute as missing, see `missing`.
"""

import difflib
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import arrays, dataset, missing, recorded, soundness, splits, tables

_TEST = 2
HELD_OUT = ("drawn", "last")


def load(
    file: str | os.PathLike = "",
    *,
    semantics: str = "hierarchy",
    num_unseen: int = 20,
    held_out: str = "drawn",
    seed: int = 0,
) -> dataset.Dataset:
    """An archive as `numpy.savez` writes it, as a dataset.

    Args:
      file: the archive, see the module for what it holds.
      semantics: what describes the classes: `attributes`, `hierarchy`, `descriptions`, `iconic` or `names`; `none`
        where nothing does, for category discovery.
      num_unseen: classes held out; 0 where no class has a training image.
      held_out: which: `drawn` by the seed, or the `last` ones by label.
      seed: of the choice of unseen classes, and of the seen test images where the archive does not split.

    Returns:
      The dataset, named like the file; `inputs [N, F]` (or `[N, P, F]`) and the class embedding `[C, A]` are float32.

    Raises:
      UserError: no such file, an array that is missing or at odds with the others, or nothing left to train on.
    """
    return _load(file, semantics, num_unseen, held_out, seed, "")


def load_with_unseen(
    unseen: str, file: str | os.PathLike = "", *, semantics="hierarchy", num_unseen=20, held_out="drawn", seed=0
):
    """The same, with the unseen classes chosen by name, see `splits.unseen_names`; how many and which do not count."""
    return _load(file, semantics, num_unseen, held_out, seed, unseen)


def _load(
    file: str | os.PathLike, semantics: str, num_unseen: int, held_out: str, seed: int, unseen: str
) -> dataset.Dataset:
    if not os.fspath(file):
        raise errors.UserError("npz needs an archive of features in its option file: --config.data.file=FILE")
    path = pathlib.Path(file).expanduser()
    held, digest = _read(path)
    if semantics not in SEMANTICS:
        raise errors.unknown("semantics", semantics, SEMANTICS)
    named = semantics == "names"
    inputs, labels = _images(path, _with_rows(path, held) if named else held, one_each=not named)
    num_classes = len(held["class_names"]) if named else int(labels.max()) + 1
    names = _names(path, held, num_classes)
    if unseen:
        num_unseen = int(splits.unseen_names(unseen, names).sum())
    if not 0 <= num_unseen <= num_classes - 2:
        raise errors.UserError(
            f"num_unseen={num_unseen} of the {num_classes} classes in {path.name}: hold out 0 to {num_classes - 2}"
        )
    rng = np.random.default_rng(seed)
    is_seen = np.full(num_classes, num_unseen > 0)
    if unseen:
        is_seen = ~splits.unseen_names(unseen, names)
    else:
        is_seen[_held_out(held_out, rng.permutation(num_classes), num_unseen)] = False
    return dataset.Dataset(
        name=path.stem,
        inputs=inputs,
        labels=labels,
        classes=dataset.ClassTable(_embedding(path, held, semantics, labels, is_seen, names), is_seen, names),
        splits=_splits(path, held, labels, is_seen, rng),
        info={
            "semantics": semantics,
            "split": f"{num_unseen} unseen classes by name" if unseen else _said(num_unseen, held_out, seed),
            "files": {path.name: digest},
        },
    )


def _held_out(how: str, drawn: np.ndarray, count: int) -> np.ndarray:
    if how not in HELD_OUT:
        raise errors.unknown("held_out", how, HELD_OUT)
    return drawn[:count] if how == "drawn" else np.arange(len(drawn) - count, len(drawn))


def _said(num_unseen: int, held_out: str, seed: int) -> str:
    if not num_unseen:
        return "all images are tested"
    return f"{num_unseen} classes held out by seed {seed}" if held_out == "drawn" else f"last {num_unseen} held out"


def semantics_in(file: str | os.PathLike) -> tuple[str, ...]:
    """The descriptions of classes that an archive offers."""
    return _offered(_read(pathlib.Path(file).expanduser()).arrays)


def _offered(held: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return tuple(name for name, (source, _) in SEMANTICS.items() if source in held and name != "none")


def _hierarchy(coarse: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Every class under the group of its images, every group under the root."""
    num_classes = len(is_seen)
    if coarse.dtype.kind not in "US" and (wrong := soundness.whole(coarse)):
        raise errors.UserError(f"coarse: {wrong}; numbers or names of groups are wanted")
    if coarse.shape == labels.shape:
        group = np.array([coarse[labels == row][0] for row in range(num_classes)])
        if np.any(group[labels] != coarse):
            row = int(labels[group[labels] != coarse][0])
            raise errors.UserError(f"coarse gives images of class {row} different groups")
    elif coarse.shape == (num_classes,):
        group = coarse
    else:
        wanted = f"{labels.shape} or {is_seen.shape}"
        raise errors.UserError(f"coarse {coarse.shape}: wanted one group per image or per class, {wanted}")
    groups, group = np.unique(group, return_inverse=True)
    root = num_classes + len(groups)
    parents = np.concatenate([num_classes + group, np.full(len(groups), root), [-1]])
    return class_encoders.ancestors(parents)[:num_classes]


def _texts(descriptions: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    del labels
    if descriptions.shape != is_seen.shape:
        raise errors.UserError(f"descriptions {descriptions.shape}: wanted a text for each of {len(is_seen)} classes")
    texts = None if descriptions.dtype.kind in "iu" else soundness.text(descriptions)
    if texts is None:
        raise errors.UserError(f"descriptions are {_kind(descriptions)}, not text in UTF-8")
    return class_encoders.tf_idf(texts, is_seen=is_seen)


def _percentages(array: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """As given, but for values that are marked as missing, see `missing`."""
    if array.shape[:1] != is_seen.shape or array.ndim != 2 or soundness.numbers(array):
        return _as_given(array, labels, is_seen)
    return missing.filled(array.T, is_seen).T


def _rows(names: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Numbers that stand for the classes until a text tower has read their names."""
    del names, labels
    return np.arange(len(is_seen), dtype=np.int32)


def _one_each(labels_again: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Rows that tell classes apart and say nothing of them."""
    del labels_again, labels
    return np.eye(len(is_seen), dtype=np.float32)


def _as_given(array: np.ndarray, labels: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    del labels, is_seen
    return array


# The array that a description of the classes is made of, and how.
SEMANTICS = {
    "attributes": ("attributes", _percentages),
    "hierarchy": ("coarse", _hierarchy),
    "descriptions": ("descriptions", _texts),
    "iconic": ("iconic_features", _as_given),
    "names": ("class_names", _rows),
    "none": ("labels", _one_each),
}
_KNOWN = ("features", "labels", "split", *(source for source, _ in SEMANTICS.values()))


def _read(path: pathlib.Path) -> arrays.Archive:
    """The arrays of an archive and its sha256, compared with a recorded one; a name that is nearly ours is refused."""
    found = arrays.read(path)
    recorded.check(path, found.sha256)
    for name in found.arrays.keys() - set(_KNOWN):
        near = difflib.get_close_matches(name.lower(), [known for known in _KNOWN if known not in found.arrays], 1, 0.8)
        if near:
            raise errors.UserError(f"{path.name} has an array {name!r}, which is not read; did you mean {near[0]!r}?")
    return found


def _with_rows(path: pathlib.Path, held: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The arrays, with labels that are names as rows of `class_names`.

    Raises:
      UserError: no names, or a label that is none of them.
    """
    if "class_names" not in held:
        raise errors.UserError(
            f"{path.name} has no class_names, which zero-shot from names needs; only "
            f"{', '.join(sorted(held)) or 'nothing'}"
        )
    names, labels = soundness.text(held["class_names"]), held.get("labels")
    if labels is None or labels.dtype.kind not in "US" or names is None:
        return held
    row = {name: number for number, name in enumerate(names)}
    given = soundness.text(labels) or []
    unknown = next((label for label in given if label not in row), None)
    if unknown is not None or len(given) != labels.size:
        raise errors.unlisted("label", unknown, difflib.get_close_matches(str(unknown), names, 1), "of class_names")
    return {**held, "labels": np.array([row[label] for label in given], np.int32).reshape(labels.shape)}


def _images(
    path: pathlib.Path, held: Mapping[str, np.ndarray], *, one_each: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    for name in ("features", "labels"):
        if name not in held:
            raise errors.UserError(f"{path.name} has no {name}, only {', '.join(sorted(held)) or 'nothing'}")
    inputs, labels = held["features"], held["labels"]
    if inputs.ndim not in (2, 3) or labels.shape != inputs.shape[:1] or not inputs.size:
        raise errors.UserError(
            f"{path.name}: features {inputs.shape} and labels {labels.shape}, wanted [N, F], or [N, P, F] of patches, "
            "and [N]"
        )
    if wrong := soundness.whole(labels):
        raise errors.UserError(f"{path.name}: labels: {wrong}; labels are integers, the rows of the classes")
    if not one_each and labels.min() >= 0:
        if labels.max() >= len(held["class_names"]):
            raise errors.UserError(
                f"{path.name}: label {labels.max():.0f} is no row of {len(held['class_names'])} class_names, 0 to "
                f"{len(held['class_names']) - 1}"
            )
    elif labels.min() or labels.max() >= len(labels) or len(np.unique(labels)) <= labels.max():
        raise errors.UserError(
            f"{path.name}: labels must be the rows of the classes, 0 to C - 1, each with an image; these are "
            f"{len(np.unique(labels))} from {labels.min():.0f} to {labels.max():.0f}"
        )
    if wrong := soundness.features(inputs):
        raise errors.UserError(f"{path.name}: features: {wrong}")
    return inputs.astype(np.float32, copy=False), labels.astype(np.int32)


def _names(path: pathlib.Path, held: Mapping[str, np.ndarray], num_classes: int) -> tuple[str, ...]:
    found = held.get("class_names", np.array([f"class {row}" for row in range(num_classes)]))
    if found.shape != (num_classes,):
        raise errors.UserError(f"{path.name}: class_names {found.shape}, wanted one for each of {num_classes} classes")
    names = soundness.text(found)
    if names is None:
        raise errors.UserError(f"{path.name}: class_names are {_kind(found)}, not text in UTF-8")
    names = tuple(map(tables.name, names))
    if wrong := soundness.names(names):
        raise errors.UserError(f"{path.name}: class_names: {wrong}")
    return names


def _embedding(path, held, semantics: str, labels, is_seen, names) -> np.ndarray:
    source, describe = SEMANTICS[semantics]
    if source not in held:
        offered = ", ".join(_offered(held)) or "none"
        raise errors.UserError(f"{path.name} has no {source}, which semantics={semantics} needs; it offers {offered}")
    embedding = np.asarray(describe(held[source], labels, is_seen))
    if semantics == "names":
        return embedding
    if wrong := soundness.descriptions(embedding, names):
        hint = ": it shares no word with the seen classes" if semantics == "descriptions" else ""
        raise errors.UserError(f"{path.name}: {source}: {wrong}{hint}")
    return np.asarray(embedding, np.float32)


def _splits(path, held, labels, is_seen, rng) -> dict[str, np.ndarray]:
    if not is_seen.any():
        return {"test": np.arange(len(labels))}
    if "split" in held:
        split = held["split"]
        if split.shape != labels.shape or soundness.whole(split) or not np.all(np.isin(split, (0, 1, 2))):
            raise errors.UserError(f"{path.name}: split must hold 0, 1 or 2 for each of {len(labels)} images")
        is_test = split == _TEST
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
    if not len(splits["test_seen"]):
        why = "none of split 2" if "split" in held else "too few images per class to draw a fifth from"
        raise errors.UserError(
            f"{path.name}: no seen test image ({why}): accuracy on seen classes could not be measured"
        )
    return splits


def _kind(values: np.ndarray) -> str:
    return "bytes in another encoding" if values.dtype.kind == "S" else str(values.dtype)
