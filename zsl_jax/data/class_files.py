"""Class tables as CSV files, one class per line: what a person edits in a spreadsheet to describe a new class.

class,seen,striped,hooves        the column `seen` is optional, and so are empty lines; what is read is in `tables`
horse,true,0,1
zebra,false,1,1

In place of `seen` a column `split` may say `train`, `validation` or `test`; the classes of `test` are the unseen ones.
"""

import csv
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, tables

# The words in the columns `seen` and `split`, and whether a class with that word is seen.
_FLAGS = {
    "seen": {"true": True, "false": False},
    "split": {"train": True, "validation": True, "test": False},
}


class Described(NamedTuple):
    """The class table of a file, the names of its columns `[A]`, and whether the file says which classes are seen.

    `splits` are the words of the column `split`, if there is one.
    """

    classes: dataset.ClassTable
    attributes: tuple[str, ...]
    says_seen: bool
    splits: tuple[str, ...] | None = None


def attribute_names(source: dataset.Dataset) -> tuple[str, ...]:
    """The names of a dataset's attributes, or `attribute 1`, `attribute 2`, ... where its files have none."""
    named = source.info.get("attribute_names", source.info.get("attributes"))
    if isinstance(named, (list, tuple)):
        return tuple(named)
    return tuple(f"attribute {i + 1}" for i in range(np.shape(source.classes.embedding)[-1]))


def write(path: pathlib.Path, classes: dataset.ClassTable, attributes: Sequence[str]) -> None:
    """Writes a class table; float32 values read back to the same bits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class", "seen", *attributes])
        for name, seen, row in zip(classes.names, classes.is_seen, np.asarray(classes.embedding)):
            writer.writerow([name, str(bool(seen)).lower(), *(_shortest(value) for value in row)])


def read(path: pathlib.Path, attributes: Sequence[str] | None = None) -> Described:
    """Reads a class table.

    Args:
      path: of the CSV file.
      attributes: the columns that are wanted, in this order; None takes those of the file. They may stand in the file
        in any order, but all of them and no others must be there.

    Returns:
      The table, `embedding [C, A]` float32; all classes are unseen where the file does not say.

    Raises:
      UserError: no such file, no header, a column or value that is missing or no number, or a class that is there
        twice.
    """
    if not path.is_file():
        raise errors.UserError(f"no class table {str(path)!r}: a CSV file with one class per line is wanted")
    lines = list(tables.rows(path))
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise errors.UserError(f"{path}: a header (class, then the attributes) and one line per class are wanted")
    header, column = _header(path, *lines[0])
    columns = [i for i in range(1, len(header)) if i != column]
    found = [header[i] for i in columns]
    order = [
        columns[i] for i in _order(path, found, found if attributes is None else list(map(tables.name, attributes)))
    ]
    word = None if column is None else header[column].lower()
    names, flags, rows = {}, [], []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise errors.UserError(f"{path}, line {number}: {len(cells)} cells, where the header has {len(header)}")
        name = tables.name(cells[0])
        if not name or name in names:
            says = f"the class {name!r} is there twice" if name else "a class without a name"
            raise errors.UserError(f"{path}, line {number}: {says}")
        names[name] = None if column is None else cells[column].lower()
        flags.append(False if column is None else _flag(path, number, word, cells[column]))
        rows.append([_number(path, number, header[i], cells[i]) for i in order])
    table = dataset.ClassTable(np.array(rows, np.float32), np.array(flags), tuple(names))
    splits = tuple(names.values()) if word == "split" else None
    return Described(table, tuple(header[i] for i in order), column is not None, splits)


def _header(path: pathlib.Path, line: int, cells: list[str]) -> tuple[list[str], int | None]:
    """The names of the columns, and which of them says whether a class is seen."""
    header = list(map(tables.name, cells))
    flags = [i for i, name in enumerate(header) if i and name.lower() in _FLAGS]
    tables.check_header(path, line, header)
    if len(header) == 1 + len(flags):
        raise errors.UserError(f"{path}, line {line}: no attribute; a class is known by what describes it")
    if "" in header[1:]:
        raise errors.UserError(f"{path}, line {line}: column {header.index('', 1) + 1} has no name")
    return header, flags[0] if flags else None


def _order(path: pathlib.Path, found: Sequence[str], wanted: Sequence[str]) -> list[int]:
    twice = sorted({name for name in found if list(found).count(name) > 1})
    if twice:
        raise errors.UserError(f"{path}: the attribute {twice[0]!r} is there twice")
    left_over = [name for name in found if name not in set(wanted)]
    if left_over:
        raise errors.unknown(f"attribute in {path}", left_over[0], wanted)
    missing = [name for name in wanted if name not in set(found)]
    if missing:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise errors.UserError(f"{path}: no column for the attribute {missing[0]!r}{more}")
    return [list(found).index(name) for name in wanted]


def _flag(path: pathlib.Path, line: int, column: str, cell: str) -> bool:
    words = _FLAGS[column]
    if cell.lower() not in words:
        raise errors.UserError(f"{path}, line {line}: {column} is {cell!r}, not {' or '.join(words)}")
    return words[cell.lower()]


def _number(path: pathlib.Path, line: int, attribute: str, cell: str) -> float:
    value = tables.number(cell)
    if value is None:
        raise errors.UserError(f"{path}, line {line}: {attribute} is {tables.fault(cell)}")
    return value


def _shortest(value) -> str:
    """The shortest decimal that is this float32."""
    return np.format_float_positional(np.float32(value), unique=True, trim="-")
