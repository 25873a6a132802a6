"""Texts of a file, not held in memory: each is read back when it is asked for.

texts = kept(lines)              an iterator, read once
texts[3]                         one of them
texts[10:20]                     `TextRows` again: nothing is read
for text in texts: ...           one after another
"""

import array
import mmap
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from zsl_jax import errors


class TextRows:
    """Takes the place of an array of N texts.

    Args:
      content: their bytes in UTF-8, one after another.
      ends: `[N]`, where each of them ends there.
      rows: `[M]` of them that are meant.
    """

    def __init__(self, content: Any, ends: np.ndarray, rows: np.ndarray):
        self._content, self._ends, self._rows = content, ends, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, (int, np.integer)):
            return TextRows(self._content, self._ends, self._rows[index])
        row = self._rows[index]
        begin = self._ends[row - 1] if row else 0
        return self._content[begin : self._ends[row]].decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


def kept(texts: Iterable[str]) -> TextRows:
    """Returns texts that an iterator yields, kept in a temporary file that ends with the process.

    Raises:
      UserError: the disk is full.
    """
    ends = array.array("q")
    with tempfile.TemporaryFile() as file:
        end = 0
        try:
            for text in texts:
                end += file.write(text.encode())
                ends.append(end)
            file.flush()
        except OSError as error:
            raise errors.UserError(f"cannot keep texts in {tempfile.gettempdir()}: {error.strerror}") from error
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if end else b""
    found = np.frombuffer(ends, np.int64)
    return TextRows(content, found, np.arange(len(found)))
