"""Archives of features: what they become, and what is refused in a line."""

import numpy as np
import pytest

from zsl_jax import data, errors
from zsl_jax.data import arrays
from zsl_jax.training import problems
from zsl_jax.verbs import command_line

CLASSES, PER_CLASS = 6, 10
LABELS = np.repeat(np.arange(CLASSES), PER_CLASS)
GROUPS = np.array([7, 7, 7, 2, 2, 9])
ARRAYS = {
    "features": np.arange(CLASSES * PER_CLASS * 3.0).reshape(-1, 3).astype(np.float16),
    "labels": LABELS.astype(np.int16),
    "coarse": GROUPS[LABELS],
    "split": np.tile([0, 0, 0, 0, 0, 0, 1, 2, 2, 2], CLASSES),
    "attributes": np.eye(CLASSES, 4) + 1,
    "iconic_features": np.eye(CLASSES, 3) + 1,
    "descriptions": np.array(["red apple", "green apple", "sour apple", "red plum", "blue plum", "milk"]),
    "class_names": np.array(list("abcdef")),
}


@pytest.fixture
def load(tmp_path):
    def save_and_load(changed=(), *, absent=(), **options):
        arrays = {name: value for name, value in {**ARRAYS, **dict(changed)}.items() if name not in absent}
        np.savez(tmp_path / "food.npz", **arrays)
        return data.load("npz", file=str(tmp_path / "food.npz"), **{"num_unseen": 2, **options})

    return save_and_load


def test_splits_follow_the_archive(load):
    food = load(semantics="attributes", seed=3)
    is_seen = food.classes.is_seen
    assert (food.name, food.classes.names, is_seen.sum()) == ("food", tuple("abcdef"), 4)
    assert food.inputs.dtype == np.float32
    np.testing.assert_array_equal(food.classes.embedding, ARRAYS["attributes"])
    split = ARRAYS["split"]
    expected = {
        "train": is_seen[LABELS] & (split < 2),
        "test_seen": is_seen[LABELS] & (split == 2),
        "test_unseen": ~is_seen[LABELS],
    }
    for name, mask in expected.items():
        np.testing.assert_array_equal(food.splits[name], np.flatnonzero(mask))
    assert list(food.info["files"]) == ["food.npz"]
    np.testing.assert_array_equal(load(semantics="iconic", seed=3).classes.is_seen, is_seen)
    assert any(np.any(load(semantics="iconic", seed=seed).classes.is_seen != is_seen) for seed in range(4))


def test_features_may_be_those_of_patches(load):
    patches = np.random.default_rng(0).standard_normal((60, 3, 5))
    found = load({"features": patches})
    np.testing.assert_array_equal(found.inputs, patches.astype(np.float32))
    patches[7] = 0
    with pytest.raises(errors.UserError, match="features: row 7 is all zeros"):
        load({"features": patches})


def test_a_fifth_of_the_seen_images_is_drawn_where_the_archive_does_not_split(load):
    food = load(absent=["split", "class_names"], semantics="iconic")
    counts = {name: np.bincount(food.labels[rows], minlength=CLASSES) for name, rows in food.splits.items()}
    np.testing.assert_array_equal(counts["test_seen"], np.where(food.classes.is_seen, 2, 0))
    np.testing.assert_array_equal(sum(counts.values()), np.full(CLASSES, PER_CLASS))
    assert food.classes.names[0] == "class 0"


@pytest.mark.parametrize("coarse", [GROUPS[LABELS], GROUPS])
def test_classes_share_their_group_and_the_root(load, coarse):
    table = load({"coarse": coarse}, semantics="hierarchy").classes.embedding
    assert table.shape == (CLASSES, CLASSES + 3 + 1)
    np.testing.assert_array_equal(table @ table.T, 1 + np.equal.outer(GROUPS, GROUPS) + np.eye(CLASSES))


