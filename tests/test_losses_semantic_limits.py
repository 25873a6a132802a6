"""Semantic, attribute and evidential losses where theory says what they become, and what their gradients leave out."""

import contract
import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses, similarity

pytestmark = pytest.mark.long

P = jnp.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
Q = jnp.array([0.2, 0.5, 0.3])

sharma_mittal = jax.jit(lambda alpha, beta: losses.sharma_mittal(P, Q, alpha=alpha, beta=beta))
sharma_mittal_slopes = jax.jit(
    jax.grad(lambda alpha, beta, p: jnp.sum(losses.sharma_mittal(p, Q, alpha=alpha, beta=beta)), (0, 1, 2))
)


def literal(alpha, beta):
    p, q = np.asarray(P, np.float64), np.asarray(Q, np.float64)
    power_sum = np.sum(p**alpha * q ** (1 - alpha), axis=1)
    return (power_sum ** ((1 - beta) / (1 - alpha)) - 1) / (beta - 1)


@pytest.mark.parametrize("step", [0.0, 1e-7, -1e-5, 1e-3, -0.03, 0.0999, 0.1001])
def test_sharma_mittal_holds_renyi_tsallis_and_kullback_leibler(step):
    p, q = np.asarray(P, np.float64), np.asarray(Q, np.float64)
    kullback_leibler = np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-9) / q), 0.0), axis=1)
    # The expansion of the formula in alpha - 1, where the formula itself divides 0 by 0.
    is_far = abs(step) > 1e-3
    near_one = literal(1 + step, 1 + 0.5 * step) if is_far else kullback_leibler
    contract.assert_close(sharma_mittal(1 + step, 1 + 0.5 * step), near_one, rtol=1e-5 if is_far else 2e-3)
    renyi = np.log(np.sum(p**0.4 * q**0.6, axis=1)) / (0.4 - 1)
    contract.assert_close(sharma_mittal(0.4, 1 + step), literal(0.4, 1 + step) if is_far else renyi, rtol=2e-3)
    tsallis = (np.sum(p**0.4 * q**0.6, axis=1) - 1) / (0.4 - 1)
    contract.assert_close(sharma_mittal(0.4, 0.4 + step), literal(0.4, 0.4 + step), rtol=1e-5)
    if step == 0.0:
        contract.assert_close(sharma_mittal(0.4, 0.4), tsallis)
        contract.assert_close(sharma_mittal(1.0, 1.0), kullback_leibler)


def test_sharma_mittal_is_smooth_in_alpha_and_beta_through_one():
    grid = 1 + np.array([-0.1001, -0.0999, -1e-3, 0.0, 1e-3, 0.0999, 0.1001])
    for alpha in grid:
        for beta in grid:
            slopes = sharma_mittal_slopes(alpha, beta, P)
            for slope in slopes:
                assert np.all(np.isfinite(slope))
            h = 0.02
            for i, (a, b) in enumerate(((h, 0), (0, h))):
                # Central differences of the formula, taken where it does not divide by 0.
                ends = literal(alpha + a + 1e-5, beta + b + 2e-5) - literal(alpha - a + 1e-5, beta - b + 2e-5)
                np.testing.assert_allclose(slopes[i], np.sum(ends) / (2 * h), rtol=2e-2)


def test_sharma_mittal_of_equal_distributions_is_zero():
    same = jnp.broadcast_to(Q, (3, 3))
    value = jax.jit(losses.sharma_mittal)(same, Q, alpha=jnp.array(0.4), beta=jnp.array(0.7))
    np.testing.assert_allclose(value, np.zeros(3), atol=1e-6)
    for corner in sharma_mittal_slopes(1.0, 1.0, jnp.eye(3)), sharma_mittal_slopes(0.5, 2.0, jnp.eye(3)):
        assert all(np.all(np.isfinite(slope)) for slope in corner)


def test_matryoshka_with_one_full_prefix_is_the_loss_itself():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    plain = losses.rank_hinge(scores, labels)
    np.testing.assert_array_equal(losses.matryoshka(lambda s: losses.rank_hinge(s, labels), scores, dims=(3,)), plain)


def test_matryoshka_normalises_every_prefix_when_asked():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 8)), rng.normal(size=(2, 8))
    wrapped = losses.matryoshka(similarity.dot, x, y, dims=(2, 8), weights=np.array([0.5, 2.0]), normalize=True)
    expected = 0.5 * similarity.cosine(x[:, :2], y[:, :2]) + 2 * similarity.cosine(x, y)
    contract.assert_close(wrapped, expected)


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((2, 4), (2, 3)), {"dims": (2,)}, r"\(2, 4\), \(2, 3\)"),
        (((2, 4),), {"dims": (5,)}, r"\[1, 4\], not \(5,\)"),
        (((2, 4),), {"dims": (2, 4), "weights": np.ones(3)}, r"\[2\].*\(3,\)"),
    ],
)
def test_matryoshka_refuses_what_does_not_fit(shapes, options, message):
    with pytest.raises(ValueError, match=message):
        losses.matryoshka(lambda *xs: xs[0].sum(1), *map(np.ones, shapes), **options)


