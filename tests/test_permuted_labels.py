"""Test labels reach nothing that is chosen on: permuted, they leave the training part of every source as it was."""

import dataclasses

import numpy as np
import pytest
import tiny_photos
import tiny_xlsa17

from zsl_jax import data
from zsl_jax.data import image_folder, xlsa17
from zsl_jax.verbs import data as data_verb

TEST_SPLITS = ("test_seen", "test_unseen")


def permuted(labels: np.ndarray, splits: dict[str, np.ndarray]) -> np.ndarray:
    """Labels of the test images, moved on by half of each test split; some of them change."""
    changed = np.array(labels)
    for name in TEST_SPLITS:
        changed[splits[name]] = np.roll(changed[splits[name]], len(splits[name]) // 2)
    assert np.any(changed != labels)
    return changed


def assert_same_training_part(actual: data.Dataset, expected: data.Dataset) -> None:
    assert np.any(actual.labels != expected.labels)
    a, b = data.training_part(actual), data.training_part(expected)
    for name in ("inputs", "labels", "validation_classes"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(a.classes.embedding, b.classes.embedding)
    assert a.classes.names == b.classes.names


def of_digits(tmp_path):
    return data.load("digits")


def of_shapes(tmp_path):
    return data.load("shapes", num_per_class=5, size=16, inputs="pixels")


def of_photos(tmp_path):
    words = dict.fromkeys(tiny_photos.COLOURS, "train") | {"blue": "validation", "grey": "test", "yellow": "test"}
    folder = tiny_photos.write(tmp_path, column="split", words=words)
    arguments = [str(folder / "photos"), f"--attributes={folder / 'classes.csv'}", f"--out={tmp_path / 'out'}"]
    assert data_verb.main(["import", *arguments]) == 0
    return image_folder.load(tmp_path / "out", size=16)


@pytest.mark.parametrize("load", [of_digits, of_shapes, of_photos])
def test_datasets(load, tmp_path):
    found = load(tmp_path)
    assert_same_training_part(dataclasses.replace(found, labels=permuted(found.labels, found.splits)), found)


@pytest.mark.long
@pytest.mark.parametrize("without", [(), ("train_loc",), ("val_loc", "train_loc")])
def test_a_folder_in_the_xlsa17_layout(without, tmp_path):
    held = tiny_xlsa17.variables()
    for name in (*without, "image_files"):  # images in folders of classes would show that labels were permuted
        del held[name]
    first = xlsa17.load(tiny_xlsa17.write(tmp_path / "tiny", held))
    assert (first.validation_classes is None) == ("val_loc" in without)
    held["labels"] = permuted(first.labels, first.splits)[:, None] + 1
    if "val_loc" in held:  # where a seen test image is now of a class of train_loc
        assert len(np.unique(held["labels"][held["val_loc"][:, 0] - 1])) > 1
    assert_same_training_part(xlsa17.load(tiny_xlsa17.write(tmp_path / "tiny", held)), first)


@pytest.mark.long
def test_validation_classes_of_cub127(shared_data):
    folder = xlsa17.read(shared_data / "xlsa17" / "CUB127")
    splits = {name: folder.variables[f"{name}_loc"] - 1 for name in TEST_SPLITS}
    labels = permuted(folder.variables["labels"], splits)
    changed = dataclasses.replace(folder, variables={**folder.variables, "labels": labels})
    before, after = (xlsa17.validation_classes(x)[0] for x in (folder, changed))
    assert len(before) == 30
    np.testing.assert_array_equal(after, before)


def test_an_archive_with_its_own_split(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "features": rng.normal(size=(60, 4)),
        "labels": np.repeat(np.arange(6), 10),
        "attributes": rng.random((6, 3)),
        "split": np.tile([0, 0, 0, 0, 0, 0, 1, 2, 2, 2], 6),
    }
    found = []
    for _ in range(2):
        np.savez(tmp_path / "a.npz", **arrays)
        found.append(data.load("npz", file=tmp_path / "a.npz", semantics="attributes", num_unseen=2))
        arrays["labels"] = permuted(found[0].labels, found[0].splits)
    assert_same_training_part(found[1], found[0])
