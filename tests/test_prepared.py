"""The TFDS form holds the same bits as the files, is read without TensorFlow, and notices an edited file."""

import dataclasses
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tiny_xlsa17

from zsl_jax import errors
from zsl_jax.data import dataset, prepared, xlsa17


def assert_same_dataset(actual: dataset.Dataset, expected: dataset.Dataset) -> None:
    def flat(data: dataset.Dataset) -> dict:
        arrays = {"inputs": data.inputs, "labels": data.labels, "validation": data.validation_classes, **data.splits}
        return arrays | {"embedding": data.classes.embedding, "is_seen": data.classes.is_seen}

    assert flat(actual).keys() == flat(expected).keys()
    for name, array in flat(actual).items():
        other = flat(expected)[name]
        assert (None if array is None else (array.dtype, array.shape, array.tobytes())) == (
            None if other is None else (other.dtype, other.shape, other.tobytes())
        ), name
    assert (actual.name, actual.classes.names, actual.info, actual.kind) == (
        *(expected.name, expected.classes.names, expected.info, expected.kind),
    )
    assert {field.name for field in dataclasses.fields(dataset.Dataset)} == {
        *("name", "inputs", "labels", "classes", "splits", "validation_classes", "images", "info", "kind"),
        *("parts", "describe"),  # of pairs, which are not prepared
    }


@pytest.mark.long
def test_prepared_is_the_dataset_bit_for_bit(tmp_path):
    held = tiny_xlsa17.variables()
    held["features"][0, :3] = [-0.0, 1e-42, np.finfo(np.float32).max]
    held["test_unseen_loc"] = held["test_unseen_loc"][1:]  # one image in no split
    held["trainval_loc"] = held["trainval_loc"][::-1]
    folder = tiny_xlsa17.write(tmp_path / "tiny bench", held)
    seen = []
    path = prepared.prepare(folder, tmp_path / "prepared", progress=lambda *numbers: seen.append(numbers))
    assert seen == [(i, 24) for i in range(1, 25)]
    assert_same_dataset(prepared.load_prepared(path), xlsa17.load(folder))

    assert prepared.prepare(folder, tmp_path / "prepared", progress=lambda *numbers: seen.append(numbers)) == path
    assert len(seen) == 24  # nothing was written again

    held["features"][1, 1] += 1
    tiny_xlsa17.write(folder, held)
    edited = prepared.prepare(folder, tmp_path / "prepared")
    assert edited != path
    assert prepared.load_prepared(edited).inputs[1, 1] == held["features"][1, 1]


def test_other_projects_read_it_as_a_data_source(tmp_path):
    held = tiny_xlsa17.variables()
    folder = tiny_xlsa17.write(tmp_path / "tiny", held)
    builder = prepared.Xlsa17(manual_dir=folder, data_dir=tmp_path / "prepared")
    builder.download_and_prepare()
    for reader in (builder, tfds.builder_from_directory(builder.data_dir)):
        source = reader.as_data_source("test_seen")
        rows = held["test_seen_loc"][:, 0] - 1
        assert len(source) == len(rows)
        for i, row in enumerate(rows):
            np.testing.assert_array_equal(source[i]["input"], held["features"][:, row])
            assert source[i]["label"] == held["labels"][row, 0] - 1
            assert source[i]["index"] == row
        assert reader.info.features["input"].shape == (5,)
        assert reader.info.features["label"].names == tiny_xlsa17.NAMES
        assert reader.info.metadata["class_names"] == tiny_xlsa17.NAMES
        np.testing.assert_array_equal(np.float32(reader.info.metadata["attributes"]), held["att"].T.astype(np.float32))
        assert reader.info.metadata["is_seen"] == [True] * 4 + [False] * 2


def test_nothing_is_read_of_a_dataset_that_is_not_as_it_was_written(tmp_path):
    path = prepared.prepare(tiny_xlsa17.write(tmp_path / "tiny"), tmp_path / "prepared", progress=lambda *_: None)
    for file in sorted(path.iterdir()):
        content = file.read_bytes()
        for damaged in (content[: len(content) // 2], content[:-2] + bytes([content[-2] ^ 1]) + content[-1:], None):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            with pytest.raises(errors.UserError, match=r"delete its folder|no prepared dataset") as caught:
                prepared.load_prepared(path)
            assert "\n" not in str(caught.value)
        file.write_bytes(content)
    assert prepared.load_prepared(path).name == "tiny"


@pytest.mark.long
def test_what_was_stopped_before_its_hashes_is_prepared_again(tmp_path):
    folder = tiny_xlsa17.write(tmp_path / "tiny")
    path = prepared.prepare(folder, tmp_path / "prepared", progress=lambda *_: None)
    (path / prepared.HASHES_FILE).unlink()
    (path / "metadata.json").write_text("{")
    assert prepared.prepare(folder, tmp_path / "prepared", progress=lambda *_: None) == path
    assert_same_dataset(prepared.load_prepared(path), xlsa17.load(folder))


def test_nothing_prepared_and_nowhere_to_write(tmp_path):
    with pytest.raises(errors.UserError, match="no prepared dataset"):
        prepared.load_prepared(tmp_path)
    folder = tiny_xlsa17.write(tmp_path / "tiny")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="cannot write the prepared dataset"):
        prepared.prepare(folder, tmp_path / "file")


@pytest.mark.long
def test_cub127_without_tensorflow(shared_data, tmp_path):
    folder = shared_data / "xlsa17" / "CUB127"
    code = (
        "import importlib.machinery, sys\n"
        "finder = importlib.machinery.PathFinder\n"
        "find = finder.find_spec\n"
        "finder.find_spec = lambda name, *rest: None if name == 'tensorflow' else find(name, *rest)\n"
        "from zsl_jax.data import prepared\n"
        "print(prepared.prepare(*sys.argv[1:], semantics='sent', progress=lambda *_: None))"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = pathlib.Path(done.stdout.splitlines()[-1])
    assert path.parent.parent == tmp_path / "xlsa17"
    assert path.parent.name.startswith("CUB127-sent-")
    assert_same_dataset(prepared.load_prepared(path), xlsa17.load(folder, semantics="sent"))
