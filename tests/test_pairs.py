"""Pairs of attribute and object as data: archives, folders, the field's layout, splits, and what is refused."""

import numpy as np
import pytest

from zsl_jax import data, errors
from zsl_jax.data import pair_splits

ATTRIBUTES, OBJECTS = ("old", "red", "wet"), ("apple", "car", "dog", "hat")


def arrays(per_pair=5, **changes):
    """Features of all 12 pairs, near the sum of a vector of either part."""
    rng = np.random.default_rng(0)
    parts = [(a, o) for a in ATTRIBUTES for o in OBJECTS for _ in range(per_pair)]
    vectors = {name: 3 * rng.standard_normal(16) for name in ATTRIBUTES + OBJECTS}
    features = np.stack([vectors[a] + vectors[o] for a, o in parts]) + 0.5 * rng.standard_normal((len(parts), 16))
    attribute, object = (np.array(side) for side in zip(*parts))
    return {"features": features.astype(np.float32), "attribute": attribute, "object": object} | changes


def write(folder, held, name="own.npz"):
    np.savez(folder / name, **{key: value for key, value in held.items() if value is not None})
    return str(folder / name)


def test_unseen_pairs_are_drawn_so_that_every_part_stays_seen(tmp_path):
    found = data.load("pairs", file=write(tmp_path, arrays()), unseen_count=5, seed=3)
    table = found.classes
    assert (len(table), int(np.sum(~table.is_seen)), found.parts) == (12, 5, (ATTRIBUTES, OBJECTS))
    train, test = (found.labels[found.splits[name]] for name in ("train", "test"))
    assert set(train) == set(np.flatnonzero(table.is_seen))
    assert {side: set(table.parts[train, side]) for side in (0, 1)} == {0: {0, 1, 2}, 1: {0, 1, 2, 3}}
    assert sorted(np.concatenate([found.splits["train"], found.splits["test"]])) == list(range(60))
    assert np.bincount(test, minlength=12).tolist() == np.where(table.is_seen, 1, 5).tolist()
    assert table.names[int(train[0])] == " ".join(
        (ATTRIBUTES[table.parts[train[0], 0]], OBJECTS[table.parts[train[0], 1]])
    )
    # Two-hot descriptions, and other pairs by another seed.
    assert table.embedding.sum(axis=1).tolist() == [2] * 12
    assert np.argmax(table.embedding[:, 3:], axis=1).tolist() == table.parts[:, 1].tolist()
    other = data.load("pairs", file=str(tmp_path / "own.npz"), unseen_count=5, seed=4)
    assert other.classes.is_seen.tolist() != table.is_seen.tolist()


def test_as_many_pairs_are_left_out_as_can_be():
    parts = np.array([(a, o) for a in range(3) for o in range(4)])
    left_out = pair_splits.draw(parts, 12, np.random.default_rng(0))
    assert len(left_out) == 12 - 4  # four pairs cover three attributes and four objects
    kept = np.delete(parts, left_out, axis=0)
    assert [len(np.unique(kept[:, side])) for side in (0, 1)] == [3, 4]


def test_a_given_split_is_kept_and_validation_has_unseen_pairs_of_its_own(tmp_path):
    held = arrays()
    pair = np.repeat(np.arange(12), 5)
    split = np.where(np.arange(60) % 5 == 0, "test", "train")
    split[np.isin(pair, (0, 5))] = "test"
    split[np.isin(pair, (10,))] = "val"
    split[1] = "val"  # an input of a pair that the test asks for
    found = data.load("pairs", file=write(tmp_path, held | {"split": split}))
    assert np.flatnonzero(~found.classes.is_seen).tolist() == [0, 5, 10]
    assert found.splits["validation"].tolist() == [50, 51, 52, 53, 54]
    assert found.info["split"] == "given; 1 validation inputs of unseen test pairs left out"
    numbers = np.array([{"train": 0.0, "val": 1.0, "test": 2.0}[use] for use in split])
    same = data.load("pairs", file=write(tmp_path, held | {"split": numbers}))
    assert {name: rows.tolist() for name, rows in same.splits.items()} == {
        name: rows.tolist() for name, rows in found.splits.items()
    }
    split[pair == 10] = "train"
    assert "validation" not in data.load("pairs", file=write(tmp_path, held | {"split": split})).splits


