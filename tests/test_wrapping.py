"""Prefixes, margins by descriptions, terms on the map itself: by plain loops, alone and around each other."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trainer
import toy

import zsl_jax
from zsl_jax import config as config_lib
from zsl_jax import data, errors, losses, methods
from zsl_jax.methods import objectives
from zsl_jax.verbs import command_line

LABELS = np.array([0, 1, 1, 3, 2, 0])


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=6, num_unseen=2, per_class=8))


def given_of(task, width=None):
    rng = np.random.default_rng(0)
    table = task.seen_classes
    images = rng.standard_normal((6, table.embedding.shape[1])).astype(np.float32)
    batch = data.Batch(images, LABELS, np.ones(6, bool))
    return objectives.of_batch(images, table.embedding, batch, table, small_trainer.KEY)


def distances(descriptions):
    """Of unit vectors, as shares of their mean over pairs of different classes."""
    unit = descriptions / np.linalg.norm(descriptions, axis=1, keepdims=True)
    count = len(unit)
    found = np.array([[np.linalg.norm(unit[i] - unit[j]) for j in range(count)] for i in range(count)])
    return found * count * (count - 1) / found.sum()


def test_margins_of_pairs_are_those_of_loops(task):
    given = given_of(task)
    scores, apart = np.asarray(given.scores), distances(task.seen_classes.embedding)

    def hinges(row, label):
        return [2 * apart[label, c] + scores[row, c] - scores[row, label] for c in range(6) if c != label]

    def softmax(row, label):
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (given.images, given.described)]
        cosines = (unit[0] @ unit[1].T)[row]
        others = [8 * (cosines[c] + 0.25 * apart[label, c]) for c in range(6) if c != label]
        return np.log1p(sum(np.exp(x - 8 * cosines[label]) for x in others))

    expected = {
        "rank_hinge": [sum(max(0.0, h) for h in hinges(*pair)) for pair in enumerate(LABELS)],
        "structured_hinge": [max(0.0, *hinges(*pair)) for pair in enumerate(LABELS)],
        "cosface": [softmax(*pair) for pair in enumerate(LABELS)],
    }
    for name, values in expected.items():
        knobs = {"margin": 0.25, "scale": 8.0} if name == "cosface" else {"margin": 2.0}
        wrapped = objectives.with_margins(objectives.make(name, **knobs), "described")
        np.testing.assert_allclose(wrapped.loss(given), values, rtol=1e-4)
        assert not np.allclose(objectives.make(name, **knobs).loss(given), values, rtol=1e-2)


def test_the_margin_of_a_triplet_is_that_of_its_two_classes(task):
    given = given_of(task).of_unit_length()
    apart, hardest = distances(task.seen_classes.embedding), np.asarray(given.hardest_class)
    x, phi = np.asarray(given.images), np.asarray(given.described)
    expected = [
        max(0.0, 0.5 * apart[y, n] + np.linalg.norm(x[i] - phi[y]) - np.linalg.norm(x[i] - phi[n]))
        for i, (y, n) in enumerate(zip(LABELS, hardest))
    ]
    wrapped = objectives.with_margins(objectives.make("triplet_margin", margin=0.5), "described")
    np.testing.assert_allclose(wrapped.loss(given), expected, rtol=1e-4)
    with pytest.raises(ValueError, match=r"one number or \[B\] \(6,\), not an array \(2,\)"):
        losses.triplet_margin(x, x, x, margin=np.ones(2))


def test_classes_of_one_description_have_one_margin(task):
    table = dataclasses.replace(task.seen_classes, embedding=np.ones_like(task.seen_classes.embedding))
    given = dataclasses.replace(given_of(task), classes=table)
    loss = objectives.make("rank_hinge")
    np.testing.assert_allclose(objectives.with_margins(loss, "described").loss(given), loss.loss(given), rtol=1e-6)


def test_prefixes_and_margins_go_around_sums_negatives_and_each_other(task):
    given = given_of(task)
    asked = objectives.Asked(
        "warp+0.5*info_nce", negatives="hardest", num_negatives=2, prefixes=(3,), score_width=3, margins="described"
    )
    found = asked.objective()
    inner = dataclasses.replace(asked, prefixes=(), score_width=0).objective()

    def cut(width):
        return dataclasses.replace(given, images=given.images[:, :width], described=given.described[:, :width])

    expected = (inner.loss(cut(3)) + inner.loss(given)) / 2
    np.testing.assert_allclose(found.loss(given), expected, rtol=1e-5)
    equal = dataclasses.replace(asked, margins="equal").objective()
    assert not np.allclose(found.loss(given), equal.loss(given), rtol=1e-3)
    np.testing.assert_allclose(found.scores(given.images, given.described), cut(3).scores, rtol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("name", ["bilinear", "label_embedding", "two_tower"])
def test_short_embeddings_learn_what_long_ones_do(name):
    task = data.test_task(toy.dataset(num_seen=16, num_unseen=4, per_class=20))
    width = {"width": 8} if name == "two_tower" else {}
    knobs = {"loss": "info_nce", "prefixes": (4,), "score_width": 4, **width}
    method = small_trainer.make(name, learning_rate=0.03, **knobs) if name == "bilinear" else None
    method = methods.normalized(method or small_trainer.make(name, **knobs))
    state, unseen = small_trainer.fitted(method, task), task.sets["test_unseen"]
    scores = methods.score(method, state, unseen.inputs, task.unseen_classes)
    assert small_trainer.top1(scores, unseen.labels, first=task.num_seen) > 0.5


def test_the_map_reads_and_writes_descriptions(task):
    rng = np.random.default_rng(1)
    vectors, weights = rng.standard_normal((6, 5)), rng.standard_normal((5, task.seen_classes.embedding.shape[1]))
    given = dataclasses.replace(given_of(task), through=(jnp.asarray(vectors), jnp.asarray(weights)))
    own = task.seen_classes.embedding[LABELS]
    expected = [np.sum((v @ weights - y) ** 2) + np.sum((weights @ y - v) ** 2) for v, y in zip(vectors, own)]
    objective = objectives.make("attribute_regression+1*matrix_subspace_projection")
    np.testing.assert_allclose(objective.parts(given)[1], expected, rtol=1e-4)


def test_the_teacher_is_the_encoder_of_inputs_and_descriptions(task):
    rng, given = np.random.default_rng(2), given_of(task)
    inputs, where = rng.standard_normal(given.images.shape), rng.random((6, 6)) < 0.7
    given = dataclasses.replace(given, inputs=jnp.asarray(inputs), candidates=jnp.asarray(where))
    objective = objectives.make("info_nce+1*teacher_divergence", **{"teacher_divergence.scale": 4.0})
    x, phi, z = (
        v / np.linalg.norm(v, axis=1, keepdims=True) for v in (inputs, np.asarray(given.described), given.images)
    )
    for row, found in enumerate(objective.parts(given)[1]):
        p, q = (np.exp(a[row] @ phi[where[row]].T * s) for a, s in ((x, 20.0), (z, 4.0)))
        p, q = p / p.sum(), q / q.sum()
        assert found == pytest.approx(np.sum(p * np.log(p / q)), rel=1e-3, abs=1e-5)
    other = dataclasses.replace(given, inputs=jnp.ones((6, 3)))
    with pytest.raises(errors.UserError, match="must be vectors of one encoder"):
        objective.parts(other)


def test_groups_compete_for_features_as_much_as_is_said(task):
    batch = data.Batch(task.train.inputs[:8], task.train.labels[:8], np.ones(8, bool))
    width = task.classes.embedding.shape[1]
    found = {}
    for form, weight in (("paper", 0.0), ("paper", 0.5), ("published", 0.5)):
        knobs = {"groups": (3, width - 3), "decorrelation": weight, "decorrelated_as": form}
        method = small_trainer.make("attribute_network", **knobs)
        state = small_trainer.started(method, batch, task.train, task.seen_classes)
        step = jax.jit(method.update)
        found[form, weight] = float(step(state, batch, task.seen_classes, small_trainer.KEY)[1]["loss"])
    parts = np.split(np.asarray(state.inner.params["head"]["weights"]), [3], axis=1)
    lasso = sum(np.linalg.norm(part, axis=1).sum() for part in parts)
    assert found["paper", 0.5] - found["paper", 0.0] == pytest.approx(0.5 * lasso, rel=1e-4)
    norms = sum(np.linalg.norm(part) for part in parts)
    assert found["published", 0.5] - found["paper", 0.0] == pytest.approx(0.5 * norms, rel=1e-4)


@pytest.mark.long
def test_an_evidential_loss_knows_what_it_does_not_know():
    rng = np.random.default_rng(0)
    classes = np.eye(6, dtype=np.float32) + 0.2
    labels = np.tile(np.arange(5), 40)
    inputs = classes[labels] + 0.1 * rng.standard_normal((200, 6)).astype(np.float32)
    config = {"loss.kl_weight": 0.01, "train.epochs": 2}
    made = zsl_jax.fit("bilinear", inputs, labels, classes, loss="evidential_log", config=config, say=lambda line: None)
    found = made.uncertainty(inputs[:10])
    evidence = np.log1p(np.exp(made.scores(inputs[:10], gamma=0.0)))
    np.testing.assert_allclose(found, 6 / (6 + evidence.sum(axis=1)), rtol=1e-4)
    assert found.max() <= 1
    kept = json.loads(made.config.to_json())
    kept["method"]["loss"], kept["loss"] = "warp", {"margin": 1.0}
    hinge = config_lib.from_json(kept)
    with pytest.raises(errors.UserError, match="bilinear has no evidence to doubt"):
        dataclasses.replace(made, config=hinge).uncertainty(inputs[:10])


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"method.loss": "info_nce", "method.margins": "described"}, "has no margin between two classes"),
        ({"method.loss": "arcface", "method.margins": "described"}, "has no margin between two classes"),
        ({"method.margins": "far"}, "method.margins=far is not equal or described"),
        ({"method.prefixes": "0,3"}, "method.prefixes"),
    ],
)
def test_what_does_not_go_together_is_one_line(overrides, says):
    with pytest.raises(errors.UserError) as caught:
        jax.block_until_ready(methods.bilinear(**_knobs(command_line.recipe("bilinear:digits", overrides))))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def _knobs(config):
    return {name: value for name, value in config.method.items() if name != "name"}


def test_lengths_beyond_the_attributes_and_penalties_without_groups_are_named(task):
    batch = data.Batch(task.train.inputs[:8], task.train.labels[:8], np.ones(8, bool))
    for name in ("bilinear", "label_embedding"):
        method = small_trainer.make(name, prefixes=(99,))
        with pytest.raises(errors.UserError, match="prefixes: 99 is not a length of embeddings of"):
            small_trainer.started(method, batch, task.train, task.seen_classes)
    with pytest.raises(errors.UserError, match=r"decorrelation=0\.1 lets groups of attributes compete"):
        small_trainer.make("attribute_network", decorrelation=0.1)
