"""Metrics at their edges: known values, conventions told apart, agreement with other implementations."""

import functools

import contract
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import strategies as st

from zsl_jax import metrics

pytestmark = pytest.mark.long


def test_counts_added_over_batches_are_the_counts_of_the_whole():
    rng = np.random.default_rng(0)
    predictions, labels = rng.integers(0, 5, 32), rng.integers(0, 5, 32)
    fn = jax.jit(lambda p, y: metrics.per_class_counts(p, y, num_classes=5))
    halves = jax.tree.map(jnp.add, fn(predictions[:16], labels[:16]), fn(predictions[16:], labels[16:]))
    whole = metrics.per_class_accuracy(predictions, labels, num_classes=5)
    assert metrics.mean_per_class(*halves) == whole


@functools.cache
def accuracies():
    """(scores, labels, where) -> what does not know the order of the images, nor which class has which number."""

    def run(scores, labels, where):
        predictions = jnp.argmax(scores, axis=1)
        return (
            metrics.per_class_accuracy(predictions, labels, num_classes=5, where=where),
            metrics.micro_accuracy(predictions, labels, where=where),
            metrics.per_class_top_k_accuracy(scores, labels, k=2, num_classes=5, where=where),
            jnp.sum(jnp.where(where, metrics.label_rank(scores, labels), 0)),
        )

    return jax.jit(run)


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20), st.floats(0.125, 8), st.floats(-4, 4))
def test_accuracies_know_no_order_of_images_or_classes_and_no_scale(seed, scale, constant):
    rng = np.random.default_rng(seed)
    scores, labels, where = rng.permuted(np.arange(60.0).reshape(12, 5)), rng.integers(0, 5, 12), rng.random(12) < 0.7
    scores = scores.astype(np.float32)  # whole numbers, all different: no rounding makes a tie
    rows, classes = rng.permutation(12), rng.permutation(5)
    moved = (scale * scores + constant)[rows][:, classes].astype(np.float32), np.argsort(classes)[labels][rows]
    contract.assert_close(accuracies()(*moved, where[rows]), accuracies()(scores, labels, where))


def test_all_right_is_exactly_one():
    labels = np.repeat(np.arange(7), [1, 2, 3, 5, 7, 11, 13])
    assert metrics.per_class_accuracy(labels, labels, num_classes=9) == 1.0
    assert metrics.micro_accuracy(labels, labels) == 1.0


