"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields another name to write to, with the same ending, which takes the place of `path` in the end.

    Where anything is raised, what was at `path` is as it was, and nothing stays behind. A link stays and leads to
    the new file; a device or a pipe, whose place nothing can take, is written to as it is.

    Raises:
      OSError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield part
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
