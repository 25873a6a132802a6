"""Every method keeps the contract; ALE's first step is the one of the formula."""

import dataclasses

import jax
import numpy as np
import pytest
import small_generative
import toy

from zsl_jax import data, errors, methods
from zsl_jax.training import evaluation, loop, parallel

# tests/test_generative.py runs the generative ones.
NAMES = sorted(methods.METHODS.keys() - small_generative.KNOBS.keys())
# Mixtures of the attributes of a few known classes say little of a new one: two of the three here are told apart.
WEAK = {"conse": 0.6, "iap": 0.6}


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def trained(name, task, epochs=20):
    method = methods.normalized(methods.factory(name)())
    mesh, key = parallel.make_mesh(), jax.random.key(0)
    (*_, (_, state, _)) = loop.fit(method, task, key=key, epochs=epochs, batch_size=16, mesh=mesh)
    return method, loop.finish(method, state, task, key=key, mesh=mesh)


@pytest.fixture(scope="module", params=NAMES)
def method_and_state(request, task):
    return trained(request.param, task)


def test_scores_of_some_classes_are_columns_of_the_scores_of_all(method_and_state, task):
    method, state = method_and_state
    rows = [7, 2, 11]
    inputs = task.test_unseen.inputs
    np.testing.assert_allclose(
        method.scores(state, inputs, task.classes[rows]), method.scores(state, inputs, task.classes)[:, rows], atol=1e-5
    )


def test_a_class_made_up_after_training_is_scored(method_and_state, task):
    method, state = method_and_state
    table = data.ClassTable(np.ones((1, 8), np.float32), np.array([False]), ("made up",))
    scores = method.scores(state, task.test_seen.inputs, table)
    assert scores.shape == (len(task.test_seen.labels), 1)
    assert np.all(np.isfinite(scores))


def test_unseen_classes_are_recognised_and_shuffled_descriptions_are_not(method_and_state, task, request):
    method, state = method_and_state
    evaluate = evaluation.make_evaluate(method, task, parallel.make_mesh())
    assert evaluate(state).zsl["top1"] > WEAK.get(request.node.callspec.params["method_and_state"], 0.8)
    shuffled = dataclasses.replace(task.classes, embedding=np.roll(task.classes.embedding, 1, axis=0))
    wrong = dataclasses.replace(task, classes=shuffled)
    assert evaluation.make_evaluate(method, wrong, parallel.make_mesh())(state).zsl["top1"] < 0.5


def test_first_step_of_ale_is_that_of_the_formula(task):
    """By hand at W = 0: every other class violates the margin, R = C - 1."""
    batch = data.Batch(task.train.inputs[:5], task.train.labels[:5], np.ones(5, bool))
    method = methods.ale(learning_rate=0.1)
    state = method.init(jax.random.key(0), batch, task.seen_classes)
    state, metrics = method.update(state, batch, task.seen_classes, jax.random.key(0))
    phi, count = task.seen_classes.embedding, task.num_seen
    beta = sum(1 / j for j in range(1, count))
    gradient = np.zeros((10, 8))
    for x, y in zip(batch.inputs, batch.labels):
        for c in range(count):
            if c != y:
                gradient += beta / (count - 1) * np.outer(x, phi[c] - phi[y]) / 5
    np.testing.assert_allclose(metrics["loss"], beta, rtol=1e-5)
    np.testing.assert_allclose(metrics["gradient_norm"], np.linalg.norm(gradient), rtol=1e-4)
    np.testing.assert_allclose(state.inner.params @ state.basis.T, -0.1 * gradient, atol=1e-5)


def test_normalized_scores_do_not_depend_on_the_length_of_inputs(task):
    method = methods.normalized(methods.ale())
    batch = data.Batch(task.train.inputs[:5], task.train.labels[:5], np.ones(5, bool))
    state = method.init(jax.random.key(0), batch, task.seen_classes)
    state, _ = method.update(state, batch, task.seen_classes, jax.random.key(0))
    scores = method.scores(state, batch.inputs, task.classes)
    np.testing.assert_allclose(method.scores(state, 7 * batch.inputs, task.classes), scores, rtol=1e-5)
    plain = methods.normalized(methods.ale(), inputs="none")
    np.testing.assert_allclose(
        plain.scores(state, 7 * batch.inputs, task.classes)[0] / scores[0],
        7 * np.linalg.norm(batch.inputs[0]),
        rtol=1e-4,
    )


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(errors.UserError, match="did you mean 'ale'"):
        methods.factory("alee")
    with pytest.raises(errors.UserError, match="did you mean 'l2'"):
        methods.normalized(methods.ale(), inputs="l3")
