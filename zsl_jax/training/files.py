"""Writing to disk so that a reader finds the old file or the new one, never half of one."""

import hashlib
import json
import os
import pathlib
from typing import Any


def write_json(path: pathlib.Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a whole file under another name, then moves it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JsonLines:
    """A log of one JSON object a line; opening it again drops the lines that `keep` refuses (of steps to be redone)."""

    def __init__(self, path: pathlib.Path, keep=lambda entry: True):
        lines = []
        if path.exists():
            for line in path.read_text().splitlines():
                entry = _parse(line)
                if entry is not None and keep(entry):
                    lines.append(json.dumps(entry))
        write_text(path, "".join(f"{line}\n" for line in lines))
        self._path = path

    def append(self, entry: dict) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def _parse(line: str) -> dict | None:
    """The entry of a line, or None for a last line that a killed run left unfinished."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None
