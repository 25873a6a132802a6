"""Leaks, duplicates and gaps are counted rightly, against benchmarks made to have them."""

import numpy as np
import pytest
import tiny_xlsa17

from zsl_jax.data import checks, missing, notes


def lines_of(held: dict) -> list[str]:
    found, sound = checks.problems(held)
    assert found == []
    return notes.notes(sound)


LEAK = "train_loc and val_loc hold 4 seen test images: only their classes are used, no image"


def test_the_leak_of_train_loc_and_val_loc():
    assert lines_of(tiny_xlsa17.variables()) == [LEAK]


def without_leak() -> dict:
    held = tiny_xlsa17.variables()
    for name in checks.VALIDATION_SPLITS:
        held[name] = np.setdiff1d(held[name], held["test_seen_loc"])
    assert lines_of(held) == []
    return held


def test_unseen_test_images_in_val_loc():
    held = without_leak()
    unseen = held["test_unseen_loc"][:1, 0]
    held["val_loc"] = np.concatenate([held["val_loc"], unseen])
    name = held["allclasses_names"][held["labels"][unseen[0] - 1, 0] - 1]
    assert lines_of(held) == [
        "train_loc and val_loc hold 1 unseen test image: only their classes are used, no image",
        f"classes of val_loc that are unseen, so no validation classes: {name!r}",
    ]


def test_validation_classes_are_seen_classes_outside_train_loc():
    held = tiny_xlsa17.variables()
    np.testing.assert_array_equal(notes.validation_classes(checks.problems(held)[1]), [4])
    held["val_loc"] = np.concatenate([held["val_loc"], held["train_loc"][:5], held["test_unseen_loc"][:1]])
    np.testing.assert_array_equal(notes.validation_classes(checks.problems(held)[1]), [4])
    without_train_loc = {name: value for name, value in held.items() if name != "train_loc"}
    assert notes.validation_classes(checks.problems(without_train_loc)[1]) is None  # all four seen classes
    held["train_loc"] = np.union1d(held["train_loc"], held["val_loc"])
    assert notes.validation_classes(checks.problems(held)[1]) is None
    del held["val_loc"]
    assert notes.validation_classes(checks.problems(held)[1]) is None


def test_images_in_no_split_and_classes_without_image():
    held = without_leak()
    held["test_unseen_loc"] = held["test_unseen_loc"][held["labels"][held["test_unseen_loc"][:, 0] - 1, 0] == 5]
    assert lines_of(held) == [
        "4 images in none of the three splits",
        "one unseen class only ('emu'): the zero-shot accuracy is 1 whatever is trained",
        "no image in any split: 'owl'; an unseen candidate that is never right",
    ]


def test_duplicate_images_within_and_across_splits():
    held = without_leak()
    train, seen, unseen = (held[name][:, 0] - 1 for name in checks.SPLITS.values())
    for copy, original in ((train[1], train[0]), (seen[0], train[0]), (seen[1], train[2]), (unseen[0], train[3])):
        held["features"][:, copy] = held["features"][:, original]
    assert lines_of(held) == [
        "4 images with the same features as an earlier one",
        "2 images of test_seen_loc with the same features as a training image",
        "1 image of test_unseen_loc with the same features as a training image",
    ]


def test_equal_descriptions():
    held = without_leak()
    held["att"][:, 4] = held["att"][:, 1]
    del held["original_att"]
    assert lines_of(held) == ["the same att for 'dog' and 'emu': nothing can tell them apart"]


def test_missing_attributes():
    held = without_leak()
    held["original_att"][[0, 2], 0] = -1
    assert lines_of(held) == ["original_att marks 2 values as missing (-1), of 'cat'"]


@pytest.mark.parametrize("table", [[[-1.0, 1.0]], [[-1.0, 0.0]], [[-1.0, -2.0, 50.0]], [[-1.0]]])
def test_minus_one_is_a_value_where_the_others_are_no_percentages(table):
    assert not missing.marked(np.array(table)).any()


def test_some_labels_that_disagree_with_the_folders():
    held = without_leak()
    cat, dog = (held["image_files"].index(next(f for f in held["image_files"] if name in f)) for name in ("cat", "dog"))
    files = held["image_files"]
    files[cat], files[dog] = files[dog], files[cat]
    assert lines_of(held) == ["2 of 24 images lie in the folder of another class in image_files"]


def test_first_equal_against_a_loop():
    columns = np.random.default_rng(0).integers(0, 2, (3, 40)).astype(np.float32)
    expected = [next(i for i in range(40) if (columns[:, i] == columns[:, j]).all()) for j in range(40)]
    np.testing.assert_array_equal(notes.first_equal(columns), expected)
    np.testing.assert_array_equal(notes.first_equal(np.asfortranarray(columns)), expected)