def test_words_are_those_of_seen_classes(load):
    food = load(semantics="descriptions")
    used = food.classes.embedding[food.classes.is_seen] > 0
    assert np.all(used.any(axis=0))
    np.testing.assert_allclose(np.linalg.norm(food.classes.embedding[food.classes.is_seen], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"semantics": "iconik"}, "did you mean 'iconic'"),
        ({}, {"num_unseen": 5}, "num_unseen=5 of the 6 classes in food.npz: hold out 0 to 4"),
        ({"labels": LABELS + 1}, {}, "labels must be the rows of the classes"),
        ({"labels": LABELS[:-1]}, {}, r"features \(60, 3\) and labels \(59,\)"),
        ({"labels": LABELS - 1}, {}, "labels must be the rows of the classes, .* these are 6 from -1 to 4"),
        ({"labels": np.where(LABELS == 5, 6, LABELS)}, {}, "each with an image; these are 6 from 0 to 6"),
        ({"labels": np.where(LABELS == 5, 2**40, LABELS)}, {}, "entry 50 is 1099511627776, beyond any number"),
        ({"labels": LABELS + 0.5}, {}, "labels: entry 0 is 0.5, not a whole number"),
        ({"labels": LABELS.astype(str)}, {}, "labels: <U21, not whole numbers"),
        ({"features": np.full((60, 3), np.nan)}, {}, "not finite"),
        ({"features": np.where(LABELS[:, None] == 2, 1e39, np.ones((60, 3)))}, {}, "row 20 holds .* beyond float32"),
        ({"features": np.where(LABELS[:, None] == 2, 1e-60, np.ones((60, 3)))}, {}, "row 20 is all zeros, and 9 more"),
        ({"features": np.zeros((60, 0))}, {}, r"features \(60, 0\)"),
        ({"features": np.ones((60, 3), complex)}, {}, "features: complex128, not numbers"),
        ({"features": np.zeros((60, 3), "M8[s]")}, {}, r"features: datetime64\[s\], not numbers"),
        ({"features": np.zeros((60, 3), [("a", "f4")])}, {}, "not numbers"),
        ({"features": np.full((60, 3), "1.5")}, {}, "features: <U3, not numbers"),
        ({"coarse": np.arange(60) % 7}, {}, "different groups"),
        ({"coarse": np.zeros(5)}, {}, r"one group per image or per class, \(60,\) or \(6,\)"),
        ({"descriptions": np.array(["a"])}, {"semantics": "descriptions"}, "a text for each of 6 classes"),
        ({"descriptions": np.arange(6)}, {"semantics": "descriptions"}, "descriptions are int64, not text"),
        (
            {"descriptions": np.array([b"\xe9"] * 6)},
            {"semantics": "descriptions"},
            "bytes in another encoding, not text",
        ),
        (
            {"descriptions": np.array([*["red plum"] * 5, ""])},
            {"semantics": "descriptions"},
            "description of 'f' is all zeros",
        ),
        ({"attributes": np.eye(5)}, {"semantics": "attributes"}, "does not describe 6 classes"),
        ({"attributes": np.zeros((6, 0))}, {"semantics": "attributes"}, "does not describe 6 classes"),
        ({"attributes": np.eye(6, 5)}, {"semantics": "attributes"}, "the description of 'f' is all zeros"),
        ({"attributes": np.ones((6, 2))}, {"semantics": "attributes"}, "all 6 classes have the same description"),
        ({"attributes": np.full((6, 4), "1")}, {"semantics": "attributes"}, "attributes: <U1, not numbers"),
        ({"coarse": np.full(6, np.nan)}, {}, "coarse: entry 0 is nan, not a whole number"),
        ({"split": np.full(60, 3)}, {}, "split must hold 0, 1 or 2"),
        ({"split": np.full(60, 2)}, {}, "has no training image"),
        ({"split": np.full(60, "0")}, {}, "split must hold 0, 1 or 2"),
        ({"split": np.zeros(60)}, {}, r"no seen test image \(none of split 2\)"),
        ({"class_names": np.array(["a"])}, {}, "wanted one for each of 6 classes"),
        ({"class_names": np.array(["a"] * 6)}, {}, "'a' named twice"),
        ({"class_names": np.array([*"abcde", " "])}, {}, "class 5 has no name"),
        ({"class_names": np.array([*"abcde", "f\ng"])}, {}, "a line break"),
        ({"class_names": np.array([b"\xe9"] * 6)}, {}, "bytes in another encoding"),
        ({"class_names": np.arange(6.0)}, {}, "class_names are float64, not text"),
    ],
)
def test_what_is_wrong_is_a_line(load, changed, options, message):
    with pytest.raises(errors.UserError, match=message):
        load(changed, **options)


