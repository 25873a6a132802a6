"""Reads one .mat file and writes what it holds to standard output; `matfile.read` runs this in a process of its own.

    python -I matfile_child.py FILE BYTES   ->   a line of JSON, then the raw buffers of its arrays in their order

It takes at most BYTES of memory, and says of each variable that it leaves out why.

It imports nothing of this package, so that it starts in the time that scipy takes.
"""

import json
import sys

import numpy as np
import scipy.io
import scipy.sparse


def main(path: str, most_bytes: int) -> None:
    _limit(most_bytes)
    try:
        variables = scipy.io.loadmat(path, appendmat=False, spmatrix=False)
        converted = {name: _convert(value) for name, value in variables.items() if _is_variable(name)}
    except Exception as error:
        _write_header({"error": " ".join(f"{type(error).__name__}: {error}".split())})
        return
    left_out = {name: _kind(variables[name]) for name, value in converted.items() if value is None}
    converted = {name: value for name, value in converted.items() if value is not None}
    _write_header({"variables": [_describe(name, value) for name, value in converted.items()], "left_out": left_out})
    for value in converted.values():
        if isinstance(value, np.ndarray) and value.size:
            sys.stdout.buffer.write(memoryview(value.T if _is_fortran(value) else value).cast("B"))
    sys.stdout.buffer.flush()


def _limit(most_bytes: int) -> None:
    """Of memory, beyond what is taken already; and no core dump."""
    try:
        import resource
    except ImportError:  # Windows has neither
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # macOS, which does not hold programs to such a limit either
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + most_bytes, taken + most_bytes))


def _is_variable(name: str) -> bool:
    return name.isidentifier() and not name.startswith("__")


def _convert(value) -> np.ndarray | list[str] | None:
    """A contiguous numeric array, a list of strings, or None for another kind (structs, sparse, ...)."""
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in "biuf":
        native = value.astype(value.dtype.newbyteorder("="), copy=False)
        return native if _is_fortran(native) else np.ascontiguousarray(native)
    if value.dtype.kind == "U":
        return [str(text).rstrip() for text in value.ravel()]
    if value.dtype == object:
        cells = [np.asarray(cell) for cell in value.ravel()]
        if all(cell.dtype.kind == "U" and cell.size <= 1 for cell in cells):
            return ["".join(cell.ravel().tolist()) for cell in cells]
    return None


def _kind(value) -> str:
    """What a variable that is left out is, in words."""
    if scipy.sparse.issparse(value):
        return "a sparse matrix; save it as a full one"
    if value.dtype.kind == "c":
        return "an array of complex numbers"
    if value.dtype == object:
        return "a cell of several kinds, where a cell of text is read"
    return "a struct" if value.dtype.names else f"of a kind that is not read ({value.dtype})"


def _is_fortran(array: np.ndarray) -> bool:
    return array.flags.f_contiguous and not array.flags.c_contiguous


def _describe(name: str, value: np.ndarray | list[str]) -> dict:
    if isinstance(value, list):
        return {"name": name, "strings": value}
    return {"name": name, "dtype": value.dtype.str, "shape": value.shape, "fortran": _is_fortran(value)}


def _write_header(header: dict) -> None:
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
