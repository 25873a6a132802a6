"""Inputs in blocks: the rows of the file, whatever its form and the size of a block."""

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


def objects(path):
    np.save(path, np.array([{}, []], object), allow_pickle=True)


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
    "short.csv": (lambda path: path.write_text("1,2\n3\n"), "line 2: 1 cells, 2 in the first line"),
    "word.csv": (lambda path: path.write_text("1,2\n3,x\n"), "line 2: found 'x', not a number"),
}


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
