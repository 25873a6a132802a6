"""Class-attribute tables of probabilities, read from an xlsa17 folder or a CSV file."""

import pathlib
from typing import NamedTuple

import numpy as np

from zsl_jax import errors, rules
from zsl_jax.data import attribute_files, matfile, missing, tables

SPLITS_FILE, FEATURES_FILE, UNSEEN_FILE = "att_splits.mat", "res101.mat", "testclasses.txt"


class Table(NamedTuple):
    """`matrix [C, A]` of P(attribute present | class), which of it is `unknown [C, A]`, and the names of both axes."""

    matrix: np.ndarray
    unknown: np.ndarray
    classes: tuple[str, ...]
    attributes: tuple[str, ...]


def read(path: str, which: str | None) -> Table:
    """Reads a folder or a CSV file.

    A folder: `original_att` of `att_splits.mat`, percentages (where a value is above 1) divided by 100; -1 among
    percentages marks an unknown value. Its unseen classes are those of `testclasses.txt`, or else of the unseen test
    images of `res101.mat`. Attributes have the names in attributes.txt or predicates.txt there, or else numbers from 1.

    A file: a header with the names of the attributes after one cell, then one class per line, its name first. An empty
    cell is an unknown value.

    Args:
      path: of the folder or file.
      which: "unseen", "seen", "all", names of classes with commas between them, or None for the unseen classes of a
        folder and all of a file.

    Raises:
      UserError: the table is not there, or is none.
    """
    location = pathlib.Path(path).expanduser()
    if location.is_dir():
        table = _folder(location)
    elif location.is_file():
        table = of_csv(location)
    else:
        raise errors.UserError(
            f"{path}: no such folder or file; a folder with {SPLITS_FILE}, a CSV file or a finished run is wanted"
        )
    if which in ("unseen", "seen") or (which is None and location.is_dir()):
        if location.is_file():
            raise errors.UserError(f"{path}: a CSV file has no seen and unseen classes; leave --classes={which} out")
        table = rows(table, np.flatnonzero(_is_unseen(location, table.classes) == (which != "seen")))
    elif which not in (None, "all"):
        table = rows(table, _places(which, table.classes))
    check(table, path)
    return table


def check(table: Table, path: str) -> None:
    """Raises a UserError that names the first value or class that the bound cannot take."""
    if len(table.classes) < 2:
        raise errors.UserError(f"{path}: {len(table.classes)} classes; there is nothing to confuse with fewer than 2")
    wrong = np.argwhere(~((table.matrix >= 0) & (table.matrix <= 1)))
    if len(wrong):
        row, column = wrong[0]
        raise errors.UserError(
            f"{path}: attribute {table.attributes[column]!r} of {table.classes[row]!r} is "
            f"{table.matrix[row, column]:g}; probabilities in [0, 1] are wanted (divide percentages by 100)"
        )
    empty = np.flatnonzero(~np.any(table.matrix > 0, axis=1))
    if len(empty):
        raise errors.UserError(
            f"{path}: {table.classes[empty[0]]!r} has no attributes: all its values are 0 or missing"
        )


def _places(text: str, classes: tuple[str, ...]) -> np.ndarray:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in classes:
            raise errors.unknown("class", name, classes if "," in text else ("unseen", "seen", "all", *classes))
    return np.array([classes.index(name) for name in dict.fromkeys(names)], np.int64)


def attribute_places(table: Table, text: str | None) -> np.ndarray:
    """Which attributes are meant: all, the first N, or those of the names in a list."""
    if text is None:
        return np.arange(len(table.attributes))
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) == 1 and names[0].isdecimal():
        count = rules.whole_of(names[0])
        if count is None or not 1 <= count <= len(table.attributes):
            raise errors.UserError(f"--attributes={text[:40]}: the table has {len(table.attributes)} attributes")
        return np.arange(count)
    place = {name: i for i, name in enumerate(table.attributes)}
    for name in names:
        if name not in place:
            raise errors.unknown("attribute", name, table.attributes)
    if not names or len(set(names)) < len(names):
        raise errors.UserError(f"--attributes={text}: a number, or a list of different names, is wanted")
    return np.array([place[name] for name in names])


def columns(table: Table, places: np.ndarray) -> Table:
    """Some of the attributes."""
    return Table(
        table.matrix[:, places],
        table.unknown[:, places],
        table.classes,
        tuple(table.attributes[i] for i in places),
    )


