"""A .mat file arrives whole and exact, or as one line that names it, whatever it does to its reader."""

import hashlib
import pathlib
import struct
import time

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from zsl_jax import errors
from zsl_jax.data import matfile


def error_line(path: pathlib.Path, **options) -> str:
    with pytest.raises(errors.UserError) as caught:
        matfile.read(path, **options)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    return line


def nested_cells(depth: int) -> bytes:
    """An uncompressed file of cells in cells; its reader recurses once a level, in C."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data

    shape_and_name = element(5, struct.pack("<ii", 1, 1)) + element(1, b"")
    inner = element(6, struct.pack("<II", 6, 0)) + shape_and_name + element(9, struct.pack("<d", 1.0))
    cell = element(6, struct.pack("<II", 1, 0)) + shape_and_name
    parts, size = [struct.pack("<II", 14, len(inner)) + inner], len(inner) + 8
    for _ in range(depth):
        size += len(cell) + 8
        parts.append(struct.pack("<II", 14, size - 8) + cell)
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + b"".join(parts[::-1])


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("mat") / "good.mat"
    held = {
        "features": np.random.default_rng(0).standard_normal((200, 1000)).astype(np.float32),
        "labels": np.arange(3, dtype=np.uint16)[:, None],
        "row": np.arange(4.0)[None],
        "empty": np.zeros((0, 0)),
        "names": np.array(["ox", "", "rhinocéros"], object)[:, None],
        "text": "a line",
        "mixed": np.array(["ox", 1.0], object),
        "struct": {"a": 1},
        "sparse": scipy.sparse.csc_matrix(np.eye(2)),
    }
    scipy.io.savemat(path, held, do_compression=True)
    return path


def test_variables_arrive_as_they_are(good):
    held, expected = matfile.read(good).variables, scipy.io.loadmat(good, spmatrix=False)
    for name in ("features", "labels", "row", "empty"):
        assert held[name].dtype == expected[name].dtype
        assert held[name].shape == expected[name].shape
        assert held[name].tobytes() == expected[name].tobytes()
    assert held["features"].T.flags.c_contiguous
    assert held["names"] == ["ox", "", "rhinocéros"]
    assert held["text"] == ["a line"]
    assert held.keys() == {"features", "labels", "row", "empty", "names", "text"}


def test_what_is_left_out_is_named(good):
    assert matfile.read(good).left_out == {
        "mixed": "a cell of several kinds, where a cell of text is read",
        "struct": "a struct",
        "sparse": "a sparse matrix; save it as a full one",
    }


@pytest.mark.long
def test_a_file_that_grows_beyond_memory(tmp_path, monkeypatch):
    scipy.io.savemat(tmp_path / "zeros.mat", {"x": np.zeros((2**12, 2**12))}, do_compression=True)
    assert matfile.read(tmp_path / "zeros.mat").variables["x"].shape == (2**12, 2**12)
    monkeypatch.setattr(matfile, "_MOST_BYTES", 2**26)
    assert "announces more than a file of its size holds" in error_line(tmp_path / "zeros.mat")


def test_big_endian_numbers_become_native(tmp_path):
    name, values = b"x\0", np.array([[1.0, 2.5]], ">f8")
    header = struct.pack(">iiiii", 1000, 1, 2, 0, len(name))  # version 4, big-endian, double
    (tmp_path / "big.mat").write_bytes(header + name + values.tobytes())
    x = matfile.read(tmp_path / "big.mat").variables["x"]
    np.testing.assert_array_equal(x, [[1.0, 2.5]])
    assert x.dtype.isnative


def test_missing_file(tmp_path):
    assert "no such file" in error_line(tmp_path / "none.mat")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) // 2], "truncated or corrupt"),
        (lambda data: data[:5000] + b"\0" * 1000 + data[6000:], "truncated or corrupt"),
        (lambda data: b"", "truncated or corrupt"),
        (lambda data: b"<html>not found</html>" * 50, "truncated or corrupt"),
        (lambda data: b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM", "HDF5"),
        (lambda data: b"\x89HDF\r\n\x1a\n" + bytes(1000), "HDF5"),
        (lambda data: bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(1000), "HDF5"),
        (lambda data: nested_cells(100_000), "SIGSEGV"),
    ],
    ids=["truncated", "corrupt", "empty", "html", "hdf5", "bare hdf5", "hdf5 with a header", "crash"],
)
def test_damaged_files_are_one_line(damage, says, good, tmp_path):
    path = tmp_path / "damaged.mat"
    path.write_bytes(damage(good.read_bytes()))
    assert says in error_line(path)


def test_nested_cells_of_little_depth_are_read(tmp_path):
    (tmp_path / "shallow.mat").write_bytes(nested_cells(10))  # so that it is the depth alone that kills the reader
    assert matfile.read(tmp_path / "shallow.mat").variables == {}


@pytest.mark.parametrize(
    ("child", "says"),
    [
        ("import time; time.sleep(60)", "more than 0.5 s"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import sys; print('not the header'); sys.exit(3)", "exit status 3"),
        (
            'import json, os; os.write(1, json.dumps({"variables": [{"name": "x", "dtype": "<f8", "shape": [9], '
            '"fortran": False}]}).encode() + b"\\n" + bytes(16)); os.kill(os.getpid(), 9)',
            "SIGKILL",
        ),
    ],
    ids=["hangs", "killed", "exits", "killed half way"],
)
def test_a_reader_that_fails_is_one_line(child, says, good, tmp_path, monkeypatch):
    (tmp_path / "child.py").write_text(child)
    monkeypatch.setattr(matfile, "_CHILD", tmp_path / "child.py")
    start = time.monotonic()
    assert says in error_line(good, timeout=0.5 if says.startswith("more") else 60.0)
    assert time.monotonic() - start < 30


def test_sha256(good, tmp_path):
    assert matfile.sha256(good) == hashlib.sha256(good.read_bytes()).hexdigest()
    with pytest.raises(errors.UserError, match="cannot be read"):
        matfile.sha256(tmp_path / "none.mat")
