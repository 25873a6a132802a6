"""Files of texts, read a line at a time: their encoding, tables with a header, and texts that need no label.

.txt                    one text per line
.csv, .tsv              a header with a column text; others do not matter
.jsonl, .ndjson         {"text": "..."} per line
.json                   {name: [text, ...]}, see `sentences.load_texts`
.npz                    WordNet: what each noun is called, and its gloss
"""

import codecs
import contextlib
import csv
import json
import os
import pathlib
from collections.abc import Iterator
from typing import TextIO

from zsl_jax import errors
from zsl_jax.class_encoders import sentences, wordnet

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".npz")
# The longer ones first: one begins as another does.
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[TextIO]:
    """Gives a file in UTF-8, with or without a byte order mark, with ends of lines as they are.

    Raises:
      UserError: it cannot be read, or is in another encoding.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise errors.UserError(f"{path} is not in UTF-8 {_fault(path)}: save it as UTF-8") from error


def table(path: pathlib.Path, file: TextIO) -> Iterator[list[str]]:
    """Yields the header, in lower case without blanks around its cells, then the cells of each row that is not empty.

    Cells are separated by the one of comma, semicolon and tab that the first line has most of.

    Raises:
      UserError: a column that is there twice, a row of another length, or quotes that are not closed.
    """
    first = file.readline()
    file.seek(0)
    rows = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if twice is not None:
            raise errors.UserError(f"{path}: the column {twice!r} is there twice")
        yield header
        for cells in rows:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise errors.UserError(
                    f"{path}, line {rows.line_num}: {len(cells)} cells, the header has {len(header)}"
                )
            yield cells
    except csv.Error as error:
        raise errors.UserError(f"{path}, line {rows.line_num}: {error}") from error


def read(path: str | os.PathLike) -> Iterator[str]:
    """Yields the texts of a file; lines without a word are texts, too.

    Raises:
      UserError: no such file, one of another kind, or a row without a text.
    """
    path = pathlib.Path(path).expanduser()
    if path.suffix not in SUFFIXES:
        raise errors.UserError(f"{path} is no file of texts by its name: {', '.join(SUFFIXES)} are wanted")
    if not path.is_file():
        raise errors.UserError(f"no file of texts {str(path)!r}")
    if path.suffix == ".npz":
        yield from wordnet.load_articles(path)
    elif path.suffix == ".json":
        yield from (text for texts in sentences.load_texts(path).values() for text in texts)
    else:
        with opened(path) as file:
            if path.suffix == ".txt":
                yield from file
            elif path.suffix in (".csv", ".tsv"):
                yield from _column(path, file)
            else:
                yield from _objects(path, file)


def _column(path: pathlib.Path, file: TextIO) -> Iterator[str]:
    rows = table(path, file)
    header = next(rows)
    if "text" not in header:
        raise errors.UserError(f"{path}: a header with text is wanted, not {', '.join(header)[:80]!r}")
    at = header.index("text")
    yield from (cells[at] for cells in rows)


def _objects(path: pathlib.Path, file: TextIO) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
            if not isinstance(text, str):
                raise TypeError("no text")
            text.encode()  # half a character is none
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise errors.UserError(
                f"{path}, line {number}: an object with text is wanted, not {line.strip()[:40]!r}"
            ) from error
        yield text


def _fault(path: pathlib.Path) -> str:
    """Where the bytes of a file are no UTF-8, and what they may be."""
    content = path.read_bytes()
    begins = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"(byte {error.start}), {f'by its first bytes {begins}' if begins else 'perhaps Latin-1'}"
    return "(it changed while it was read)"
