"""Each way to break a benchmark yields its own line; a whole one yields none."""

import numpy as np
import pytest
import tiny_xlsa17

from zsl_jax.data import checks


def broken(name: str, change) -> tuple[list[str], dict]:
    held = tiny_xlsa17.variables()
    value = change(held[name].copy())
    return checks.problems({**held, name: value} if value is not None else {**held})


def put(value, *index):
    """A change that sets the entries at `index`."""

    def change(array):
        if isinstance(array, np.ndarray) and isinstance(value, float):
            array = array.astype(float)
        array[index if len(index) > 1 else index[0]] = value
        return array

    return change


def test_a_whole_benchmark_has_no_problem():
    held = tiny_xlsa17.variables()
    found, sound = checks.problems(held)
    assert found == []
    assert sound.keys() == held.keys()
    assert sound["labels"].shape == (24,)
    assert sound["trainval_loc"].dtype == np.int64
    np.testing.assert_array_equal(sound["trainval_loc"], held["trainval_loc"][:, 0])


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("features", lambda x: x.T, "features: 5 columns for the 24 images of labels; it is transposed"),
        ("features", lambda x: x[:, :20], "features: 20 columns for the 24 images of labels"),
        ("features", lambda x: x[0], "features: shape [24]; [F, N] is wanted, one column per image"),
        ("features", lambda x: ["a", "b"], "features: 2 strings; [F, N] is wanted, one column per image"),
        ("features", put(np.nan, 2, 6), "features: 1 value NaN, Inf or beyond float32, the first in image 7"),
        ("features", put(np.inf, 2, 6), "features: 1 value NaN, Inf or beyond float32, the first in image 7"),
        ("features", put(-np.inf, 2, [6, 9]), "features: 2 values NaN, Inf or beyond float32, the first in image 7"),
        ("features", put(1e39, 2, 6), "features: 1 value NaN, Inf or beyond float32, the first in image 7"),
        (
            "features",
            put(0.0, slice(None), [3, 6]),
            "features: 2 images whose features are all zeros, the first is image 4",
        ),
        (
            "features",
            put(1e-60, slice(None), 3),
            "features: 1 image whose features are all zeros, the first is image 4",
        ),
        ("labels", lambda x: x.astype(float) * 1e300, "labels: entry 1 is 5e+300; whole numbers from 1 are wanted"),
        (
            "labels",
            lambda x: np.where(np.arange(24)[:, None] == 2, np.uint64(2**63 + 5), x.astype(np.uint64)),
            "labels: entry 3 is 9223372036854775813; whole numbers from 1 are wanted",
        ),
        ("labels", put(7, 0), "labels: 1 image of a class above 6, the highest 7: no attribute column for it"),
        ("labels", lambda x: x - 1, "labels: 4 images of a class below 1, the lowest 0; labels count from 1"),
        ("labels", put(2.5, 3), "labels: entry 4 is 2.5; whole numbers from 1 are wanted"),
        ("labels", put(np.inf, 3), "labels: entry 4 is inf; whole numbers from 1 are wanted"),
        ("labels", lambda x: x.reshape(4, 6), "labels: shape [4, 6]; a vector of whole numbers is wanted"),
        (
            "labels",
            lambda x: x % 6 + 1,
            "labels: only 0 of 24 images lie in the folder of their class in image_files; "
            "labels must be positions in allclasses_names",
        ),
        ("allclasses_names", put("cat", 3), "allclasses_names: 'cat' named twice"),
        ("allclasses_names", put(" ", 3), "allclasses_names: class 4 has no name"),
        ("att", lambda x: x[:0], "att: shape [0, 6]; no attribute"),
        ("allclasses_names", lambda x: np.eye(6), "allclasses_names: shape [6, 6]; a cell of class names is wanted"),
        ("att", lambda x: x[:, :5], "att: 5 columns for the 6 classes of allclasses_names"),
        ("att", lambda x: x.T, "att: 4 columns for the 6 classes of allclasses_names; it is transposed"),
        ("att", lambda x: x[0], "att: shape [6]; [A, C] is wanted, one column per class"),
        ("att", put(np.nan, 1, 2), "att: NaN, Inf or a value beyond float32 in the description of 'ox'"),
        ("att", put(np.inf, 1, [2, 4]), "att: NaN, Inf or a value beyond float32 in the description of 'ox', 'emu'"),
        ("att", put(1e200, 1, 2), "att: NaN, Inf or a value beyond float32 in the description of 'ox'"),
        ("att", put(0.0, slice(None), 3), "att: an empty class: the description of 'gnu' is all zeros"),
        ("att", np.ones_like, "att: all 6 classes have the same description: nothing tells them apart"),
        (
            "original_att",
            put(np.nan, 1, 2),
            "original_att: NaN, Inf or a value beyond float32 in the description of 'ox'",
        ),
        (
            "att",
            lambda x: x[:, [1, 0, 2, 3, 4, 5]],
            "att: 2 columns in another class order than original_att: that of 'cat' is there that of 'dog'",
        ),
        ("trainval_loc", put(25, 3), "trainval_loc: 1 index outside 1..24, the first 25"),
        ("trainval_loc", put(0, [3, 4]), "trainval_loc: 2 indices outside 1..24, the first 0"),
        ("val_loc", put(99, 0), "val_loc: 1 index outside 1..24, the first 99"),
        ("test_seen_loc", lambda x: x[:0], "test_seen_loc: no image in it"),
        ("test_seen_loc", lambda x: x[[0, 0, 1, 2, 3]], "test_seen_loc: 1 image listed twice"),
        ("test_unseen_loc", put(1.5, 0), "test_unseen_loc: entry 1 is 1.5; whole numbers from 1 are wanted"),
    ],
)
def test_what_is_wrong_with_one_variable(name, change, expected):
    found, sound = broken(name, change)
    assert found == [expected]
    assert name not in sound


