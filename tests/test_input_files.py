"""Inputs in blocks: the rows of the file, whatever its form and the size of a block."""

import io
import warnings
import zipfile

import numpy as np
import pytest

from zsl_jax import errors
from zsl_jax.data import input_files
from zsl_jax.encoders import preprocessing

ROWS = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)


def write(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, features=array, labels=np.arange(len(array)))
    else:
        np.savetxt(path, array, delimiter=",", fmt="%.9g")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_blocks_are_the_rows_in_order(suffix, size, tmp_path):
    blocks = list(input_files.blocks(write(tmp_path / f"f{suffix}", ROWS), size=size))
    assert [len(block.names) for block in blocks] == [min(size, 7 - first) for first in range(0, 7, size)]
    np.testing.assert_array_equal(np.concatenate([block.inputs for block in blocks]), ROWS)
    assert blocks[-1].names[-1].endswith(f"f{suffix}:6")


def test_a_block_is_read_when_it_is_asked_for(tmp_path):
    path = write(tmp_path / "f.npy", ROWS)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4)
    blocks = input_files.blocks(path, size=3)
    np.testing.assert_array_equal(next(blocks).inputs, ROWS[:3])
    next(blocks)
    with pytest.raises(errors.UserError, match="ends early: 7 rows were announced"):
        next(blocks)


def test_a_csv_may_have_a_header_and_names(tmp_path):
    (tmp_path / "f.csv").write_text("image,x,y\ncat.jpg,1,2\ndog.jpg,3,4\n")
    (block,) = input_files.blocks(tmp_path / "f.csv", size=10)
    assert block.names == ["cat.jpg", "dog.jpg"]
    assert block.inputs.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("1,2\n3,4\n", "01", [[1, 2], [3, 4]]),
        ("x,y\n1,2\n3,4\n", "01", [[1, 2], [3, 4]]),
        ("id,x\n17,2\n18,4\n", ["17", "18"], [[2], [4]]),
        (",0,1\n0,1,2\n1,3,4\n", ["0", "1"], [[1, 2], [3, 4]]),  # as pandas writes a table with its index
        ("001.jpg;1;2\n002.jpg;3;4\n", ["001.jpg", "002.jpg"], [[1, 2], [3, 4]]),
        ("cafe\u0301.jpg,1\nb.jpg,2\n", ["caf\u00e9.jpg", "b.jpg"], [[1], [2]]),
        ("1\n2\n", "01", [[1], [2]]),
    ],
)
def test_a_header_is_one_only_where_it_is_clear(text, names, rows, tmp_path):
    (tmp_path / "f.csv").write_text(text)
    (block,) = input_files.blocks(tmp_path / "f.csv", size=10)
    assert block.inputs.tolist() == rows
    assert block.names == ([f"{tmp_path / 'f.csv'}:{row}" for row in names] if isinstance(names, str) else names)


@pytest.mark.parametrize("first", ["nan,2", "1,nan", "1,", "1,inf", "x,1", "1,x", "N/A,N/A", "0,1", "1_0,2", "5x,3y"])
def test_a_first_line_that_is_not_clear_is_an_error_or_as_said(first, tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"{first}\n3,4\n")
    with pytest.raises(errors.UserError, match=r"line 1|line 2"):
        list(input_files.blocks(path, size=10))
    (block,) = input_files.blocks(path, size=10, header="yes")
    assert (block.names, block.inputs.tolist()) == ([f"{path}:0"], [[3, 4]])
    if first == "0,1":
        (block,) = input_files.blocks(path, size=10, header="no")
        assert block.inputs.tolist() == [[0, 1], [3, 4]]
    else:
        with pytest.raises(errors.UserError, match=r"line 1|line 2"):
            list(input_files.blocks(path, size=10, header="no"))


def test_a_line_without_a_name_is_no_header_of_itself(tmp_path):
    (tmp_path / "f.csv").write_text(",1\n3,4\n")
    with pytest.raises(errors.UserError, match="line 1: found '', not a number, and no name either"):
        list(input_files.blocks(tmp_path / "f.csv", size=10))


def test_a_header_that_was_found_is_said(tmp_path):
    (tmp_path / "f.csv").write_text("x,y\n1,2\n")
    lines = []
    list(input_files.blocks(tmp_path / "f.csv", size=10, say=lines.append))
    assert lines == [f"{tmp_path / 'f.csv'}: line 1 is a header, no input (--header=no takes it as one)"]


def objects(path):
    np.save(path, np.array([{}, []], object), allow_pickle=True)


def saved(array, shape=None) -> bytes:
    """An array in numpy's format, with another shape in its header."""
    buffer = io.BytesIO()
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape if shape is None else shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def damaged_archive(path):
    np.savez(path, features=ROWS)
    content = bytearray(path.read_bytes())
    content[-200] ^= 1  # a number, which the archive's checksum knows
    path.write_bytes(content)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("features.npy", "w") as member:
        member.write(saved(np.zeros((0, 3 * 2**18), np.float32), (100, 3 * 2**18)))
        for _ in range(300):
            member.write(bytes(2**20))


