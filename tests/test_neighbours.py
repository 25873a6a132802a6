"""Class means, votes of stored images and a learned metric, against the formulas by naive loops."""

import dataclasses
import functools
import importlib

import jax
import numpy as np
import pytest
import small_trainer
import toy

from zsl_jax import data, errors, methods
from zsl_jax.data import few_shot
from zsl_jax.methods import prototypes
from zsl_jax.methods.nca import disagreement

nadaraya_watson = importlib.import_module("zsl_jax.methods.nadaraya_watson")


@functools.cache
def task() -> data.Task:
    """Of the unseen classes one has two labelled images, one has one, the others have none."""
    given = data.test_task(toy.dataset())
    two, one, _ = given.unseen_classes.names
    return few_shot.few_shot(given, {two: 2, one: 1}, seed=0)


def finished(method, given=None):
    given = task() if given is None else given
    return small_trainer.fitted(method, given, epochs=2, batch_size=16)


def scored(method, state, inputs, classes):
    return np.asarray(jax.jit(lambda *given: methods.score(method, *given))(state, inputs, classes))


def naive_means(x, labels, phi, *, prior, ridge):
    """m, and the described prototypes as a function, by the normal equations of the weighted problem."""
    known = range(len(phi))
    counts = np.array([np.sum(labels == s) for s in known], float)
    own = np.stack([x[labels == s].mean(axis=0) for s in known]).astype(float)
    w = counts / (counts + prior)
    p, m = w @ phi / w.sum(), w @ own / w.sum()
    rows = phi - p
    strength = ridge * np.sum(w[:, None] * rows**2) / w.sum()
    left = rows.T @ (w[:, None] * rows) + strength * np.eye(phi.shape[1])
    matrix = np.linalg.solve(left, rows.T @ (w[:, None] * (own - m)))
    return m, lambda attributes: (attributes - p) @ matrix


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def squared(x, v):
    return -np.sum((x[:, None] - v[None]) ** 2, axis=2)


SCORES = {"cosine": lambda x, v: unit(x) @ unit(v).T, "dot": lambda x, v: x @ v.T, "euclidean": squared}


@pytest.mark.parametrize(("prior", "score"), [(0.0, "euclidean"), (3.0, "cosine"), (1.0, "dot")])
def test_class_means_are_those_of_images_and_descriptions(prior, score):
    train, classes = task().train, task().classes
    assert 6 < classes.num_trained < len(classes), "some unseen classes have images, some have none"
    method = methods.class_means(prior=prior, class_ridge=0.2, score=score)
    x, labels, phi = train.inputs, train.labels, classes.embedding[: classes.num_trained]
    m, described = naive_means(x, labels, phi, prior=prior, ridge=0.2)
    vectors = []
    for row, attributes in enumerate(classes.embedding):
        total, count = prior * described(attributes), prior
        for one in x[labels == row]:
            total, count = total + (one - m), count + 1
        vectors.append(total / count if count else described(attributes))
    inputs = task().sets["test_unseen"].inputs
    found = scored(method, finished(method), inputs, classes)
    np.testing.assert_allclose(found, SCORES[score](inputs - m, np.stack(vectors)), rtol=1e-3, atol=1e-3)


def naive_votes(inputs, candidates, *, temperature, neighbours, prior, score):
    """F by loops over inputs, candidates and stored images; `candidates` are rows of the table."""
    train, classes = task().train, task().classes
    x, labels, phi = train.inputs, train.labels, classes.embedding[: classes.num_trained]
    m, described = naive_means(x, labels, phi, prior=0.0, ridge=0.2)
    kernel = np.exp(SCORES[score](inputs - m, x - m) / temperature)
    scores = np.zeros((len(inputs), len(candidates)))
    for i, weights in enumerate(kernel):
        near = np.argsort(-weights)[: neighbours or len(x)]
        for place, row in enumerate(candidates):
            prototype = described(classes.embedding[row])
            votes = sum(weights[n] for n in near if labels[n] == row)
            votes += prior * np.exp(SCORES[score](inputs[i : i + 1] - m, prototype[None])[0, 0] / temperature)
            scores[i, place] = np.log(votes / (np.sum(labels == row) + prior))
    return scores