def test_splits_that_overlap():
    held = tiny_xlsa17.variables()
    held["test_seen_loc"] = np.concatenate([held["test_seen_loc"], held["trainval_loc"][:2]])
    assert checks.problems(held)[0] == ["trainval_loc and test_seen_loc overlap: 2 images in both"]


def test_classes_that_are_seen_and_unseen():
    held = tiny_xlsa17.variables()
    moved, held["test_unseen_loc"] = held["test_unseen_loc"][:1], held["test_unseen_loc"][1:]
    held["trainval_loc"] = np.concatenate([held["trainval_loc"], moved])
    name = held["allclasses_names"][held["labels"][moved[0, 0] - 1, 0] - 1]
    expected = f"seen and unseen classes overlap: {name!r} in both trainval_loc and test_unseen_loc"
    assert checks.problems(held)[0] == [expected]


def test_a_seen_class_without_a_training_image():
    held = tiny_xlsa17.variables()
    labels_of_train = held["labels"][held["trainval_loc"][:, 0] - 1, 0]
    held["trainval_loc"] = held["trainval_loc"][labels_of_train != 3]
    assert checks.problems(held)[0] == ["'ox' in test_seen_loc without a training image in trainval_loc"]


def test_one_seen_class_is_not_enough():
    held = tiny_xlsa17.variables()
    for name in ("trainval_loc", "test_seen_loc"):
        held[name] = held[name][held["labels"][held[name][:, 0] - 1, 0] == 3]
    assert checks.problems(held)[0] == ["1 seen class in trainval_loc; training needs at least 2"]


def test_several_problems_are_all_listed():
    held = tiny_xlsa17.variables()
    held["features"][0, 0] = np.nan
    held["att"][:, 0] = 0.0
    held["trainval_loc"][0] = 1000
    found, sound = checks.problems(held)
    assert [line.split(":")[0] for line in found] == ["att", "features", "trainval_loc"]
    assert sound.keys() == held.keys() - {"att", "features", "trainval_loc"}


@pytest.mark.parametrize("name", list(tiny_xlsa17.variables()))
def test_an_absent_variable_is_no_problem(name):
    held = tiny_xlsa17.variables()
    del held[name]
    assert checks.problems(held)[0] == []


def test_descriptions_in_other_units_are_not_called_permuted():
    held = tiny_xlsa17.variables()
    held["att"] = held["att"] - held["att"].mean(axis=1, keepdims=True)
    assert checks.problems(held)[0] == []


def test_files_elsewhere_than_in_class_folders_are_not_compared():
    held = tiny_xlsa17.variables()
    held["image_files"] = [f"JPEGImages/{i}.jpg" for i in range(24)]
    assert checks.in_class_folder(checks.problems(held)[1]) == (0, 0)