def test_the_published_lsrgan_term_has_the_value_and_no_gradient():
    rng = np.random.default_rng(0)
    features, centroids = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(3, 4))
    tables = np.array([0, 1, 2, 0, 1, 2]), centroids, rng.uniform(-1, 1, (3, 3)), np.array([[1, 2], [0, 2], [0, 1]])

    def value_and_gradient(loss):
        return jax.jit(jax.value_and_grad(lambda x: loss(x, *tables, lower=0.1, upper=0.1).sum()))(features)

    value, gradient = value_and_gradient(losses.semantic_regularized_similarity)
    published_value, published_gradient = value_and_gradient(losses.semantic_regularized_similarity_published)
    np.testing.assert_array_equal(published_value, value)
    np.testing.assert_array_equal(published_gradient, np.zeros_like(features))
    assert np.any(gradient != 0)


def test_attribute_groups_compete_for_features_only_in_the_paper_form():
    groups = np.array([0, 0, 1, 1])
    apart = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    shared = np.full((2, 4), np.sqrt(0.5))  # the same energy, every feature used by both groups
    for form, competes in (losses.attribute_decorrelation, True), (losses.attribute_decorrelation_published, False):
        gap = float(jnp.sum(form(shared, groups, num_groups=2)) - jnp.sum(form(apart, groups, num_groups=2)))
        assert (gap > 0.5) == competes


@pytest.mark.long
def test_batch_self_calibration_is_at_most_the_mean_of_each():
    scores, is_seen = np.random.default_rng(0).normal(size=(6, 4)) * 3, np.array([True, True, False, True])
    each = losses.self_calibration(scores, is_seen)
    assert losses.batch_self_calibration(scores, is_seen) < each.mean()
    np.testing.assert_array_equal(losses.self_calibration(scores, np.ones(4, bool)), np.zeros(6))
    everything = losses.self_calibration(scores, np.zeros(4, bool))
    np.testing.assert_allclose(everything, np.zeros(6), atol=1e-6)


def test_unknown_labels_may_hold_anything():
    known = np.array([[True, False, True]])
    labels = np.where(known, 1.0, np.nan)
    for loss in (losses.multilabel_bce, losses.federated_bce, losses.attribute_regression):
        fn = jax.jit(jax.value_and_grad(lambda s: loss(s, labels, where=known).sum()))  # noqa: B023
        value, gradient = fn(jnp.ones((1, 3)))
        assert np.isfinite(value)
        assert np.all(np.isfinite(gradient))
        assert gradient[0, 1] == 0.0


def test_federated_labels_weigh_the_same_wherever_they_occur():
    logits, labels = np.zeros((2, 3)), np.ones((2, 3))
    known = np.array([[True, False, False], [True, True, True]])
    one, three = losses.federated_bce(logits, labels, where=known)
    np.testing.assert_allclose(three, 3 * one, rtol=1e-6)
    np.testing.assert_allclose(*losses.multilabel_bce(logits, labels, where=known), rtol=1e-6)


def test_uncertainty_depends_on_the_candidates():
    evidence, two = np.array([[2.0, 0.0, 0.0, 0.0]]), np.array([[True, True, False, False]])
    np.testing.assert_allclose(losses.evidential_uncertainty(evidence), [4 / 6], rtol=1e-6)
    np.testing.assert_allclose(losses.evidential_uncertainty(evidence, where=two), [2 / 4], rtol=1e-6)


def test_the_digamma_form_is_at_least_the_log_form():
    rng = np.random.default_rng(0)
    evidence, labels = rng.random((8, 4)) * 5, rng.integers(0, 4, 8)
    forms = jax.jit(lambda *xs: (losses.evidential_log(*xs), losses.evidential_digamma(*xs), losses.evidential_kl(*xs)))
    log_form, digamma_form, _ = forms(evidence, labels)
    assert np.all(digamma_form > log_form)
    np.testing.assert_array_equal(forms(np.zeros((8, 4)), labels)[2], np.zeros(8))


@jax.jit
def evidential_of(evidence, labels):
    return losses.evidential_log(evidence, labels, kl_weight=0.5)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
    hypothesis.extra.numpy.arrays(np.float32, (4, 5), elements=st.floats(0, 64, width=16)),
    hypothesis.extra.numpy.arrays(np.int32, 4, elements=st.integers(0, 4)),
    st.permutations(range(4)),
    st.permutations(range(5)),
)
def test_evidential_losses_know_no_order_of_images_or_classes(evidence, labels, rows, columns):
    value = evidential_of(evidence, labels)
    again = evidential_of(evidence[rows][:, columns], np.argsort(columns)[labels[rows]].astype(np.int32))
    contract.assert_close(again, value[np.array(rows)], rtol=1e-4, atol=1e-4)
    assert np.all(value >= -1e-4)
