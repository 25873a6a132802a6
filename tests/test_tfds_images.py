"""Images of TFDS, without TensorFlow: joined by name, decoded to one size, what does not fit is named."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from zsl_jax import data, errors
from zsl_jax.data import tfds_images

NAMES = tuple(str(i) for i in range(10))


def write_table(path, names=NAMES, unseen=("3", "7")):
    lines = ["class,seen,round,open"]
    lines += [f"{name},{str(name not in unseen).lower()},{i % 2},{i // 5}" for i, name in enumerate(names)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def mocked():
    with tfds.testing.mock_data(num_examples=100):
        yield


def test_images_and_labels_are_those_of_the_builder(mocked, tmp_path):
    table = write_table(tmp_path / "classes.csv", names=NAMES[::-1])
    found = data.load("tfds_images", builder="mnist", attributes=table, split="train", size=8)
    assert found.inputs.shape == (100, 8, 8, 3)
    assert found.inputs.dtype == np.uint8
    source = tfds.data_source("mnist", split="train")
    assert [found.classes.names[label] for label in found.labels] == [str(example["label"]) for example in source]
    np.testing.assert_allclose(found.inputs[5].mean(), source[5]["image"].mean(), atol=8)
    assert {name for name, seen in zip(found.classes.names, found.classes.is_seen) if not seen} == {"3", "7"}
    assert set(found.splits["test_unseen"]) == set(np.flatnonzero(~found.classes.is_seen[found.labels]))
    assert not set(found.splits["train"]) & set(found.splits["test_seen"])


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (NAMES[:8], {}, r"2 classes of mnist are not in .*: 8, 9"),
        ((*NAMES, "fox"), {}, r"1 classes of .* are not in mnist: fox"),
        (NAMES, {"builder": "mnisst"}, r"TFDS knows no dataset 'mnisst': did you mean '.*mnist'"),
        (NAMES, {"size": 3}, r"size must be an integer in \[4, 512\]"),
        (NAMES, {"attributes": ""}, r"needs a dataset and a table"),
        (NAMES, {"inputs": "features"}, r"unknown inputs 'features'"),
    ],
)
def test_what_does_not_fit_is_named(mocked, tmp_path, names, options, message):
    given = {"builder": "mnist", "attributes": write_table(tmp_path / "classes.csv", names=names), "split": "train"}
    with pytest.raises(errors.UserError, match=message):
        data.load("tfds_images", **(given | options))


def test_classes_are_joined_by_their_words():
    rows = tfds_images.join(["001.Red_Fox", "Bear"], ("bear", "red fox"), "animals", "table.csv")
    assert rows.tolist() == [1, 0]
    with pytest.raises(errors.UserError, match=r"table.csv has classes of the same name: red fox"):
        tfds_images.join(["fox"], ("red fox", "Red_Fox"), "animals", "table.csv")