@pytest.mark.parametrize(
    ("neighbours", "score", "rows"), [(0, "cosine", 4096), (5, "cosine", 7), (3, "euclidean", 7), (999, "cosine", 7)]
)
def test_stored_images_vote_by_their_nearness(neighbours, score, rows, monkeypatch):
    """All at once or seven at a time; among all classes and among some in another order."""
    monkeypatch.setattr(nadaraya_watson, "_ROWS", rows)
    knobs = {"temperature": 0.5, "neighbours": neighbours, "prior": 0.7, "score": score}
    method = methods.nadaraya_watson(class_ridge=0.2, **knobs)
    state, inputs = finished(method), task().sets["test_unseen"].inputs[:9]
    assert state["images"].shape[0] == -(-len(task().train.labels) // rows)
    for candidates in (np.arange(len(task().classes)), np.array([8, 6, 2])):
        found = scored(method, state, inputs, task().classes[candidates])
        np.testing.assert_allclose(found, naive_votes(inputs, candidates, **knobs), rtol=1e-3, atol=1e-3)


def test_votes_too_small_for_a_float_leave_the_described_prototype():
    method = methods.nadaraya_watson(temperature=1e-3)
    found = scored(method, finished(method), task().sets["test_seen"].inputs, task().classes)
    assert np.all(np.isfinite(found))


def test_classes_of_one_description_share_their_images():
    """Two classes described in the same way are one class under two names."""
    table = np.array(task().classes.embedding)
    table[3] = table[1]
    twins = dataclasses.replace(task(), classes=dataclasses.replace(task().classes, embedding=table))
    inputs, x = task().sets["test_seen"].inputs, twins.train.inputs
    of_both = np.isin(twins.train.labels, [1, 3])
    method = methods.class_means(prior=0.0, score="dot")
    state = finished(method, twins)
    found, m = scored(method, state, inputs, twins.classes), np.asarray(state.value.centre)
    expected = (inputs - m) @ (x[of_both].mean(axis=0) - m)
    np.testing.assert_allclose(found[:, [1, 3]], np.stack([expected, expected], axis=1), rtol=1e-3, atol=1e-3)
    method = methods.nadaraya_watson(temperature=0.5, prior=1e-6)
    state = finished(method, twins)
    found, m = scored(method, state, inputs, twins.classes), np.asarray(state["means"].centre)
    kernel = np.exp(unit(inputs - m) @ unit(x[of_both] - m).T / 0.5)
    np.testing.assert_allclose(found[:, 1], np.log(kernel.mean(axis=1)), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(found[:, 3], found[:, 1])


def test_an_unknown_score_is_refused():
    with pytest.raises(errors.UserError, match=r"unknown score 'cosines'.*cosine"):
        prototypes.similarity_of("cosines")


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, -1], [0, 1, 2, 3, 4, 5]])
def test_disagreement_is_the_mean_over_inputs_that_have_a_partner(labels):
    rows = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    z, losses = unit(rows), []
    for i in range(6):
        others = [j for j in range(6) if j != i and labels[j] >= 0]
        own = [j for j in others if labels[j] == labels[i]]
        if own and labels[i] >= 0:
            weights = {j: np.exp(z[i] @ z[j] / 0.3) for j in others}
            losses.append(-np.log(sum(weights[j] for j in own) / sum(weights.values())))
    value, slope = jax.jit(jax.value_and_grad(disagreement))(rows, np.array(labels), 0.3)
    np.testing.assert_allclose(value, np.mean(losses) if losses else 0, rtol=1e-5)
    assert np.all(np.isfinite(slope))
    assert np.any(slope) == bool(losses)


@pytest.mark.long
def test_a_metric_is_learned_in_which_classes_are_near_to_themselves():
    """Labels that the directions of most variance say nothing of; inputs without a label change nothing."""
    rng = np.random.default_rng(1)
    labels = np.arange(90) % 3
    rows = rng.standard_normal((90, 6)) * [6, 6, 6, 1, 1, 1]
    rows[:, 3:] += 4 * np.eye(3)[labels]
    train = data.Examples(rows.astype(np.float32), np.where(np.arange(90) < 60, labels, -1))
    batch = data.Batch(train.inputs[:4], train.labels[:4], np.ones(4, bool))
    classes = data.ClassTable(np.eye(3, dtype=np.float32), np.ones(3, bool))

    def right(epochs):
        method = methods.nca(methods.eszsl(), dimensions=3, epochs=epochs, learning_rate=0.02, batch_size=45)
        kept = jax.jit(small_trainer.started, static_argnums=0)(method, batch, train, classes).kept
        z = unit((rows - rows.mean(axis=0)) @ np.asarray(kept["map"], float))
        near = np.argmax(z[60:] @ z[:60].T, axis=1)
        return np.mean(labels[near] == labels[60:])

    assert right(0) < 0.6
    assert right(40) > 0.85
    method, several = methods.nca(methods.eszsl(), dimensions=3), train._replace(labels=np.eye(90, 3, dtype=int))
    with pytest.raises(errors.UserError, match="nca takes one label per input, these have several"):
        small_trainer.started(method, batch, several, classes)
