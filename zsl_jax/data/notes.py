"""What one should know of a benchmark in the xlsa17 layout before training on it: leaks, duplicates, gaps.

    notes(sound) -> notes       one line each; none of them forbids training

Variables are named, shaped and counted as in `checks`.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from zsl_jax.data import checks, missing


def notes(sound: checks.Variables) -> list[str]:
    """One line for each thing to know of the variables that `checks.problems` calls sound.

    >>> import numpy as np
    >>> notes({"allclasses_names": ["ox", "gnu"], "att": np.ones([3, 2])})
    ["the same att for 'ox' and 'gnu': nothing can tell them apart"]
    """
    parts = (_leak, _unused, _validation, _duplicates, _equal_descriptions, _missing_values, _folders)
    return [line for part in parts for line in part(sound)]


def validation_classes(sound: checks.Variables) -> np.ndarray | None:
    """The classes that `val_loc` holds out for validation, counted from 1; None where it holds out none, or all.

    They are the classes of its training images that have none in `train_loc`. Images beyond `trainval_loc` do not
    count: `train_loc` and `val_loc` together may hold seen test images, whose labels must have no say.
    """
    if not {"labels", "val_loc", "trainval_loc"} <= sound.keys():
        return None
    seen = checks.classes_of(sound, "trainval_loc")
    held_out = _training_classes(sound, "val_loc")
    if "train_loc" in sound:
        held_out = np.setdiff1d(held_out, _training_classes(sound, "train_loc"))
    return held_out if 0 < len(held_out) < len(seen) else None


def _training_classes(sound: checks.Variables, name: str) -> np.ndarray:
    """The classes of those images of a location that are in `trainval_loc`."""
    return np.unique(sound["labels"][np.intersect1d(sound[name], sound["trainval_loc"]) - 1])


def first_equal(columns: np.ndarray) -> np.ndarray:
    """For each column of `[F, N]` the index `[N]` of the first column equal to it, bit for bit.

    >>> import numpy as np
    >>> first_equal(np.array([[1.0, 2.0, 1.0]])).tolist()
    [0, 1, 0]
    """
    first = {}
    rows = np.ascontiguousarray(columns.T)
    digests = (hashlib.blake2b(row, digest_size=16).digest() for row in rows)
    return np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)


def _leak(sound: checks.Variables) -> Iterable[str]:
    listed = [sound[name] for name in checks.VALIDATION_SPLITS if name in sound]
    for name, kind in (("test_seen_loc", "seen test image"), ("test_unseen_loc", "unseen test image")):
        leaked = len(np.intersect1d(np.concatenate(listed), sound[name])) if listed and name in sound else 0
        if leaked:
            yield f"train_loc and val_loc hold {checks.count(leaked, kind)}: only their classes are used, no image"


def _unused(sound: checks.Variables) -> Iterable[str]:
    if not {"labels", *checks.SPLITS.values()} <= sound.keys():
        return
    listed = np.unique(np.concatenate([sound[name] for name in checks.SPLITS.values()]))
    unlisted = len(sound["labels"]) - len(listed)
    if unlisted:
        yield f"{checks.count(unlisted, 'image')} in none of the three splits"
    unseen = checks.classes_of(sound, "test_unseen_loc")
    if len(unseen) == 1:
        yield f"one unseen class only ({checks.named(sound, unseen)}): the zero-shot accuracy is 1 whatever is trained"
    if "allclasses_names" in sound:
        every = np.arange(1, len(sound["allclasses_names"]) + 1)
        idle = np.setdiff1d(every, sound["labels"][listed - 1])
        if len(idle):
            yield f"no image in any split: {checks.named(sound, idle)}; an unseen candidate that is never right"


def _validation(sound: checks.Variables) -> Iterable[str]:
    if not {"labels", "val_loc"} <= sound.keys():
        return
    for name, what in (("test_unseen_loc", "unseen"), ("train_loc", "in train_loc too")):
        if name in sound:
            shared = np.intersect1d(checks.classes_of(sound, "val_loc"), checks.classes_of(sound, name))
            if len(shared):
                yield f"classes of val_loc that are {what}, so no validation classes: {checks.named(sound, shared)}"


def _duplicates(sound: checks.Variables) -> Iterable[str]:
    if "features" not in sound:
        return
    group = first_equal(sound["features"])
    copies = len(group) - len(np.unique(group))
    if copies:
        yield f"{checks.count(copies, 'image')} with the same features as an earlier one"
    for name in ("test_seen_loc", "test_unseen_loc"):
        if copies and name in sound and "trainval_loc" in sound:
            shared = int(np.isin(group[sound[name] - 1], group[sound["trainval_loc"] - 1]).sum())
            if shared:
                yield f"{checks.count(shared, 'image')} of {name} with the same features as a training image"


def _equal_descriptions(sound: checks.Variables) -> Iterable[str]:
    if not {"att", "allclasses_names"} <= sound.keys():
        return
    names, group = sound["allclasses_names"], first_equal(sound["att"])
    for second in np.flatnonzero(group != np.arange(len(group))):
        yield f"the same att for {names[group[second]]!r} and {names[second]!r}: nothing can tell them apart"


def _missing_values(sound: checks.Variables) -> Iterable[str]:
    if "original_att" not in sound:
        return
    marked = missing.marked(sound["original_att"])
    if marked.any():
        classes = checks.named(sound, np.flatnonzero(marked.any(axis=0)) + 1)
        yield f"original_att marks {checks.count(int(marked.sum()), 'value')} as missing (-1), of {classes}"


def _folders(sound: checks.Variables) -> Iterable[str]:
    agreeing, compared = checks.in_class_folder(sound)
    if agreeing < compared:
        yield f"{compared - agreeing} of {compared} images lie in the folder of another class in image_files"
