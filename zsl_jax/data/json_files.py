"""JSON files that the program wrote: read back whole, or refused in one line."""

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

from zsl_jax import errors, whole_files

MOST_BYTES = 2**30
SEAL = "sha256"
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read(path: str | os.PathLike, remedy: str) -> dict[str, Any]:
    """The object in a file.

    Args:
      path: of the file.
      remedy: what to do where it is damaged, as the end of a sentence.

    Raises:
      UserError: it cannot be read, or it is no JSON object: not text, cut off, nested beyond sense, with NaN in it.
    """
    return _parsed(path, remedy, _object)


def read_lines(path: str | os.PathLike, remedy: str) -> list[dict[str, Any]]:
    """The objects in a file with one per line; `read` says what is refused."""
    return _parsed(path, remedy, lambda text: [_object(line) for line in text.splitlines()])


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


def sealed(value: dict[str, Any], of: Any = None) -> dict[str, Any]:
    """Returns a value with the hash of its content, and of what it belongs to, which is not kept.

    >>> sorted(sealed({"a": 1}))
    ['a', 'sha256']
    """
    bare = _without_seal(value)
    return {**bare, SEAL: sha256(json.loads(json.dumps([bare, of])))}


def unsealed(found: dict[str, Any], where: str | os.PathLike, remedy: str, of: Any = None) -> dict[str, Any]:
    """Returns what `sealed` was given; a value of an older version, without a seal, is taken as it is.

    Raises:
      UserError: it was changed, or belongs to something else.
    """
    if SEAL in found and found != sealed(found, of):
        other = "" if of is None else ", or is of another run"
        raise errors.UserError(f"{where} was changed since it was written{other}: {remedy}")
    return _without_seal(found)


def _without_seal(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != SEAL}


def _parsed(path: str | os.PathLike, remedy: str, parse: Callable[[str], Any]) -> Any:
    path = pathlib.Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        return parse(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise errors.UserError(f"{path} is damaged ({error}): {remedy}") from error


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError("no object")
    if _HALF.search(text):
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text, and cannot be written
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
