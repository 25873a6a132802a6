"""NumPy files of unknown origin: what a header announces is compared with the file before memory is taken for it.

    content = arrays.read(path)                     all arrays of an .npz, and the sha256 of the file
    header = arrays.read_header(where, file, num_bytes)    of one array, which the caller reads a part at a time

Whatever is wrong with a file becomes one line. The checksums of a .npz find every changed number; a .npy has none.
"""

import contextlib
import hashlib
import io
import math
import os
import pathlib
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from zsl_jax import errors

_MAGIC = b"\x93NUMPY"
_READERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
    (3, 0): (4, np.lib.format.read_array_header_2_0),
}
_LONGEST_HEADER = 10_000  # bytes, as numpy itself reads without being asked to trust a file
_CHUNK = 2**24
# Deflate makes 1 byte of at most 1032. Features are 2 to 20 times larger than their compressed form.
_MOST_EXPANSION, _SUSPECT_EXPANSION, _SUSPECT_BYTES = 1032, 100, 2**28


class Header(NamedTuple):
    """Shape, order and type of an array in numpy's format, and the bytes of its numbers."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype
    num_bytes: int


class Archive(NamedTuple):
    """The arrays of an .npz by name, and the sha256 of the file."""

    arrays: dict[str, np.ndarray]
    sha256: str


def read(path: str | os.PathLike) -> Archive:
    """Reads all arrays of an .npz.

    Raises:
      UserError: one line, if the file is missing, damaged, no archive of plain arrays, or larger than memory.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", features=np.eye(2))
    ...     read(f"{folder}/a.npz").arrays["features"].shape
    (2, 2)
    """
    path = pathlib.Path(path)
    with one_line(path), path.open("rb") as whole:
        before = os.fstat(whole.fileno())
        digest = hashlib.file_digest(whole, "sha256").hexdigest()
        with archive(path, whole) as opened:
            held = members(path, opened)
            _check_memory(path, sum(info.file_size for info in held.values()))
            arrays = {}
            for name, info in held.items():
                with opened.open(info) as file:
                    arrays[name] = _whole(f"{path}: {name}", file, info.file_size)
        after = os.fstat(whole.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise errors.UserError(f"{path} changed while it was read")
        return Archive(arrays, digest)


@contextlib.contextmanager
def one_line(path: pathlib.Path) -> Iterator[None]:
    """Makes a UserError that names the file of whatever reading it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's about odd headers
            yield
    except errors.UserError:
        raise
    except FileNotFoundError as error:
        raise errors.UserError(f"cannot read {path}: {error.strerror}") from error
    except MemoryError as error:
        raise errors.UserError(f"{path}: memory does not hold what it announces") from error
    except Exception as error:  # zipfile, zlib and numpy raise what they like on a damaged file
        says = (isinstance(error, OSError) and error.strerror) or " ".join(f"{error}".split()) or type(error).__name__
        raise errors.UserError(f"{path} is damaged or of another kind ({says[:200]})") from error


@contextlib.contextmanager
def archive(path: pathlib.Path, file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Opens an .npz.

    Raises:
      UserError: it is no archive.
    """
    try:
        opened = zipfile.ZipFile(file)
    except Exception as error:
        raise errors.UserError(f"{path} is no .npz archive of plain arrays as numpy.savez writes it") from error
    with opened:
        yield opened


def members(path: pathlib.Path, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name.

    Raises:
      UserError: something that is no array, an array twice, sizes that cannot be, or an archive made to fill memory.
    """
    held = {}
    for info in opened.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in held:
            what = "which is no array" if name == info.filename else "twice"
            raise errors.UserError(f"{path} holds {info.filename!r}, {what}: numpy.savez writes none like it")
        expansion = info.file_size / max(1, info.compress_size)
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if info.file_size < 0 or (expansion != 1 if is_stored else expansion > _MOST_EXPANSION):
            raise errors.UserError(f"{path} is damaged: {name} is {info.compress_size} bytes for {info.file_size}")
        if expansion > _SUSPECT_EXPANSION and info.file_size > _SUSPECT_BYTES:
            raise errors.UserError(
                f"{path}: {name} would grow from {info.compress_size / 2**20:.1f} MiB to "
                f"{info.file_size / 2**20:,.0f} MiB, which no features do"
            )
        held[name] = info
        with opened.open(info):
            pass  # its name and size are there a second time, before the data
    return held


def read_header(where: str, file: Any, num_bytes: int) -> Header:
    """Reads the header of an array in numpy's format.

    Args:
      where: what to call the array in an error.
      file: at its beginning.
      num_bytes: of the file, header and numbers.

    Raises:
      UserError: no such header, or more bytes in the file than it announces; there may be fewer.
    """
    start = file.read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        raise errors.UserError(f"{where} is no array in numpy's format")
    version = (start[6], start[7])
    if version not in _READERS:
        raise errors.UserError(f"{where}: version {version[0]}.{version[1]} of numpy's format is not known")
    width, parse = _READERS[version]
    size = file.read(width)
    length = int.from_bytes(size, "little")
    if length > _LONGEST_HEADER:
        raise errors.UserError(f"{where}: a header of {length} bytes is none of an array of numbers")
    try:
        shape, is_fortran, dtype = parse(io.BytesIO(size + file.read(length)))
    except Exception as error:
        raise errors.UserError(f"{where} is no array in numpy's format (its header is damaged)") from error
    if dtype.hasobject:
        raise errors.UserError(f"{where} holds Python objects, not numbers or text")
    if any(isinstance(axis, bool) or axis < 0 for axis in shape):
        raise errors.UserError(f"{where} announces the shape {list(shape)}")
    announced = dtype.itemsize * math.prod(shape)
    if 8 + width + length + announced < num_bytes:
        raise errors.UserError(
            f"{where} is damaged: {num_bytes - 8 - width - length} bytes of numbers, where shape {list(shape)} "
            f"has {announced}"
        )
    return Header(shape, is_fortran, dtype, announced)


def take(file: Any, count: int) -> np.ndarray:
    """The next `count` bytes of a file as uint8, fewer at its end; the system gives memory as they come."""
    found, end = np.empty(count, np.uint8), 0
    while end < count and (data := file.read(min(count - end, _CHUNK))):
        found[end : end + len(data)] = np.frombuffer(data, np.uint8)
        end += len(data)
    return found[:end]


def memory() -> int:
    """Bytes of memory that this machine, or the container around the process, has."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError, ValueError):
        limits.append(int(pathlib.Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


def _whole(name: str, file: Any, num_bytes: int) -> np.ndarray:
    header = read_header(name, file, num_bytes)
    data = take(file, min(header.num_bytes, num_bytes))
    if len(data) < header.num_bytes:
        raise errors.UserError(f"{name} ends early: shape {list(header.shape)} was announced")
    if not header.dtype.itemsize:
        return np.zeros(header.shape, header.dtype)
    return data.view(header.dtype).reshape(header.shape, order="F" if header.is_fortran else "C")


def _check_memory(path: pathlib.Path, needed: int) -> None:
    if needed > memory():
        raise errors.UserError(
            f"{path} needs {needed / 2**30:.1f} GiB of memory, where this machine has {memory() / 2**30:.1f}"
        )
