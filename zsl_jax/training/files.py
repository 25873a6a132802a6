"""Writing to disk so that a reader finds the old file or the new one, never half of one."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np

from zsl_jax import errors, whole_files


def write_json(path: pathlib.Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a whole file, or leaves the old one."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_arrays(path: pathlib.Path, arrays: dict[str, Any]) -> None:
    """Writes arrays by name as a whole `.npz` file; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields another name to write to, which takes the place of `path` in the end, or leaves nothing behind.

    Raises:
      UserError: the disk is full, or the folder is gone or cannot be written.
    """
    try:
        with whole_files.replacing(path) as part:
            yield part
    except OSError as error:
        raise errors.UserError(
            f"cannot write {path}: {error.strerror or error}; what was there is as it was"
        ) from error


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Holds a folder for one run; the lock dies with the process, however that ends.

    Raises:
      UserError: a run that lives holds the folder; the message says which.
    """
    try:
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise errors.UserError(f"cannot write to --workdir={folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 200).decode(errors="replace") or "another process"
            raise errors.UserError(
                f"{folder} is in use by {holder}: wait for it, stop it, or choose another --workdir"
            ) from None
        # Where the disk is full, others hear of "another process".
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.write(lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(lock)


def sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
