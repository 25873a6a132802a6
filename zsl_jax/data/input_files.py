"""Inputs to be scored, from files, a block at a time: a file may be larger than memory.

.npy   an array `[N, ...]`
.npz   the same in an archive: the array `features`, `inputs` or `images`, or the only one
.csv   one row per input, see `tables`; a header, and a first column of names, may be there
"""

import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import arrays, soundness, tables, text_files

_NAMES = ("features", "inputs", "images")
HEADERS = ("auto", "yes", "no")
# What the first column of a CSV file is called where it holds names.
_NAME_COLUMNS = ("", "name", "id", "input", "file", "filename", "path", "image", "index", "class")
# What a cell holds whose value is missing.
_MISSING = ("", "na", "n/a", "#n/a", "null", "none", "nil", "missing", "-", "?", "true", "false", "#value!", "#div/0!")
_BLOCK_BYTES = 2**28


class Block(NamedTuple):
    """Some inputs `[n, ...]` and a name for each of them."""

    names: list[str]
    inputs: np.ndarray


def blocks(
    path: pathlib.Path, *, size: int, header: str = "auto", say: Callable[[str], None] | None = None
) -> Iterator[Block]:
    """Yields the inputs of a file in blocks of `size`, the last one smaller; of large inputs, in smaller ones.

    A name is `FILE:ROW`, rows counted from 0, or what the first column of a CSV file says.

    Args:
      path: of the file.
      size: inputs per block, at most.
      header: whether a CSV file begins with a header: `yes`, `no`, or `auto`, for which its first line must be all
        numbers (no header) or hold none (a header) after its first cell.
      say: called with what the first line was taken for, where `auto` found a header.

    Raises:
      UserError: no such file, or not one of these forms; a value that is no finite number of float32 names its line or
        its row.
    """
    if not path.is_file():
        raise errors.UserError(f"no file {str(path)!r} to predict")
    if header not in HEADERS:
        raise errors.unknown("--header", header, HEADERS)
    readers = {".npy": _npy, ".npz": _npz, ".csv": functools.partial(_csv, header=header, say=say)}
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise errors.unknown(f"form of {path}", suffix or "no suffix", readers)
    return readers[suffix](path, size)


def _npy(path: pathlib.Path, size: int) -> Iterator[Block]:
    with arrays.one_line(path), path.open("rb") as file:
        yield from _array(path, file, path.stat().st_size, size)


def _npz(path: pathlib.Path, size: int) -> Iterator[Block]:
    with arrays.one_line(path), path.open("rb") as file, arrays.archive(path, file) as archive:
        held = arrays.members(path, archive)
        wanted = [name for name in _NAMES if name in held] or (list(held) if len(held) == 1 else [])
        if not wanted:
            raise errors.UserError(
                f"{path} holds {', '.join(held) or 'no array'}: one array is wanted, or one named {', '.join(_NAMES)}"
            )
        member = held[wanted[0]]
        with archive.open(member) as stream:
            yield from _array(path, stream, member.file_size, size)


