"""The protocol's numbers against counting by hand."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import toy
from scipy import optimize, special

from zsl_jax import data, errors, methods, metrics
from zsl_jax.data import dataset
from zsl_jax.training import evaluation, parallel, protocols


def table_method(scale=1.0):
    """Scores by the negative distance between an input and a class description of the same width."""
    return methods.Method(
        init=lambda key, like, classes, weights: (),
        update=lambda state, batch, classes, key: (state, {"loss": jnp.float32(0)}),
        scores=lambda state, images, described: scale * images @ described.T,
    )


@pytest.fixture(scope="module")
def task():
    source = toy.dataset(num_attributes=10, num_features=10)
    noise = np.random.default_rng(1).standard_normal(source.inputs.shape).astype(np.float32)
    inputs = source.classes.embedding[source.labels] + noise
    return data.test_task(dataclasses.replace(source, inputs=inputs))


@pytest.fixture(scope="module")
def evaluated(task):
    return evaluation.make_evaluate(table_method(), task, parallel.make_mesh())(())


def accuracy_by_hand(predictions, labels):
    return np.mean([np.mean(predictions[labels == c] == c) for c in np.unique(labels)])


def test_accuracies_are_those_counted_by_hand(task, evaluated):
    table, first = task.classes.embedding, task.num_seen
    unseen, seen = task.sets["test_unseen"], task.sets["test_seen"]
    zsl = first + np.argmax(unseen.inputs @ table[first:].T, axis=1)
    gzsl_unseen = np.argmax(unseen.inputs @ table.T, axis=1)
    gzsl_seen = np.argmax(seen.inputs @ table.T, axis=1)
    u, s = accuracy_by_hand(gzsl_unseen, unseen.labels), accuracy_by_hand(gzsl_seen, seen.labels)
    np.testing.assert_allclose(evaluated.metrics["zsl"]["top1"], accuracy_by_hand(zsl, unseen.labels), rtol=1e-6)
    np.testing.assert_allclose(evaluated.metrics["zsl"]["top1_micro"], np.mean(zsl == unseen.labels), rtol=1e-6)
    np.testing.assert_allclose(evaluated.metrics["gzsl"]["unseen"], u, rtol=1e-6)
    np.testing.assert_allclose(evaluated.metrics["gzsl"]["seen"], s, rtol=1e-6)
    np.testing.assert_allclose(evaluated.metrics["gzsl"]["harmonic"], 2 * u * s / (u + s), rtol=1e-6)
    np.testing.assert_allclose(evaluated.metrics["gzsl"]["seen_micro"], np.mean(gzsl_seen == seen.labels), rtol=1e-6)
    assert 0.3 < u < 1, "the problem must be neither hopeless nor solved for the test to mean something"
    correct = {c: np.sum((gzsl_unseen == unseen.labels) & (unseen.labels == c)) for c in range(first, len(table))}
    assert [evaluated.counts["gzsl_correct"][c] for c in correct] == list(correct.values())
    assert sum(evaluated.counts["images"]) == len(unseen.labels) + len(seen.labels)


@pytest.mark.long
def test_calibration_at_the_best_gamma_gives_the_point_of_the_curve(task, evaluated):
    best = evaluated.metrics["gzsl"]["calibrated"]
    assert best["gamma"] == pytest.approx(evaluated.knobs["gamma"])
    unseen, seen, gamma = metrics.curve_of_rows(evaluated.rows["gzsl"], task.classes.is_seen)
    place = np.argmax(metrics.harmonic_mean(unseen, seen))
    assert best["gamma"] == gamma[place]
    np.testing.assert_allclose([best["unseen"], best["seen"]], [unseen[place], seen[place]], atol=1e-6)
    shares = evaluated.counts["calibrated_correct"] / np.maximum(evaluated.counts["images"], 1)
    np.testing.assert_allclose(shares[task.num_seen :].mean(), best["unseen"], atol=1e-6)
    for gamma in np.linspace(-5, 5, 5):
        other = evaluation.summarized(protocols.GZSL, evaluated.rows, evaluated.facts, {"gamma": float(gamma)})
        assert other.metrics["gzsl"]["calibrated"]["harmonic"] <= best["harmonic"] + 1e-6


def test_the_temperature_is_fitted_on_calibrated_scores(task):
    """By another optimiser in float64: the likelihood of the plain scores has its maximum elsewhere."""
    evaluate = evaluation.make_evaluate(table_method(), task, parallel.make_mesh())
    sets = [task.sets[name] for name in ("test_unseen", "test_seen")]
    inputs, labels = (np.concatenate([getattr(part, name) for part in sets]) for name in ("inputs", "labels"))
    scores = np.asarray(inputs @ task.classes.embedding.T, np.float64)

    def best(gamma):
        calibrated = scores - gamma * np.asarray(task.classes.is_seen)

        def loss(logarithm):
            scaled = calibrated / np.exp(logarithm)
            return np.mean(special.logsumexp(scaled, axis=1) - scaled[np.arange(len(labels)), labels])

        found = optimize.minimize_scalar(loss, bounds=np.log([0.05, 50]), method="bounded", options={"xatol": 1e-8})
        return np.exp(found.x)

    assert best(5.0) > 1.2 * best(0.0), "the constant must matter for this to mean something"
    for gamma in (0.0, 1.0, 3.0, 5.0, -5.0):
        found = evaluate.temperature((), evaluate((), {"gamma": gamma}))
        assert found == pytest.approx(best(gamma), rel=3e-4)


def test_probabilities_are_those_of_the_calibrated_scores_and_are_compared_with_right_answers(task):
    evaluate, gamma, temperature = evaluation.make_evaluate(table_method(), task, parallel.make_mesh()), 1.5, 0.8
    found = evaluate((), {"gamma": gamma}, temperature).metrics["confidence"]
    sets = [task.sets[name] for name in ("test_unseen", "test_seen")]
    inputs, labels = (np.concatenate([getattr(part, name) for part in sets]) for name in ("inputs", "labels"))
    scores = (inputs @ task.classes.embedding.T - gamma * np.asarray(task.classes.is_seen)) / temperature
    likely = special.softmax(scores.astype(np.float64), axis=1)
    sure, right = likely.max(axis=1), np.argmax(likely, axis=1) == labels
    bins = np.minimum((sure * 15).astype(int), 14)
    gaps = [np.sum(bins == b) * abs(np.mean(sure[bins == b]) - np.mean(right[bins == b])) for b in np.unique(bins)]
    wanted = {"calibration_error": sum(gaps) / len(labels), "mean": np.mean(sure), "accuracy": np.mean(right)}
    assert found == pytest.approx(wanted, rel=1e-4)
    assert wanted["calibration_error"] > 0.02, "neither hopeless nor solved"
    assert "confidence" not in evaluate((), {"gamma": gamma}).metrics


def test_a_score_that_is_not_finite_is_an_error(task):
    with pytest.raises(errors.Diverged, match="not finite"):
        evaluation.make_evaluate(table_method(np.nan), task, parallel.make_mesh())(())


def with_unseen(task, keep, **changes):
    """The task with some of its unseen test inputs."""
    unseen = dataset.rows_of(task.sets["test_unseen"], keep)
    return dataclasses.replace(task, sets={**task.sets, "test_unseen": unseen}, **changes)


def test_one_unseen_class_is_scored(task):
    one = task.sets["test_unseen"].labels == task.num_seen
    part = with_unseen(task, one, classes=task.classes[: task.num_seen + 1])
    scored = evaluation.make_evaluate(table_method(), part, parallel.make_mesh())(()).metrics
    assert scored["zsl"]["top1"] == 1.0
    assert 0 <= scored["gzsl"]["unseen"] < 1


def test_a_class_without_test_images_is_a_candidate_but_not_in_the_mean(task, evaluated):
    part = with_unseen(task, task.sets["test_unseen"].labels != task.num_seen)
    scored = evaluation.make_evaluate(table_method(), part, parallel.make_mesh())(())
    counts = {name: found[task.num_seen + 1 :] for name, found in evaluated.counts.items()}
    np.testing.assert_allclose(
        scored.metrics["zsl"]["top1"], np.mean(counts["zsl_correct"] / counts["images"]), rtol=1e-6
    )


def test_nothing_to_score_is_an_error(task):
    empty = dataclasses.replace(task, classes=task.seen_classes)
    with pytest.raises(errors.UserError, match="0 unseen classes"):
        evaluation.make_evaluate(table_method(), empty, parallel.make_mesh())
