"""A folder of images and a table of attributes as one dataset: who belongs to what, and what does not match.

IMAGES_DIR/CLASS/.../NAME.jpg     one folder per class, with images in it or below it
classes.csv                       one class per line, by the name of its folder (see `class_files`)

An unseen class may have no folder: it is a candidate without images. Where none has one, all images train and nothing
is scored.
"""

import collections
import difflib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import class_files, image_folder, images, missing, splits, tables

_SMALLEST = 3  # seen classes: two to train on, and one to hold out for validation
_TEST_SHARE = 0.2  # of each seen class's images


class Survey(NamedTuple):
    """What a folder and a table hold together.

    Args:
      described: the class table.
      files: the images of each class, relative to the folder, for the classes that are in both.
      problems: what does not match, one line each: names of folders, then of classes, then files.
      unreadable: what is wrong with files that are no images, by their path relative to the folder.
    """

    described: class_files.Described
    files: Mapping[str, Sequence[str]]
    problems: tuple[str, ...]
    unreadable: Mapping[str, str]


def survey(images_dir: str | os.PathLike, table: str | os.PathLike, unseen: float | str = 0.25) -> Survey:
    """Looks for the images of every class; no image is decoded, but its header is read.

    Names of folders and of classes are compared in the composed Unicode form: macOS writes the other one.

    Args:
      images_dir: the folder.
      table: the table.
      unseen: as for `make`; a class that it names may have no folder.

    Raises:
      UserError: no such folder or table, a folder without images, a table that is not sound, or an unknown name.
    """
    folder = pathlib.Path(images_dir).expanduser()
    if not folder.is_dir():
        raise errors.UserError(f"no folder of images {str(images_dir)!r}")
    described = class_files.read(pathlib.Path(table).expanduser())
    found = images.find(folder)
    if not found:
        raise errors.UserError(
            f"no image in {folder}: one folder per class is wanted, with {', '.join(images.SUFFIXES)}"
        )
    unreadable = {str(path): line for path in found if (line := images.fault(folder / path))}
    by_class: dict[str, list[str]] = {}
    for path in found:
        by_class.setdefault(tables.name(path.parts[0]) if len(path.parts) > 1 else "", []).append(str(path))
    loose = by_class.pop("", [])
    names = described.classes.names
    spellings = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    folders = sorted(set(map(tables.name, spellings)))
    problems = [f"{name!r}: in no class's folder" for name in loose]
    problems += [
        f"folder {name!r} is there {count} times, in different Unicode forms (NFC and NFD)"
        for name, count in collections.Counter(map(tables.name, spellings)).items()
        if count > 1
    ]
    strange = [name for name in folders if name not in names]
    problems += [f"folder {name!r} is no class of the table{_near(name, names)}" for name in strange]
    problems += [
        f"class {name!r} has no {'image in its folder' if name in folders else f'folder{_missing(name, strange)}'}"
        for name, is_candidate in zip(names, _candidates(described, unseen))
        if name not in by_class and not is_candidate
    ]
    return Survey(described, {name: by_class[name] for name in names if name in by_class}, tuple(problems), unreadable)


