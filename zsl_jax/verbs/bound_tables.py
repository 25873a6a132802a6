"""Class-attribute tables as the verb `bound` takes them: an xlsa17 folder, or a CSV file; probabilities come out."""

import csv
import pathlib
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import matfile, notes

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
    images of `res101.mat`. Attributes are numbered from 1.

    A file: a header with the names of the attributes after one cell, then a class a line, its name first. An empty cell
    is an unknown value.

    Args:
      path: of the folder or file.
      which: "unseen", "seen", "all", or None for the unseen classes of a folder and all of a file.

    Raises:
      UserError: the table is not there, or is none.
    """
    if which not in (None, "unseen", "seen", "all"):
        raise errors.unknown("choice of --classes", which, ("unseen", "seen", "all"))
    location = pathlib.Path(path).expanduser()
    if location.is_dir():
        table = _folder(location)
        if which != "all":
            is_unseen = _is_unseen(location, table.classes)
            wanted = is_unseen if which in (None, "unseen") else ~is_unseen
            table = _rows(table, np.flatnonzero(wanted))
    elif location.is_file():
        if which in ("unseen", "seen"):
            raise errors.UserError(f"{path}: a CSV file has no seen and unseen classes; leave --classes={which} out")
        table = _csv(location)
    else:
        raise errors.UserError(f"{path}: no such folder or file; a folder with {SPLITS_FILE} or a CSV file is wanted")
    _check(table, path)
    return table


def choose(table: Table, text: str | None) -> Table:
    """The table with some of the attributes: the first N, or those of the names in a list."""
    if text is None:
        return table
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) == 1 and names[0].isdecimal():
        count = int(names[0])
        if not 1 <= count <= len(table.attributes):
            raise errors.UserError(f"--attributes={text}: the table has {len(table.attributes)} attributes")
        columns = np.arange(count)
    else:
        column = {name: i for i, name in enumerate(table.attributes)}
        for name in names:
            if name not in column:
                raise errors.unknown("attribute", name, table.attributes)
        if not names or len(set(names)) < len(names):
            raise errors.UserError(f"--attributes={text}: a number, or a list of different names, is wanted")
        columns = np.array([column[name] for name in names])
    return Table(
        table.matrix[:, columns],
        table.unknown[:, columns],
        table.classes,
        tuple(table.attributes[i] for i in columns),
    )


def read_error_rates(text: str, table: Table) -> np.ndarray:
    """Error rates `[C, A]` from a number, or from a CSV file with the classes and attributes of the table."""
    try:
        rate = float(text)
    except ValueError:
        return _rates_of_file(text, table)
    if not 0 <= rate <= 1:
        raise errors.UserError(f"--error_rate={text}: a rate in [0, 1] is wanted")
    return np.full(table.matrix.shape, rate)


def _rates_of_file(path: str, table: Table) -> np.ndarray:
    location = pathlib.Path(path).expanduser()
    if not location.is_file():
        raise errors.UserError(f"--error_rate={path}: neither a number nor a CSV file")
    rates = _csv(location)
    for kind, wanted, held in (
        ("attribute", table.attributes, rates.attributes),
        ("class", table.classes, rates.classes),
    ):
        for name in wanted:
            if name not in held:
                raise errors.UserError(f"{path}: no {kind} {name!r} in it")
    rows = [rates.classes.index(name) for name in table.classes]
    columns = [rates.attributes.index(name) for name in table.attributes]
    found = np.where(rates.unknown, 1.0, rates.matrix)[np.ix_(rows, columns)]
    wrong = np.argwhere(~((found >= 0) & (found <= 1)))
    if len(wrong):
        row, column = wrong[0]
        raise errors.UserError(
            f"{path}: the error rate of {table.attributes[column]!r} for {table.classes[row]!r} is "
            f"{found[row, column]:g}; it must be in [0, 1]"
        )
    return found


def _folder(folder: pathlib.Path) -> Table:
    variables = matfile.read(folder / SPLITS_FILE)
    for name in ("original_att", "allclasses_names"):
        if name not in variables:
            raise errors.UserError(f"{folder / SPLITS_FILE}: no variable {name!r} among {', '.join(sorted(variables))}")
    values, classes = variables["original_att"], variables["allclasses_names"]
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != len(classes):
        raise errors.UserError(
            f"{folder / SPLITS_FILE}: original_att {np.shape(values)} needs a column for each of {len(classes)} classes"
        )
    unknown = notes.missing(values)
    values = np.where(unknown, 0, values).astype(np.float64)
    matrix = values / 100 if values.max(initial=0) > 1 else values
    return Table(matrix.T, unknown.T, tuple(classes), tuple(str(i + 1) for i in range(len(values))))


def _is_unseen(folder: pathlib.Path, classes: tuple[str, ...]) -> np.ndarray:
    if (folder / UNSEEN_FILE).is_file():
        listed = (folder / UNSEEN_FILE).read_text(errors="replace").split()
        for name in listed:
            if name not in classes:
                raise errors.UserError(f"{folder / UNSEEN_FILE}: {name!r} is no class of {SPLITS_FILE}")
        return np.isin(classes, listed)
    if not (folder / FEATURES_FILE).is_file():
        raise errors.UserError(
            f"{folder}: no {UNSEEN_FILE} or {FEATURES_FILE} says which classes are unseen; --classes=all takes all"
        )
    places = np.ravel(matfile.read(folder / SPLITS_FILE).get("test_unseen_loc", np.zeros(0))).astype(np.int64)
    labels = np.ravel(matfile.read(folder / FEATURES_FILE).get("labels", np.zeros(0)))
    if not len(places) or places.min() < 1 or places.max() > len(labels):
        raise errors.UserError(f"{folder}: test_unseen_loc and labels do not say which classes are unseen")
    return np.isin(np.arange(1, len(classes) + 1), labels[places - 1])


def _csv(path: pathlib.Path) -> Table:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = [
            (number, line) for number, line in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in line)
        ]
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise errors.UserError(f"{path}: a header with attribute names and a line a class are wanted")
    attributes = tuple(cell.strip() for cell in lines[0][1][1:])
    classes, rows = [], []
    for number, (name, *cells) in lines[1:]:
        if len(cells) != len(attributes):
            raise errors.UserError(f"{path}, line {number}: {len(cells)} values for {len(attributes)} attributes")
        classes.append(name.strip())
        rows.append([_value(cell, path, number) for cell in cells])
    for kind, names in (("attribute", attributes), ("class", classes)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise errors.UserError(f"{path}: the {kind} {twice[0]!r} is there twice")
    matrix = np.array(rows)
    unknown = np.isnan(matrix)
    return Table(np.where(unknown, 0, matrix), unknown, tuple(classes), attributes)


def _value(cell: str, path: pathlib.Path, number: int) -> float:
    if not cell.strip():
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise errors.UserError(f"{path}, line {number}: {cell.strip()!r} is no number")
    return value


def _rows(table: Table, rows: np.ndarray) -> Table:
    return Table(table.matrix[rows], table.unknown[rows], tuple(table.classes[i] for i in rows), table.attributes)


def _check(table: Table, path: str) -> None:
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
