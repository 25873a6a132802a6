"""Class tables as CSV files, one class a line: what a person edits in a spreadsheet to describe a new class.

class,seen,striped,hooves        the column `seen` is optional, and so are empty lines
horse,true,0,1
zebra,false,1,1

In place of `seen` a column `split` may say `train`, `validation` or `test`; the classes of `test` are the unseen ones.
"""

import csv
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset

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
    named = source.info.get("attributes")
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
      UserError: no such file, a column or value that is missing or no number, or a class that is there twice.
    """
    if not path.is_file():
        raise errors.UserError(f"no class table {str(path)!r}: a CSV file with a class a line is wanted")
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(map(str.strip, line))]
    if len(lines) < 2 or len(lines[0][1]) < 2:
        raise errors.UserError(f"{path}: a header (class, then the attributes) and a line a class are wanted")
    header = lines[0][1]
    column = header[1].lower()
    says_seen = column in _FLAGS
    first = 2 if says_seen else 1
    found = header[first:]
    order = _order(path, found, found if attributes is None else attributes)
    names, flags, rows = [], [], []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise errors.UserError(f"{path}, line {number}: {len(cells)} cells, where the header has {len(header)}")
        if cells[0] in names:
            raise errors.UserError(f"{path}, line {number}: the class {cells[0]!r} is there twice")
        names.append(cells[0])
        flags.append(_flag(path, number, column, cells[1]) if says_seen else False)
        rows.append([_number(path, number, header[first + i], cells[first + i]) for i in order])
    table = dataset.ClassTable(np.array(rows, np.float32), np.array(flags), tuple(names))
    splits = tuple(cells[1].lower() for _, cells in lines[1:]) if column == "split" else None
    return Described(table, tuple(found[i] for i in order), says_seen, splits)


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
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise errors.UserError(f"{path}, line {line}: {attribute} is {cell!r}, not a number")
    return value


def _shortest(value) -> str:
    """The shortest decimal that is this float32."""
    return np.format_float_positional(np.float32(value), unique=True, trim="-")