def test_what_is_missing_is_named(load, tmp_path):
    with pytest.raises(errors.UserError, match="no attributes, which semantics=attributes needs; it offers hierarchy"):
        load(absent=["attributes"], semantics="attributes")
    with pytest.raises(errors.UserError, match=r"food\.npz has no labels, only"):
        load(absent=["labels"])
    with pytest.raises(errors.UserError, match="has an array 'Splits', which is not read; did you mean 'split'"):
        load({"Splits": ARRAYS["split"]}, absent=["split"])
    with pytest.raises(errors.UserError, match=r"no seen test image \(too few images per class"):
        load({"features": np.eye(6), "labels": np.arange(6), "coarse": GROUPS}, absent=["split"])
    with pytest.raises(errors.UserError, match=r"--config\.data\.file=FILE"):
        data.load("npz")
    with pytest.raises(errors.UserError, match="cannot read"):
        data.load("npz", file=tmp_path / "none.npz")
    for content in (b"no archive", b""):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(errors.UserError, match=r"is no \.npz archive of plain arrays"):
            data.load("npz", file=tmp_path / "bad.npz")
    np.savez(tmp_path / "pickled.npz", features=np.array([{}], object))
    with pytest.raises(errors.UserError, match=r"pickled\.npz: features holds Python objects"):
        data.load("npz", file=tmp_path / "pickled.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, np.float32, ">i2"])
def test_whole_numbers_of_any_type_are_labels(load, dtype):
    found = load({"labels": LABELS.astype(dtype)}, semantics="attributes")
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.labels.dtype == np.int32


def test_text_may_be_bytes_and_names_are_composed(load):
    names = np.array(["e\u0301el", "b", "c", "d", "e", "f"])
    plain = load({"class_names": names}, semantics="descriptions")
    found = load(
        {
            "class_names": np.array([name.encode() for name in names]),
            "descriptions": np.array([text.encode() for text in ARRAYS["descriptions"]]),
        },
        semantics="descriptions",
    )
    assert found.classes.names == plain.classes.names == ("\u00e9el", *"bcdef")
    np.testing.assert_array_equal(found.classes.embedding, plain.classes.embedding)


def test_missing_percentages_are_the_mean_of_the_seen_classes(load):
    table = np.array([[-1.0, 10], [20, 30], [40, 50], [60, 70], [80, 90], [100, 5]])
    found = load({"attributes": table}, semantics="attributes")
    others = found.classes.is_seen & (np.arange(CLASSES) > 0)
    assert found.classes.embedding[0, 0] == np.float32(table[others, 0].mean())
    np.testing.assert_array_equal(found.classes.embedding[1:], table[1:])
    fractions = np.where(table < 0, -1, table / 100)
    np.testing.assert_array_equal(
        load({"attributes": fractions}, semantics="attributes").classes.embedding, np.float32(fractions)
    )


@pytest.mark.parametrize("method", ["ale", "dap", "eszsl"])
def test_a_method_on_vectors_refuses_patches_before_anything_is_done(load, method, tmp_path):
    load({"features": np.random.default_rng(0).standard_normal((60, 3, 5))})
    keys = {"data.file": str(tmp_path / "food.npz"), "data.semantics": "attributes", "data.num_unseen": "2"}
    config = command_line.recipe(f"{method}:npz", keys)
    with pytest.raises(errors.UserError, match=r"(dap|ale) cannot compare inputs \[3, 5\] with|closed form needs"):
        problems.make_problem(config)


def test_an_archive_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    """Its sha256 would be that of other numbers."""
    np.savez(tmp_path / "food.npz", **ARRAYS)
    members = arrays.members

    def changing(path, opened):
        with path.open("ab") as file:
            file.write(b"more")
        return members(path, opened)

    monkeypatch.setattr(arrays, "members", changing)
    with pytest.raises(errors.UserError, match=r"food\.npz changed while it was read"):
        arrays.read(tmp_path / "food.npz")
