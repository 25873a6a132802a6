"""JSON files that the program wrote: read back whole, or refused in one line."""

import hashlib
import json
import os
import pathlib
from typing import Any

from zsl_jax import errors, whole_files

MOST_BYTES = 2**30


def read(path: str | os.PathLike, remedy: str) -> dict[str, Any]:
    """The object in a file.

    Args:
      path: of the file.
      remedy: what to do where it is damaged, as the end of a sentence.

    Raises:
      UserError: it cannot be read, or it is no JSON object: not text, cut off, nested beyond sense, with NaN in it.
    """
    path = pathlib.Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        found = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_refuse)
        if not isinstance(found, dict):
            raise ValueError("no object")
    except OSError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise errors.UserError(f"{path} is damaged: {remedy}") from error
    return found


def write(path: pathlib.Path, value: dict[str, Any]) -> None:
    """Writes a whole file or none; its temporary file does not stay behind.

    Raises:
      OSError: it cannot be written.
    """
    with whole_files.replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=1, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def sha256(value: Any) -> str:
    """Of a value as JSON, whatever the order of its keys.

    >>> sha256({"a": 1, "b": 2}) == sha256({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _refuse(word: str) -> None:
    raise ValueError(word)
