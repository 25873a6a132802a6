"""MATLAB files read in a child process: a file that is damaged, or made to crash its reader, costs one line.

A small uncompressed file of deeply nested cells is enough to end the interpreter in scipy's reader with a segmentation
fault, which no `except` catches.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import BinaryIO, NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import arrays

_CHILD = pathlib.Path(__file__).with_name("matfile_child.py")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Compressed features are 2 to 20 times smaller than what they become, and the reader holds two copies for a while.
_MOST_BYTES, _MOST_EXPANSION = 2**30, 50


class Contents(NamedTuple):
    """The variables of a file by name, and of those that are left out what they are."""

    variables: dict[str, np.ndarray | list[str]]
    left_out: dict[str, str]


def read(path: str | os.PathLike, *, timeout: float = 600.0) -> Contents:
    """What a .mat file (version 4 to 7.2) holds, by name.

    Args:
      path: the file.
      timeout: seconds after which reading counts as hanging.

    Returns:
      Numeric variables as arrays in native byte order, of the shape and dtype that the file gives them; text and cells
      of text as lists of strings. Variables of other kinds (structs, sparse matrices, nested cells) are left out by
      name.

    Raises:
      UserError: one line that names the file, if it is missing, truncated, corrupt, in another format, if it crashes
        its reader, takes longer than `timeout` or more memory than a file of its size should.

    >>> import numpy as np, scipy.io, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = np.array(["ox", "gnu"], object)
    ...     scipy.io.savemat(f"{folder}/a.mat", {"labels": np.array([[1], [2]]), "names": names})
    ...     variables = read(f"{folder}/a.mat").variables
    >>> variables["names"], variables["labels"].shape
    (['ox', 'gnu'], (2, 1))
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise errors.UserError(f"{path}: no such file")
    with path.open("rb") as file:
        if _HDF5 in (file.read(8), file.seek(512) and file.read(8)):
            raise errors.UserError(f"{path}: {_explain('HDF')}")
    most_bytes = min(_MOST_BYTES + _MOST_EXPANSION * path.stat().st_size, arrays.memory())
    command = [sys.executable, "-I", str(_CHILD), str(path), str(most_bytes)]
    streams = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
        "pipesize": 1 << 20,
    }
    hung = threading.Event()
    with subprocess.Popen(command, **streams) as child:

        def give_up() -> None:
            hung.set()
            child.kill()

        timer = threading.Timer(timeout, give_up)
        timer.start()
        try:
            header, variables = _receive(child.stdout)
            child.wait()
        except BaseException:
            child.kill()
            raise
        finally:
            timer.cancel()
    if hung.is_set():
        raise errors.UserError(f"{path}: reading took more than {timeout:g} s, as a damaged file can: get it again")
    if "error" in header:
        raise errors.UserError(f"{path}: {_explain(header['error'])}")
    if variables is None:
        raise errors.UserError(f"{path}: damaged: its reader died ({_cause(child.returncode)}); get the file again")
    return Contents(variables, header.get("left_out", {}))


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise errors.UserError(f"{path}: cannot be read ({error.strerror})") from error


def _receive(stream: BinaryIO) -> tuple[dict, dict[str, np.ndarray | list[str]] | None]:
    """The child's header and its variables; None for variables that did not arrive whole."""
    try:
        header = json.loads(stream.readline())
    except ValueError:
        return {}, None
    variables = {}
    for entry in header.get("variables", ()):
        if "strings" in entry:
            variables[entry["name"]] = entry["strings"]
            continue
        shape = entry["shape"][::-1] if entry["fortran"] else entry["shape"]
        array = np.empty(shape, np.dtype(entry["dtype"]))
        if array.size and not _fill(stream, memoryview(array).cast("B")):
            return header, None
        variables[entry["name"]] = array.T if entry["fortran"] else array
    return header, variables


def _fill(stream: BinaryIO, buffer: memoryview) -> bool:
    """Reads the whole buffer from the stream; False where the stream ends before."""
    while len(buffer):
        count = stream.readinto(buffer)
        if not count:
            return False
        buffer = buffer[count:]
    return True


def _explain(error: str) -> str:
    if "HDF" in error:
        return "a MATLAB 7.3 (HDF5) file; save it as version 7 (save -v7, or scipy.io.savemat)"
    if error.startswith("MemoryError"):
        return (
            "it announces more than a file of its size holds; truncated, corrupt or made to fill memory: get it again"
        )
    return f"not a readable .mat file ({error}); truncated or corrupt: get it again"


def _cause(returncode: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-returncode).name
    return f"exit status {returncode}"