def _array(path: pathlib.Path, file, num_bytes: int, size: int) -> Iterator[Block]:
    """Reads an array in numpy's format row by row, as it lies in the file."""
    header = arrays.read_header(str(path), file, num_bytes)
    shape = header.shape
    if header.dtype.kind not in "fiub":
        raise errors.UserError(f"{path} holds {header.dtype}, not numbers")
    if len(shape) < 2 or (header.is_fortran and sum(axis > 1 for axis in shape) > 1):
        what = "in Fortran order" if len(shape) > 1 else f"of shape {list(shape)}"
        raise errors.UserError(f"{path} is {what}: an array [N, ...] in C order is wanted (np.ascontiguousarray)")
    row_bytes = header.num_bytes // max(1, shape[0])
    if not row_bytes:
        raise errors.UserError(f"{path} is of shape {list(shape)}: no input, or inputs without a number")
    if row_bytes > _BLOCK_BYTES:
        raise errors.UserError(
            f"{path}: one input takes {row_bytes / 2**20:,.0f} MiB; at most {_BLOCK_BYTES >> 20} MiB are read"
        )
    size = min(size, _BLOCK_BYTES // row_bytes)
    for first in range(0, shape[0], size):
        count = min(size, shape[0] - first)
        data = arrays.take(file, count * row_bytes)
        if len(data) < count * row_bytes:
            raise errors.UserError(f"{path} ends early: {shape[0]} rows were announced")
        rows = data.view(header.dtype).reshape(count, *shape[1:])
        wrong = soundness.not_finite_rows(rows)
        if len(wrong):
            raise errors.UserError(f"{path}, row {first + wrong[0]}: a value is not finite, or beyond float32")
        yield Block([f"{path}:{row}" for row in range(first, first + count)], rows)


def _csv(path: pathlib.Path, size: int, *, header: str, say: Callable[[str], None] | None) -> Iterator[Block]:
    names, rows, width, number = [], [], None, 0
    is_named = None  # as the header says, or else the first input
    by_header = False
    for line, cells in tables.rows(path):
        if width is None:
            width = len(cells)
            if header == "yes" or (header == "auto" and _is_header(path, line, cells)):
                by_header = width > 1 and cells[0].lower() in _NAME_COLUMNS
                is_named = by_header or None
                if say and header == "auto":
                    say(f"{path}: line {line} is a header, no input (--header=no takes it as one)")
                continue
        if len(cells) != width:
            raise errors.UserError(f"{path}, line {line}: {len(cells)} cells, {width} in the first line")
        if is_named is None:
            is_named = width > 1 and tables.number(cells[0]) is None
        if is_named and not by_header and tables.number(cells[0]) is not None:
            raise errors.UserError(f"{path}: some lines start with a name and others do not, as line {line}")
        if is_named and (not cells[0] or (not by_header and _is_no_name(cells[0]))):
            raise errors.UserError(f"{path}, line {line}: found {tables.fault(cells[0])}, and no name either")
        values = [tables.number(cell) for cell in cells[is_named:]]
        if None in values:
            raise errors.UserError(f"{path}, line {line}: found {tables.fault(cells[is_named + values.index(None)])}")
        names.append(tables.name(cells[0]) if is_named else f"{path}:{number}")
        rows.append(values)
        number += 1
        if len(rows) == min(size, max(1, _BLOCK_BYTES // (4 * width))):
            yield Block(names, np.array(rows, np.float32))
            names, rows = [], []
    if not number:
        raise errors.UserError(f"{path}: no input in it")
    if rows:
        yield Block(names, np.array(rows, np.float32))


def _is_header(path: pathlib.Path, line: int, cells: list[str]) -> bool:
    """Whether the first line names columns.

    Raises:
      UserError: it is neither clearly a header nor clearly an input.
    """
    values, counts = cells[1:] or cells, [str(i) for i in range(len(cells))]
    are_numbers = [tables.number(cell) is not None for cell in values]
    if all(are_numbers) and cells != counts:
        return cells[0].lower() in _NAME_COLUMNS and values == counts[:-1]  # as pandas writes an index
    odd = [cell for cell in values if _is_no_name(cell) or cell[0] in "0123456789.+-"]
    if not odd and not any(are_numbers) and tables.number(cells[0]) is None:
        return True
    shown = "its numbers may count columns" if cells == counts else f"as {(odd or cells)[0]!r} in it"
    raise errors.UserError(
        f"{path}, line {line} is not clearly a header and not clearly an input, {shown}: fix it, or say --header=yes "
        "or --header=no"
    )


def _is_no_name(cell: str) -> bool:
    """Whether a cell stands for a number that is missing or oddly written."""
    try:
        float(cell)
    except ValueError:
        return cell.lower() in _MISSING or tables.has_decimal_comma(cell)
    return True


def texts(path: pathlib.Path) -> list[str]:
    """Returns the texts of a file, one per line.

    Raises:
      UserError: no such file, one that is not UTF-8, or a line without text.
    """
    if not path.is_file():
        raise errors.UserError(f"no file {str(path)!r}")
    with text_files.opened(path) as file:
        # Not `splitlines`, for which other characters within a text end a line, too.
        lines = [line.rstrip("\r\n") for line in file]
    empty = [number for number, line in enumerate(lines, 1) if not line.strip()]
    if empty:
        raise errors.UserError(f"{path}, line {empty[0]} is empty: a text per line is wanted")
    return lines
