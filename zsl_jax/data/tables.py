"""Text tables as people and spreadsheets save them: every line of a file with its cells, or one line that says why not.

    for line, cells in tables.rows(path): ...       line counts from 1; cells are stripped; empty lines are left out

Read: UTF-8 with or without a byte order mark; cells separated by commas, semicolons or tabs; any ends of lines.
Refused by name: other encodings, quotes that are not closed, quoted cells over several lines, cells beyond csv's limit.
"""

import codecs
import csv
import itertools
import pathlib
import re
import unicodedata
from collections.abc import Container, Iterator

import numpy as np

from zsl_jax import errors

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
MOST_BYTES = 2**26  # of a line
_LARGEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def rows(path: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each line that is not empty, and its cells without spaces around them.

    Raises:
      UserError: the file cannot be read or is not such a table; the message has the line.
    """
    lines = _lines(path)
    begin = list(itertools.islice(lines, 100))
    separator = _separator(path, begin)
    reader = csv.reader(itertools.chain(begin, lines), delimiter=separator, strict=True)
    line = 0
    try:
        for cells in reader:
            check_one_line(path, line, reader.line_num)
            line = reader.line_num
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
    except csv.Error as error:
        says = str(error)
        if "field limit" in says:
            limit = csv.field_size_limit()
            says = f"a cell of more than {limit:,} characters, or a quote that is not closed"
        elif "unexpected end" in says:
            says = "a quote is not closed"
        raise errors.UserError(f"{path}, line {line + 1}: {says}") from error


def check_one_line(path: pathlib.Path, before: int, line: int) -> None:
    """Raises a UserError where a record, which ends in a line, begins in another than the one after the last."""
    if line > before + 1:
        raise errors.UserError(
            f"{path}: a quoted cell runs from line {before + 1} to line {line}; a quote is not closed"
        )


def check_header(path: pathlib.Path, line: int, cells: list[str]) -> None:
    """Raises a UserError where the first line of a table of classes describes one, and names no columns."""
    numbers = [cell for cell in cells[1:] if number(cell) is not None]
    if numbers and cells[0].lower() not in ("class", ""):
        raise errors.UserError(
            f"{path}, line {line}: no header, {numbers[0]!r} is a number; the first line must name the columns: class, "
            "then the attributes"
        )


def check_no_row(path: pathlib.Path, header: list[str], names: Container[str]) -> None:
    """Raises a UserError where a header has a name that other lines have, too: it is a line as they are."""
    known = next((cell for cell in map(name, header) if cell in names), None)
    if known is not None:
        raise errors.UserError(f"{path}: no header, {known!r} of its first line is in others, too; name the columns")


def number(cell: str) -> float | None:
    """The number in a cell, or None where it is not one of plain decimal digits that float32 can hold.

    >>> number("-1.5e3"), number("1_0"), number("nan"), number("1e39")
    (-1500.0, None, None, None)
    """
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if abs(value) <= _LARGEST else None


def fault(cell: str) -> str:
    """Why a cell is no number.

    >>> fault("0,5"), fault("yes")
    ("'0,5', with a decimal comma; write 0.5", "'yes', not a number")
    """
    shown = repr(cell if len(cell) <= 40 else f"{cell[:40]}...")
    if has_decimal_comma(cell):
        return f"{shown}, with a decimal comma; write {cell.replace(',', '.')}"
    if _NUMBER.fullmatch(cell):
        return f"{shown}, beyond float32"
    if len(cell.split()) > 1 and all(map(_NUMBER.fullmatch, cell.split())):
        return f"{shown}; cells are separated by commas, semicolons or tabs, not by spaces"
    return f"{shown}, not a number"


def has_decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a comma in place of the point."""
    return bool(_DECIMAL_COMMA.fullmatch(cell))


def name(text: str) -> str:
    """A name in the composed Unicode form (NFC), in which equal names are equal strings, without blanks around it.

    >>> name(" e\u0301el") == "\u00e9el"
    True
    """
    return unicodedata.normalize("NFC", text.strip())


def _lines(path: pathlib.Path) -> Iterator[str]:
    """The lines of a UTF-8 file; a carriage return alone ends one too."""
    count = 0
    try:
        with path.open("rb") as file:
            while data := file.readline(MOST_BYTES + 1):
                if not count:
                    for mark, encoding in _ENCODINGS.items():
                        if data.startswith(mark):
                            raise errors.UserError(f"{path} is {encoding}; save it as UTF-8")
                    data = data.removeprefix(codecs.BOM_UTF8)
                if len(data) > MOST_BYTES:
                    raise errors.UserError(f"{path}, line {count + 1}: longer than {MOST_BYTES >> 20} MiB")
                if b"\0" in data:
                    raise errors.UserError(
                        f"{path}, line {count + 1}: a zero byte, so no text in UTF-8; save it as UTF-8"
                    )
                try:
                    text = data.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise errors.UserError(
                        f"{path}, line {count + 1}: byte 0x{data[error.start]:02x} is not UTF-8, of Latin-1 or another "
                        "encoding perhaps; save it as UTF-8"
                    ) from error
                parts = re.split(r"(?<=\r)(?!\n)", text)
                count += len(parts)
                yield from filter(None, parts)
    except OSError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error


def _separator(path: pathlib.Path, lines: list[str]) -> str:
    """The sign that cuts the first two lines into equally many cells."""
    found = {sign: first for sign in SEPARATORS if len((first := _first(lines, sign))[0]) > 1}
    equal = [sign for sign, records in found.items() if len(records[0]) == len(records[-1])]
    if len(equal) > 1:
        equal = [sign for sign in equal if all(number(cell) is not None for cell in found[sign][-1][1:])]
        if len(equal) != 1:
            signs = " and ".join(SEPARATORS[sign] for sign in found)
            raise errors.UserError(
                f"{path}: {signs} could each separate its cells; write decimals with a point and quote names that "
                "hold such a sign"
            )
    return next(iter(equal or found), ",")


def _first(lines: list[str], separator: str) -> list[list[str]]:
    """The first two records that are not empty, fewer where there are no more; `[[]]` where there is none."""
    records = []
    try:
        for cells in csv.reader(lines, delimiter=separator, strict=True):
            if any(map(str.strip, cells)):
                records.append([cell.strip() for cell in cells])
            if len(records) == 2:
                break
    except csv.Error:
        pass  # what is wrong is said when the line is read
    return records or [[]]
