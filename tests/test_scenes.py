"""Scenes of two objects and their swapped ones: as data, and what the protocol `matching` makes of any scores."""

import dataclasses

import numpy as np
import pytest

from zsl_jax import config as config_lib
from zsl_jax import data, errors, methods, metrics
from zsl_jax.data import scenes, shapes_rendering
from zsl_jax.training import evaluation, protocols, scoring

TEXTS = [("red cup", "blue hat"), ("blue cup", "red hat"), ("wet cup", "dry dog"), ("dry cup", "wet dog")]


def archive(folder, texts=tuple(TEXTS), per_scene=5, **changes):
    """Features that hold which attribute goes with which object, and a little noise."""
    split = [[text.split() for text in scene] for scene in texts for _ in range(per_scene)]
    attribute, object = (np.array([[text[side] for text in scene] for scene in split]) for side in (0, 1))
    rng = np.random.default_rng(0)
    held = {"features": rng.standard_normal((len(split), 6)), "attribute": attribute, "object": object} | changes
    np.savez(folder / "scenes.npz", **held)
    return str(folder / "scenes.npz")


def test_a_scene_is_rendered_beside_the_one_with_swapped_attributes():
    found = data.load("scenes", num_couples=20, num_per_class=5, inputs="pixels", seed=1)
    table, other = found.classes, scenes.swapped(found.classes.parts)
    assert (found.inputs.shape, len(table)) == ((200, 32, 32, 3), 40)
    assert other.tolist() == [row + 1 - 2 * (row % 2) for row in range(40)]
    for row, name in enumerate(table.names):
        (a, o), (b, p) = (text.split() for text in name.split(" and "))
        assert a != b
        assert o < p
        assert table.names[other[row]] == f"{b} {o} and {a} {p}"
    assert table.is_seen.tolist() == table.is_seen[other].tolist()
    assert int(np.sum(~table.is_seen)) == 10
    assert table.embedding.sum(axis=1).tolist() == [2] * 40
    assert not np.any(np.all(table.embedding == table.embedding[other], axis=1))
    assert set(found.labels[found.splits["train"]]) == set(np.flatnonzero(table.is_seen))
    again = data.load("scenes", num_couples=20, num_per_class=6, inputs="pixels", seed=1)
    np.testing.assert_array_equal(again.inputs[again.labels == 3][:5], found.inputs[found.labels == 3])


def test_both_objects_of_a_scene_are_there_on_either_side():
    """The most saturated pixels of both halves are red in one and blue in the other."""
    pictures = shapes_rendering.render_scene(0, 0, 60, first=("red", "square"), second=("blue", "circle"), pixels=32)
    red, blue = (pictures[..., i].astype(float) - pictures[..., 2 - i] for i in (0, 2))
    places = np.stack([np.argmax(side.reshape(60, -1), axis=1) % 32 < 16 for side in (red, blue)])
    assert np.mean(places[0] != places[1]) > 0.9
    assert 0.3 < places[0].mean() < 0.7


def test_an_archive_names_two_objects_in_any_order(tmp_path):
    texts = [*TEXTS, ("red hat", "blue cup")]  # the second scene, its objects the other way round
    found = data.load("scenes", file=archive(tmp_path, tuple(texts)))
    assert set(found.classes.names) == {" and ".join(scene) for scene in (TEXTS[0], TEXTS[1])} | {
        "dry cup and wet dog",
        "wet cup and dry dog",
    }
    assert np.bincount(found.labels).tolist().count(10) == 1
    assert int(np.sum(found.classes.is_seen)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attribute": np.array(["red"] * 20)}, r"attribute \(20,\) <U3, wanted the texts of two objects per input"),
        ({"texts": (*TEXTS, ("red cup", "red hat"))}, r"row 20 has two objects of one attribute, 'red'"),
        ({"texts": tuple(TEXTS[:3])}, r"1 scenes have one with swapped attributes beside them; 2 are needed"),
        ({"texts": (*TEXTS, ("Red cup", "wet hat"))}, r"one name in two spellings"),
    ],
)
def test_what_is_no_scene_is_one_line(changes, message, tmp_path):
    with pytest.raises(errors.UserError, match=message):
        data.load("scenes", file=archive(tmp_path, **changes))


@pytest.mark.parametrize(("option", "value"), [("num_couples", 3), ("num_per_class", 4), ("semantics", "att")])
def test_options_out_of_range_are_one_line(option, value):
    with pytest.raises(errors.UserError, match=option):
        data.load("scenes", **{option: value})


def asked(source, inputs):
    """What the protocol reports of a tower that embeds images as `inputs` has them, with the task."""
    source = dataclasses.replace(source, inputs=inputs.astype(np.float32))
    choosing, task = protocols.MATCHING.tasks(source, config_lib.base("ale", "scenes"))
    assert choosing == ()
    method = methods.factory("label_similarity")()
    rows = scoring.score_arrays(method, {}, task.sets, task.classes, protocols.MATCHING.looks(task))
    facts = protocols.MATCHING.facts(task.classes)
    return task, evaluation.summarized(protocols.MATCHING, rows, facts, {})


@pytest.fixture(scope="module")
def source():
    return data.load("scenes", num_couples=12, num_per_class=10, size=16)


@pytest.mark.long
def test_any_tower_is_asked_what_loops_ask(source):
    noise = np.random.default_rng(0).standard_normal((len(source.labels), source.classes.embedding.shape[1]))
    task, found = asked(source, source.classes.embedding[source.labels] + 0.7 * noise)
    other = scenes.swapped(task.classes.parts)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (task.sets["unseen"].inputs, task.classes.embedding)]
    scores, labels = unit[0] @ unit[1].T, task.sets["unseen"].labels
    half = len(labels) // 2
    assert (labels[half:] == other[labels[:half]]).all()
    assert not task.classes.is_seen[labels].any()
    matrices = [
        [scores[i, [labels[i], labels[j]]], scores[j, [labels[i], labels[j]]]]
        for i, j in enumerate(range(half, 2 * half))
    ]
    wanted = metrics.matching_accuracy(np.array(matrices))
    right = [scores[i, labels[i]] > scores[i, other[labels[i]]] for i in range(2 * half)]
    measured = found.metrics["matching"]["unseen"]
    np.testing.assert_allclose([measured[name] for name in ("text", "image", "group")], wanted, rtol=1e-6)
    np.testing.assert_allclose(measured["swap"], np.mean(right), rtol=1e-6)
    assert 0.2 < measured["group"] < 0.95
    mine = np.flatnonzero(~task.classes.is_seen)
    assert found.counts["correct"][mine].sum() == np.sum(right)
    assert found.counts["images"][mine].tolist() == np.bincount(labels)[mine].tolist()


def test_a_tower_that_knows_attributes_and_objects_but_not_which_goes_with_which_matches_nothing(source):
    of_pair = source.classes.embedding[source.labels]
    _, found = asked(source, of_pair)
    assert (
        found.metrics["matching"]["unseen"]
        == found.metrics["matching"]["seen"]
        == dict.fromkeys(("text", "image", "group", "swap"), 1.0)
    )
    blind = of_pair + source.classes.embedding[scenes.swapped(source.classes.parts)][source.labels]
    _, found = asked(source, blind)
    assert found.metrics["matching"]["unseen"] == {"text": 0.0, "image": 0.0, "group": 0.0, "swap": 0.5}


def test_other_classes_are_refused():
    with pytest.raises(errors.UserError, match="has no scenes of two objects, which protocol=matching asks for"):
        protocols.MATCHING.tasks(data.load("digits"), config_lib.base("ale", "scenes"))