def test_a_list_names_the_unseen_pairs_in_any_spelling(tmp_path):
    (tmp_path / "unseen.txt").write_text("attribute,object\nOld,car\n\nwet_dog\n")
    file = write(tmp_path, arrays())
    found = data.load("pairs", file=file, unseen_file=str(tmp_path / "unseen.txt"))
    assert [found.classes.names[row] for row in np.flatnonzero(~found.classes.is_seen)] == ["old car", "wet dog"]
    (tmp_path / "unseen.txt").write_text("old cart\n")
    with pytest.raises(errors.UserError, match=r"line 1 of unseen.txt 'old cart': did you mean 'old car'"):
        data.load("pairs", file=file, unseen_file=str(tmp_path / "unseen.txt"))


def test_other_arrays_may_hold_the_parts_and_paths_may_name_them(tmp_path):
    held = arrays()
    files = np.array([f"{a}_{o}/{i}.jpg" for i, (a, o) in enumerate(zip(held["attribute"], held["object"]))])
    wanted = data.load("pairs", file=write(tmp_path, held))
    by_files = data.load("pairs", file=write(tmp_path, {"features": held["features"], "files": files}, "own2.npz"))
    renamed = {"features": held["features"], "state": held["attribute"], "thing": held["object"]}
    by_name = data.load("pairs", file=write(tmp_path, renamed, "own3.npz"), attribute="state", object="thing")
    for found in (by_files, by_name):
        np.testing.assert_array_equal(found.labels, wanted.labels)
        assert found.classes.names == wanted.classes.names


def replaced(name, row, value):
    changed = arrays()[name].astype("U20")
    changed[row] = value
    return {name: changed}


ONE_TRAINED = np.array(["test" if a == "wet" or i % 5 == 0 else "train" for i, a in enumerate(arrays()["attribute"])])
WRONG = {
    "no object": (replaced("object", 7, ""), {}, r"row 7 has no object \(''\) beside 'old'"),
    "not applicable": (replaced("attribute", 3, "NA"), {}, r"row 3 has no attribute \('NA'\) beside 'apple'"),
    "two spellings": (replaced("attribute", 3, "Old"), {}, "attribute 'old' and 'Old' are one name in two spellings"),
    "hyphens": (replaced("object", 3, "a-car") | replaced("object", 4, "a-car"), {}, None),
    "new part": ({"split": ONE_TRAINED}, {}, "the attribute 'wet' is in no training pair"),
    "new part allowed": ({"split": ONE_TRAINED}, {"new_parts": True}, None),
    "no test": ({"split": np.zeros(60, int)}, {}, "has no features in its split test"),
    "no unseen": ({"split": np.arange(60) % 2 * 2}, {}, "has no test features of unseen pairs"),
    "strange split": ({"split": np.full(60, 3)}, {}, r"split '3' is none of train, validation, test \(or 0, 1, 2\)"),
    "too many": ({}, {"unseen_count": 9}, r"of its 12 pairs 8 can be unseen .* not 9"),
    "lengths": ({"object": arrays()["object"][:59]}, {}, "59 entries of object for 60 features"),
    "no parts": (
        {"attribute": None, "attributes": arrays()["attribute"]},
        {},
        "did you mean --config.data.attribute=att",
    ),
    "no inputs": ({"features": None}, {}, "has neither features nor images, only attribute, object"),
    "zeros": ({"features": np.zeros((60, 4))}, {}, "features: row 0 is all zeros"),
    "no words": ({}, {"semantics": "words"}, "semantics=words needs word vectors"),
    "semantics": ({}, {"semantics": "two_hat"}, "did you mean 'two_hot'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_will_not_do_is_one_line(case, tmp_path):
    changes, options, message = WRONG[case]
    file = write(tmp_path, arrays() | changes)
    if message is None:
        assert len(data.load("pairs", file=file, **options).labels) == 60
        return
    with pytest.raises(errors.UserError, match=message) as error:
        data.load("pairs", file=file, **options)
    assert "\n" not in str(error.value)