def twice(path):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("features.npy", saved(ROWS))
        archive.writestr("features.npy", saved(ROWS))


def text_member(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("features.npy", saved(ROWS))
        archive.writestr("readme.txt", "features of birds")


WRONG = {
    "missing.npy": (lambda path: None, "no file"),
    "a.txt": (lambda path: path.write_text("1"), "unknown form of .*'.txt'"),
    "garbage.npy": (lambda path: path.write_text("garbage"), "no array in numpy's format"),
    "garbage.npz": (lambda path: path.write_text("garbage"), "no .npz archive"),
    "two.npz": (lambda path: np.savez(path, a=ROWS, b=ROWS), "holds a, b: one array is wanted"),
    "vector.npy": (lambda path: np.save(path, ROWS[0]), r"of shape \[3\]"),
    "fortran.npy": (lambda path: np.save(path, np.asfortranarray(ROWS)), "in Fortran order"),
    "objects.npy": (objects, "not numbers"),
    "nan.npy": (lambda path: np.save(path, np.where(np.arange(7)[:, None] == 4, np.nan, ROWS)), "row 4: a value is"),
    "fortran3.npy": (lambda path: np.save(path, np.ones((2, 3, 1), order="F")), "in Fortran order"),
    "longer.npy": (lambda path: path.write_bytes(saved(ROWS) + b"1234"), "88 bytes of numbers, where shape .* has 84"),
    "beyond.npy": (
        lambda path: np.save(path, np.full((2, 3), 1e39)),
        "row 0: a value is not finite, or beyond float32",
    ),
    "none.npy": (lambda path: np.save(path, ROWS[:0]), "no input"),
    "negative.npy": (lambda path: path.write_bytes(saved(ROWS, (-7, 3))), r"announces the shape \[-7, 3\]"),
    "large.npy": (lambda path: path.write_bytes(saved(ROWS, (7, 2**40))), "one input takes 4,194,304 MiB; at most 256"),
    "deep.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x64\x00" + b"(" * 100), "its header is damaged"),
    "version.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x09\x09" + saved(ROWS)[8:]), "version 9.9 of numpy's"),
    "long.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"), "a header of 4294967295 bytes"),
    "damaged.npz": (damaged_archive, "is damaged or of another kind"),
    "bomb.npz": (bomb, "would grow from 0.[0-9] MiB to 300 MiB, which no features do"),
    "twice.npz": (twice, "holds 'features.npy', twice"),
    "text.npz": (text_member, "holds 'readme.txt', which is no array"),
    "empty.csv": (lambda path: path.write_text("\n"), "no input in it"),
    "header.csv": (lambda path: path.write_text("a,b\n"), "no input in it"),
    "mixed.csv": (lambda path: path.write_text("a.jpg,1,2\n3,1,2\n"), "some lines start with a name and others do not"),
    "underscore.csv": (lambda path: path.write_text("1,2\n3,1_0\n"), "line 2: found '1_0', not a number"),
    "beyond.csv": (lambda path: path.write_text("1,2\n3,1e39\n"), "line 2: found '1e39', beyond float32"),
    "comma.csv": (lambda path: path.write_text("0,5;1\n2,5;3\n"), "with a decimal comma; write 0.5"),
    "spaces.csv": (lambda path: path.write_text("1 2\n3 4\n"), "not clearly a header and not clearly an input"),
    "spaces2.csv": (
        lambda path: path.write_text("a b\n3 4\n"),
        "separated by commas, semicolons or tabs, not by spaces",
    ),
    "short.csv": (lambda path: path.write_text("1,2\n3\n"), "line 2: 1 cells, 2 in the first line"),
    "word.csv": (lambda path: path.write_text("1,2\n3,x\n"), "line 2: found 'x', not a number"),
}


def test_a_text_is_a_line_of_the_file_whatever_is_in_it(tmp_path):
    """Other tools end lines at form feeds and Unicode's separators, too, and number all that follow otherwise."""
    (tmp_path / "texts.txt").write_bytes("\ufeffone\u2028two\x0cthree\r\nfour\u0085five\n".encode())
    assert input_files.texts(tmp_path / "texts.txt") == ["one\u2028two\x0cthree", "four\u0085five"]


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named(name, tmp_path):
    make, words = WRONG[name]
    make(tmp_path / name)
    with pytest.raises(errors.UserError, match=words):
        list(input_files.blocks(tmp_path / name, size=10))


def test_images_need_a_known_preprocessing():
    with pytest.raises(errors.UserError, match="give it features, not images"):
        preprocessing.make(None)
    with pytest.raises(errors.UserError, match="unknown preprocessing 'descriptor': did you mean 'descriptors'"):
        preprocessing.make("descriptor")
