"""Inputs to be scored, from files, a block at a time: a file may be larger than memory.

.npy   an array `[N, ...]`
.npz   the same in an archive: the array `features`, `inputs` or `images`, or the only one
.csv   a row an input; a header, and a first column of names, may be there
"""

import csv
import math
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from zsl_jax import errors

_NAMES = ("features", "inputs", "images")


class Block(NamedTuple):
    """Some inputs `[n, ...]` and a name for each of them."""

    names: list[str]
    inputs: np.ndarray


def blocks(path: pathlib.Path, *, size: int) -> Iterator[Block]:
    """Yields the inputs of a file in blocks of `size`, the last one smaller.

    A name is `FILE:ROW`, rows counted from 0, or what the first column of a CSV file says.

    Raises:
      UserError: no such file, or not one of these forms; a value that is no number names its line.
    """
    if not path.is_file():
        raise errors.UserError(f"no file {str(path)!r} to predict")
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise errors.unknown(f"form of {path}", suffix or "no suffix", READERS)
    return READERS[suffix](path, size)


def _npy(path: pathlib.Path, size: int) -> Iterator[Block]:
    with path.open("rb") as file:
        yield from _array(path, file, size)


def _npz(path: pathlib.Path, size: int) -> Iterator[Block]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise errors.UserError(f"{path} is no .npz archive") from error
    with archive:
        held = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        wanted = [name for name in _NAMES if name in held] or (held if len(held) == 1 else [])
        if not wanted:
            raise errors.UserError(
                f"{path} holds {', '.join(held) or 'no array'}: one array is wanted, or one named {', '.join(_NAMES)}"
            )
        with archive.open(f"{wanted[0]}.npy") as file:
            yield from _array(path, file, size)


def _array(path: pathlib.Path, file, size: int) -> Iterator[Block]:
    """Reads an array in numpy's format row by row, as it lies in the file."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
        shape, is_fortran, dtype = read(file)
    except ValueError as error:
        raise errors.UserError(f"{path} is no array in numpy's format") from error
    if dtype.hasobject or dtype.kind not in "fiub":
        raise errors.UserError(f"{path} holds {dtype}, not numbers")
    if len(shape) < 2 or (is_fortran and len(shape) > 1 and 1 not in shape):
        what = "in Fortran order" if len(shape) > 1 else f"of shape {list(shape)}"
        raise errors.UserError(f"{path} is {what}: an array [N, ...] in C order is wanted (np.ascontiguousarray)")
    row_bytes = dtype.itemsize * math.prod(shape[1:])
    for first in range(0, shape[0], size):
        count = min(size, shape[0] - first)
        data = file.read(count * row_bytes)
        if len(data) < count * row_bytes:
            raise errors.UserError(f"{path} ends early: {shape[0]} rows were announced")
        rows = np.frombuffer(data, dtype).reshape(count, *shape[1:])
        bad = np.flatnonzero(~np.isfinite(rows.reshape(count, -1)).all(axis=1))
        if len(bad):
            raise errors.UserError(f"{path}, row {first + bad[0]}: a value is not finite")
        yield Block([f"{path}:{row}" for row in range(first, first + count)], rows)


def _csv(path: pathlib.Path, size: int) -> Iterator[Block]:
    names, rows, width, number = [], [], None, 0
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if width is None:
                width = len(cells)
                if _value(cells[-1]) is None:
                    continue  # a header
            if len(cells) != width:
                raise errors.UserError(f"{path}, line {reader.line_num}: {len(cells)} cells, {width} in the first line")
            is_named = _value(cells[0]) is None
            values = [_value(cell) for cell in cells[is_named:]]
            if None in values:
                cell = cells[is_named + values.index(None)]
                raise errors.UserError(f"{path}, line {reader.line_num}: {cell.strip()!r} is no number")
            names.append(cells[0].strip() if is_named else f"{path}:{number}")
            rows.append(values)
            number += 1
            if len(rows) == size:
                yield Block(names, _stacked(path, rows))
                names, rows = [], []
    if rows:
        yield Block(names, _stacked(path, rows))


def _stacked(path: pathlib.Path, rows: list[list[float]]) -> np.ndarray:
    if len({len(row) for row in rows}) > 1:
        raise errors.UserError(f"{path}: some lines start with a name and others do not")
    return np.array(rows, np.float32)


def _value(cell: str) -> float | None:
    """The finite number in a cell, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


READERS: dict[str, Callable[[pathlib.Path, int], Iterator[Block]]] = {".npy": _npy, ".npz": _npz, ".csv": _csv}