def test_harmonic_mean_of_nothing_is_nothing_and_differentiable():
    assert metrics.harmonic_mean(0.0, 0.0) == 0.0
    assert np.all(np.isfinite(jax.grad(metrics.harmonic_mean, (0, 1))(0.0, 0.0)))
    np.testing.assert_allclose(metrics.harmonic_mean(np.array([0.2, 0.0]), 0.6), [0.3, 0.0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        metrics.harmonic_mean(np.ones(2), np.ones(3))


def test_the_two_averages_of_base_to_new_differ():
    base, new = np.array([0.9, 0.6]), np.array([0.3, 0.8])
    of_means = 2 * 0.75 * 0.55 / (0.75 + 0.55)
    of_harmonics = (2 * 0.9 * 0.3 / 1.2 + 2 * 0.6 * 0.8 / 1.4) / 2
    np.testing.assert_allclose(metrics.harmonic_of_means(base, new), of_means, rtol=1e-6)
    np.testing.assert_allclose(metrics.mean_of_harmonics(base, new), of_harmonics, rtol=1e-6)
    assert of_means > of_harmonics


def test_top_one_is_argmax_also_at_ties():
    scores = np.random.default_rng(0).integers(0, 3, (40, 5)).astype(np.float32)
    labels = np.arange(40) % 5
    np.testing.assert_array_equal(metrics.hits_at_k(scores, labels, k=1), scores.argmax(1) == labels)
    assert np.all(metrics.hits_at_k(scores, labels, k=5))
    np.testing.assert_array_equal(metrics.top_k(scores, k=2).sum(1), np.full(40, 2))


def test_k_may_be_traced():
    scores, labels = np.random.default_rng(0).normal(size=(8, 5)), np.arange(8) % 5
    ks = jnp.arange(1, 6)
    hits = jax.jit(jax.vmap(lambda k: metrics.hits_at_k(scores, labels, k=k)))(ks)
    assert np.all(np.diff(hits.astype(int), axis=0) >= 0)
    np.testing.assert_array_equal(hits[0], scores.argmax(1) == labels)
    assert hits[-1].all()


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, labels, known = rng.integers(0, 6, (50, 4)) / 4, rng.random((50, 4)) < 0.3, rng.random((50, 4)) < 0.7
    expected = [sklearn.metrics.average_precision_score(labels[k, a], scores[k, a]) for a, k in enumerate(known.T)]
    np.testing.assert_allclose(metrics.average_precision(scores, labels, known=known), expected, rtol=1e-5)


def test_an_attribute_without_positives_is_left_out_of_the_mean():
    scores, labels = np.array([[0.9, 0.1], [0.2, 0.3]]), np.array([[1, 0], [0, 0]])
    np.testing.assert_array_equal(metrics.average_precision(scores, labels), [1.0, 0.0])
    assert metrics.mean_average_precision(scores, labels) == 1.0


def test_matrix_entropy_is_smooth_through_order_one():
    z = np.random.default_rng(0).normal(size=(12, 5))
    orders = jnp.array([0.9, 0.99, 0.999, 0.99999, 1.0, 1.00001, 1.001, 1.01, 1.1])
    entropies = jax.jit(jax.vmap(lambda order: metrics.matrix_entropy(z, order=order)))(orders)
    assert np.all(np.diff(entropies) < 1e-6)  # falls with the order
    np.testing.assert_allclose(entropies[2:7], np.full(5, entropies[4]), atol=1e-3)


def test_effective_rank_counts_directions_and_not_lengths():
    z = np.eye(6)[:, :4]
    np.testing.assert_allclose(metrics.effective_rank(7.0 * z), 4.0, rtol=1e-5)
    np.testing.assert_allclose(metrics.effective_rank(z.T), 4.0, rtol=1e-5)
    assert metrics.effective_rank(np.zeros((3, 2))) == 1.0


def test_hubness_is_zero_without_hubs_and_grows_with_them():
    even, one_hub = np.eye(8), np.zeros((8, 8)) + np.eye(8)[0]
    assert metrics.hubness(metrics.k_occurrence(even, k=1)) == 0.0
    assert metrics.hubness(metrics.k_occurrence(one_hub, k=1)) > 2.0


def test_representativeness_of_two_classes_is_the_log_ratio_whatever_the_prior():
    p = np.array([[0.9], [0.1]])
    expected = np.log([[9.0], [1 / 9]])
    np.testing.assert_allclose(metrics.representativeness(p), expected, rtol=1e-5)
    np.testing.assert_allclose(metrics.representativeness(p, prior=np.array([0.75, 0.25])), expected, rtol=1e-5)
    assert np.all(np.isfinite(metrics.representativeness(np.zeros((2, 3)))))
    assert np.isnan(metrics.representativeness(np.array([[np.nan], [0.1]]))).all()
    with pytest.raises(ValueError, match=r"\(2, 1\) and \(3,\)"):
        metrics.representativeness(p, prior=np.ones(3))


def test_alignment_has_finite_gradients_at_identical_embeddings():
    z = jnp.ones((3, 2))
    value, gradient = jax.value_and_grad(lambda a: metrics.alignment(a, z, power=1.0))(z)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, np.zeros((3, 2)))


def test_best_class_is_argmax_with_its_ties():
    scores = np.random.default_rng(0).integers(-2, 2, (50, 7)).astype(np.float32)
    scores[0], scores[1, 2:] = -np.inf, -np.inf
    found = metrics.best_class(scores)
    np.testing.assert_array_equal(found, np.argmax(scores, axis=1))
    np.testing.assert_array_equal(jax.jit(metrics.best_class)(scores), found)
    for wrong in (scores[0], scores[:, :0]):
        with pytest.raises(ValueError, match="at least one class"):
            metrics.best_class(wrong)