def make(
    images_dir: str | os.PathLike,
    found: Survey,
    *,
    unseen: float | str = 0.25,
    seed: int = 0,
    files: Mapping[str, str],
) -> image_folder.Imported:
    """Returns the dataset of the classes that are in both, with its splits.

    Where the table does not say which classes are unseen, and nobody names them, they are drawn by the seed. A fifth of
    each seen class's images, drawn by the seed too, are its part of the seen test images; where no unseen class has an
    image there is nothing to test, and all images are for training.

    Args:
      images_dir: the folder.
      found: by `survey`.
      unseen: share of the classes that are drawn as unseen ones, (0, 1); or their names, see `splits.unseen_names`,
        which go before what the table says.
      seed: of what is drawn.
      files: sha256 by name, of the files that it was made of.

    Raises:
      UserError: fewer than 3 seen classes, or no unseen one.
    """
    if not isinstance(unseen, str) and not 0 < unseen < 1:
        raise errors.UserError(f"--unseen={unseen:g} is not a share in (0, 1)")
    rng = np.random.default_rng(seed)
    is_candidate = _candidates(found.described, unseen)
    rows = [row for row, name in enumerate(found.described.classes.names) if name in found.files or is_candidate[row]]
    table = found.described.classes[np.array(rows, int)] if rows else None
    if table is None or not found.files:
        raise errors.UserError("no class has both a folder of images and a line in the table")
    is_seen, validation, origin = np.array(table.is_seen), None, "the table"
    if isinstance(unseen, str):
        is_seen, origin = ~splits.unseen_names(unseen, table.names), "name"
        without = [name for name, seen in zip(table.names, is_seen) if seen and name not in found.files]
        if without:
            raise errors.UserError(f"class {without[0]!r} has no images, and is not among the unseen classes")
    elif not found.described.says_seen:
        is_seen = np.ones(len(table), bool)
        is_seen[rng.permutation(len(table))[: max(1, round(unseen * len(table)))]] = False
        origin = f"seed {seed}"
    elif found.described.splits is not None:
        held_out = [i for i, row in enumerate(rows) if found.described.splits[row] == "validation"]
        validation = held_out or None
    if is_seen.sum() < _SMALLEST or is_seen.all():
        raise errors.UserError(
            f"{is_seen.sum()} seen and {(~is_seen).sum()} unseen classes by {origin}: at least {_SMALLEST} seen ones "
            "and 1 unseen one are needed"
        )
    if validation is not None and is_seen.sum() - len(validation) < 2:
        raise errors.UserError(
            f"{is_seen.sum() - len(validation)} training classes by the table: at least 2 are needed"
        )
    embedding = missing.filled(np.asarray(table.embedding).T, is_seen).T
    if not np.any(embedding != embedding[:1]):
        raise errors.UserError("all classes have the same attributes: nothing can tell them apart")
    has_test = any(name in found.files for name, seen in zip(table.names, is_seen) if not seen)
    paths, labels = [], []
    parts_of: dict[str, list[int]] = {"train": [], "test_seen": [], "test_unseen": []}
    for row, name in enumerate(table.names):
        first = len(paths)
        files_of = found.files.get(name, ())
        paths += files_of
        labels += [row] * len(files_of)
        members = first + rng.permutation(len(files_of))
        cut = min(len(members) - 1, max(1, round(_TEST_SHARE * len(members)))) if has_test else 0
        parts = {"test_seen": members[:cut], "train": members[cut:]} if is_seen[row] else {"test_unseen": members}
        for split, part in parts.items():
            parts_of[split] += sorted(part.tolist())
    if has_test and not parts_of["test_seen"]:
        raise errors.UserError("every seen class has only 1 image: none is left to test on")
    return image_folder.Imported(
        name=pathlib.Path(os.path.abspath(images_dir)).name,
        images_dir=os.path.abspath(pathlib.Path(images_dir).expanduser()),
        images=tuple(paths),
        labels=tuple(labels),
        class_names=table.names,
        attributes=found.described.attributes,
        embedding=tuple(tuple(map(float, values)) for values in embedding),
        is_seen=tuple(map(bool, is_seen)),
        validation_classes=None if validation is None else tuple(validation),
        splits={name: tuple(rows) for name, rows in parts_of.items()},
        split_by=origin,
        files=dict(files),
    )


def without_unreadable(found: Survey) -> Survey:
    """The survey without its unreadable files, and without classes that have no others."""
    kept = {name: [path for path in paths if path not in found.unreadable] for name, paths in found.files.items()}
    return found._replace(files={name: paths for name, paths in kept.items() if paths}, unreadable={})


def _candidates(described: class_files.Described, unseen: float | str) -> np.ndarray:
    """Which classes may have no image, `[C]` bool: those that the table or the caller names as unseen."""
    is_candidate = ~np.asarray(described.classes.is_seen) & described.says_seen
    if isinstance(unseen, str):
        is_candidate |= splits.unseen_names(unseen, described.classes.names)
    return is_candidate


def _missing(name: str, folders: Sequence[str]) -> str:
    """What a class without a folder may be: one that is written otherwise, or one that nobody has a photo of."""
    return _near(name, folders) or f", as an unseen class need not: --unseen={name!r}, or test in the column split"


def _near(name: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    return f" (is it {near[0]!r}?)" if near else ""