def rows(table: Table, places: np.ndarray) -> Table:
    """Some of the classes."""
    return Table(table.matrix[places], table.unknown[places], tuple(table.classes[i] for i in places), table.attributes)


def _folder(folder: pathlib.Path) -> Table:
    if not (folder / SPLITS_FILE).is_file():
        below = sorted(path.parent.name for path in folder.glob(f"*/{SPLITS_FILE}"))
        hint = f"; its folders {', '.join(below)} have one" if below else ""
        raise errors.UserError(f"{folder}: no {SPLITS_FILE} in it{hint}")
    variables = matfile.read(folder / SPLITS_FILE).variables
    for name in ("original_att", "allclasses_names"):
        if name not in variables:
            raise errors.UserError(f"{folder / SPLITS_FILE}: no variable {name!r} among {', '.join(sorted(variables))}")
    values, classes = variables["original_att"], variables["allclasses_names"]
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != len(classes):
        raise errors.UserError(
            f"{folder / SPLITS_FILE}: original_att {np.shape(values)} needs a column for each of {len(classes)} classes"
        )
    unknown = missing.marked(values)
    values = np.where(unknown, 0, values).astype(np.float64)
    matrix = values / 100 if values.max(initial=0) > 1 else values
    named = attribute_files.of_folder(folder, len(values)) or tuple(str(i + 1) for i in range(len(values)))
    return Table(matrix.T, unknown.T, tuple(classes), named)


def _is_unseen(folder: pathlib.Path, classes: tuple[str, ...]) -> np.ndarray:
    if (folder / UNSEEN_FILE).is_file():
        listed = (folder / UNSEEN_FILE).read_text(encoding="utf-8", errors="replace").split()
        for name in listed:
            if name not in classes:
                raise errors.UserError(f"{folder / UNSEEN_FILE}: {name!r} is no class of {SPLITS_FILE}")
        return np.isin(classes, listed)
    if not (folder / FEATURES_FILE).is_file():
        raise errors.UserError(
            f"{folder}: no {UNSEEN_FILE} or {FEATURES_FILE} says which classes are unseen; --classes=all takes all"
        )
    places = np.ravel(matfile.read(folder / SPLITS_FILE).variables.get("test_unseen_loc", np.zeros(0))).astype(np.int64)
    labels = np.ravel(matfile.read(folder / FEATURES_FILE).variables.get("labels", np.zeros(0)))
    if not len(places) or places.min() < 1 or places.max() > len(labels):
        raise errors.UserError(f"{folder}: test_unseen_loc and labels do not say which classes are unseen")
    return np.isin(np.arange(1, len(classes) + 1), labels[places - 1])


def of_csv(path: pathlib.Path) -> Table:
    attributes, classes, matrix = lines(path)
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise errors.UserError(f"{path}: the class {twice[0]!r} is there twice")
    unknown = np.isnan(matrix)
    return Table(np.where(unknown, 0, matrix), unknown, classes, attributes)


def lines(path: pathlib.Path) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Attributes of the header, the first cell of each line, and the other cells as numbers, NaN for an empty one."""
    if path.suffix == ".mat":
        raise errors.UserError(f"{path}: a CSV file or a folder is wanted; its folder is {path.parent}")
    found = list(tables.rows(path))
    if len(found) < 2 or len(found[0][1]) < 2:
        raise errors.UserError(f"{path}: a header with attribute names and one line per class are wanted")
    tables.check_header(path, *found[0])
    attributes = tuple(map(tables.name, found[0][1][1:]))
    classes, values = [], []
    for number, (name, *cells) in found[1:]:
        if len(cells) != len(attributes):
            raise errors.UserError(f"{path}, line {number}: {len(cells)} values for {len(attributes)} attributes")
        classes.append(tables.name(name))
        values.append([_value(cell, path, number) for cell in cells])
    twice = sorted({name for name in attributes if attributes.count(name) > 1})
    if twice:
        raise errors.UserError(f"{path}: the attribute {twice[0]!r} is there twice")
    return attributes, tuple(classes), np.array(values)


def _value(cell: str, path: pathlib.Path, line: int) -> float:
    value = tables.number(cell) if cell else float("nan")
    if value is None:
        raise errors.UserError(f"{path}, line {line}: found {tables.fault(cell)}")
    return value
