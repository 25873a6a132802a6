"""The protocol's numbers against counting by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from zsl_jax import data, errors, methods
from zsl_jax.training import evaluation, parallel


def table_method(scale=1.0):
    """Scores by the negative distance between an input and a class description of the same width."""
    return methods.Method(
        init=lambda key, batch, classes: (),
        update=lambda state, batch, classes, key: (state, {"loss": jnp.float32(0)}),
        scores=lambda state, inputs, classes: scale * inputs @ classes.embedding.T,
    )


@pytest.fixture(scope="module")
def task():
    dataset = toy.dataset(num_attributes=10, num_features=10)
    inputs = dataset.classes.embedding[dataset.labels] + np.random.default_rng(1).standard_normal(
        dataset.inputs.shape
    ).astype(np.float32)
    return data.test_task(dataclasses.replace(dataset, inputs=inputs))


@pytest.fixture(scope="module")
def evaluated(task):
    return evaluation.make_evaluate(table_method(), task, parallel.make_mesh())(())


def accuracy_by_hand(predictions, labels):
    return np.mean([np.mean(predictions[labels == c] == c) for c in np.unique(labels)])


def test_accuracies_are_those_counted_by_hand(task, evaluated):
    table, first = task.classes.embedding, task.num_seen
    unseen, seen = task.test_unseen, task.test_seen
    zsl = first + np.argmax(unseen.inputs @ table[first:].T, axis=1)
    gzsl_unseen = np.argmax(unseen.inputs @ table.T, axis=1)
    gzsl_seen = np.argmax(seen.inputs @ table.T, axis=1)
    u, s = accuracy_by_hand(gzsl_unseen, unseen.labels), accuracy_by_hand(gzsl_seen, seen.labels)
    np.testing.assert_allclose(evaluated.zsl["top1"], accuracy_by_hand(zsl, unseen.labels), rtol=1e-6)
    np.testing.assert_allclose(evaluated.zsl["top1_micro"], np.mean(zsl == unseen.labels), rtol=1e-6)
    np.testing.assert_allclose(evaluated.gzsl["unseen"], u, rtol=1e-6)
    np.testing.assert_allclose(evaluated.gzsl["seen"], s, rtol=1e-6)
    np.testing.assert_allclose(evaluated.gzsl["harmonic"], 2 * u * s / (u + s), rtol=1e-6)
    np.testing.assert_allclose(evaluated.gzsl["seen_micro"], np.mean(gzsl_seen == seen.labels), rtol=1e-6)
    assert 0.3 < u < 1, "the problem must be neither hopeless nor solved for the test to mean something"
    correct = {c: np.sum((gzsl_unseen == unseen.labels) & (unseen.labels == c)) for c in range(first, len(table))}
    assert [evaluated.gzsl_correct[c] for c in correct] == list(correct.values())
    assert sum(evaluated.total) == len(unseen.labels) + len(seen.labels)


def test_calibration_at_the_best_gamma_gives_the_point_of_the_curve(task, evaluated):
    best = evaluation.best_calibration(evaluated)
    again = evaluation.calibrated(evaluated, task, best["gamma"])
    for name in ("unseen", "seen", "harmonic"):
        np.testing.assert_allclose(again.metrics[name], best[name], atol=1e-6)
    shares = again.correct / np.maximum(evaluated.total, 1)
    np.testing.assert_allclose(shares[task.num_seen :].mean(), best["unseen"], atol=1e-6)
    for gamma in np.linspace(-5, 5, 5):
        assert evaluation.calibrated(evaluated, task, gamma).metrics["harmonic"] <= best["harmonic"] + 1e-6


def test_a_score_that_is_not_finite_is_an_error(task):
    with pytest.raises(errors.Diverged, match="not finite"):
        evaluation.make_evaluate(table_method(np.nan), task, parallel.make_mesh())(())


def test_one_unseen_class_is_scored(task):
    one = task.test_unseen.labels == task.num_seen
    part = dataclasses.replace(
        task,
        classes=task.classes[: task.num_seen + 1],
        test_unseen=jax.tree.map(lambda x: x[one], task.test_unseen),
    )
    scored = evaluation.make_evaluate(table_method(), part, parallel.make_mesh())(())
    assert scored.zsl["top1"] == 1.0
    assert 0 <= scored.gzsl["unseen"] < 1


def test_a_class_without_test_images_is_a_candidate_but_not_in_the_mean(task, evaluated):
    kept = task.test_unseen.labels != task.num_seen
    part = dataclasses.replace(task, test_unseen=jax.tree.map(lambda x: x[kept], task.test_unseen))
    scored = evaluation.make_evaluate(table_method(), part, parallel.make_mesh())(())
    correct = evaluated.zsl_correct[task.num_seen + 1 :] / evaluated.total[task.num_seen + 1 :]
    np.testing.assert_allclose(scored.zsl["top1"], np.mean(correct), rtol=1e-6)


def test_nothing_to_score_is_an_error(task):
    empty = dataclasses.replace(task, classes=task.seen_classes)
    with pytest.raises(errors.UserError, match="0 unseen classes"):
        evaluation.make_evaluate(table_method(), empty, parallel.make_mesh())
