"""Losses with a kernel between the descriptions: plain loops, the weights' limits, no gradient through the kernel."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses
from zsl_jax.losses import conditional

BATCH = 6
RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(BATCH, BATCH)).astype(np.float32)
ATTRIBUTES = RNG.normal(size=(BATCH, 3))
UNIT = ATTRIBUTES / np.linalg.norm(ATTRIBUTES, axis=1, keepdims=True)
KERNEL = np.exp(UNIT @ UNIT.T - 1).astype(np.float32)
VIEWS = RNG.normal(size=(BATCH, 2, 4)).astype(np.float32)


def weights(kernel, ridge):
    found = np.linalg.inv(kernel + ridge * np.eye(len(kernel))) @ kernel
    found[(found < 1e-6) | np.eye(len(kernel), dtype=bool)] = 0.0
    return found


def conditional_hard_negatives(scores, kernel, ridge):
    w, loss = weights(kernel, ridge), []
    for i in range(BATCH):
        own = np.exp(scores[i, i])
        m = sum(np.exp(scores[i, k]) * w[k, i] for k in range(BATCH))
        m_transposed = sum(np.exp(scores[k, i]) * w[k, i] for k in range(BATCH))
        loss.append(-np.log(own / (own + (BATCH - 1) * (m + m_transposed))))
    return np.array(loss)


def conditional_positives(scores, kernel, ridge):
    w, loss = weights(kernel, ridge), []
    for i in range(BATCH):
        m = sum(np.exp(scores[i, k]) * w[k, i] for k in range(BATCH))
        loss.append(-np.log(m / (m + sum(np.exp(scores[i]))) if m > 0 else 1.0))
    return np.array(loss)


def decoupled_uniformity(views, kernel, ridge):
    means = np.linalg.inv(kernel + ridge * np.eye(BATCH)) @ kernel @ views.mean(1)
    pairs = [(i, j) for i in range(BATCH) for j in range(BATCH) if i != j]
    return np.log(np.mean([np.exp(-2 * np.sum((means[i] - means[j]) ** 2)) for i, j in pairs]))


CASES = {
    "conditional_hard_negatives": (losses.conditional_hard_negatives, conditional_hard_negatives, SCORES),
    "conditional_positives": (losses.conditional_positives, conditional_positives, SCORES),
    "decoupled_uniformity": (losses.decoupled_uniformity, decoupled_uniformity, VIEWS),
}


@jax.jit
def everything(scores, views, kernel, ridge):
    return {name: loss(views if x is VIEWS else scores, kernel, ridge=ridge) for name, (loss, _, x) in CASES.items()}


@jax.jit
def gradients(scores, views, kernel):
    def total(scores, views, kernel):
        return sum(jnp.sum(loss) for loss in everything(scores, views, kernel, 0.3).values())

    return jax.grad(total, argnums=(0, 1, 2))(scores, views, kernel)


@pytest.mark.parametrize("ridge", [0.05, 2.0])
def test_equals_plain_loops(ridge):
    for name, loss in everything(SCORES, VIEWS, KERNEL, ridge).items():
        _, oracle, x = CASES[name]
        contract.assert_close(loss, oracle(x.astype(float), KERNEL.astype(float), ridge), rtol=1e-3, atol=1e-4)


def test_jit_vmap_and_half_precision():
    contract.check_vmap(everything, SCORES, VIEWS, KERNEL, np.float32(0.3), rtol=1e-3, atol=1e-4)
    contract.check_half_precision(lambda s, v, k: everything(s, v, k, 1.0), SCORES, VIEWS, KERNEL)


def test_gradients_are_finite_at_the_ugly_points_and_the_kernel_gets_none():
    for scores, views, kernel in ((SCORES, VIEWS, KERNEL), (0 * SCORES, 0 * VIEWS, np.ones_like(KERNEL))):
        to_scores, to_views, to_kernel = gradients(scores, views, kernel)
        assert np.all(np.isfinite(to_scores))
        assert np.all(np.isfinite(to_views))
        assert not np.any(to_kernel)
    assert np.any(to_scores)


def test_weights_vanish_as_the_ridge_grows_and_are_the_identity_at_zero():
    contract.assert_close(conditional.kernel_ridge_weights(KERNEL, ridge=1e8), np.zeros_like(KERNEL))
    contract.assert_close(conditional.kernel_ridge_weights(KERNEL, ridge=0.0), np.eye(BATCH), atol=1e-2)
    without_weights = everything(SCORES, VIEWS, KERNEL, 1e8)
    contract.assert_close(without_weights["conditional_hard_negatives"], np.zeros(BATCH))
    contract.assert_close(without_weights["conditional_positives"], np.zeros(BATCH))


def test_an_example_like_no_other_has_no_conditional_loss():
    results = everything(SCORES, VIEWS, np.eye(BATCH, dtype=np.float32), 0.01)
    contract.assert_close(results["conditional_hard_negatives"], np.zeros(BATCH))
    contract.assert_close(results["conditional_positives"], np.zeros(BATCH))


def test_decoupled_uniformity_with_the_identity_is_that_without_a_prior():
    plain = losses.decoupled_uniformity(VIEWS)
    identity = everything(SCORES, VIEWS, np.eye(BATCH, dtype=np.float32), 0.0)["decoupled_uniformity"]
    contract.assert_close(identity, plain, rtol=1e-5)
    contract.assert_close(plain, losses.uniformity(VIEWS.mean(1)), rtol=1e-5)


def test_an_example_left_out_is_as_if_it_were_not_there():
    where = np.arange(BATCH) != 2

    @jax.jit
    def masked(scores, kernel, where):
        def total(scores):
            found = [fn(scores, kernel, ridge=0.3, where=where) for fn in (hard_negatives, positives)]
            return sum(map(jnp.sum, found)), found

        return jax.grad(total, has_aux=True)(scores)

    hard_negatives, positives = losses.conditional_hard_negatives, losses.conditional_positives
    dirty = [np.where(where[:, None] & where, x, np.nan) for x in (SCORES, KERNEL)]
    gradient, found = masked(*dirty, where)
    to_rest, rest = masked(SCORES[where][:, where], KERNEL[where][:, where], np.ones(BATCH - 1, bool))
    contract.assert_close([x[where] for x in found], rest, rtol=1e-3, atol=1e-5)
    contract.assert_close(gradient[where][:, where], to_rest, rtol=1e-3, atol=1e-5)
    assert not any(np.any(x[~where]) for x in (*found, gradient))
    for few in (np.arange(BATCH) == 1, np.zeros(BATCH, bool)):
        contract.assert_close(masked(*dirty, few), (np.zeros_like(SCORES), [np.zeros(BATCH)] * 2))


def test_an_example_left_out_of_decoupled_uniformity_is_as_if_it_were_not_there():
    where = np.arange(BATCH) != 2
    dirty = np.where(where[:, None, None], VIEWS, np.nan)
    masked = jax.jit(jax.value_and_grad(lambda v, w: losses.decoupled_uniformity(v, KERNEL, where=w)))
    rest = jax.jit(jax.value_and_grad(lambda v: losses.decoupled_uniformity(v, KERNEL[where][:, where])))
    value, gradient = masked(dirty, where)
    contract.assert_close((value, gradient[where]), rest(VIEWS[where]), rtol=1e-3, atol=1e-5)
    contract.assert_close(masked(VIEWS, ~where & where)[0], 0.0)


@pytest.mark.parametrize(
    ("said", "call"),
    [
        (r"\(6, 6\), \(5, 5\)", lambda: losses.conditional_positives(SCORES, KERNEL[:5, :5])),
        (r"\(6, 5\)", lambda: losses.conditional_hard_negatives(SCORES[:, :5], KERNEL[:, :5])),
        (r"\(6, 4\)", lambda: losses.decoupled_uniformity(VIEWS[:, 0])),
        (r"batch of 6, not \(5, 5\)", lambda: losses.decoupled_uniformity(VIEWS, KERNEL[:5, :5])),
    ],
)
def test_wrong_shapes_are_named(said, call):
    with pytest.raises(ValueError, match=said):
        call()


def released(scores, within, kernel, ridge, positives):
    """Both views as anchors, beside the other view and the others of their own, in loops."""
    w, sides = weights(kernel, ridge), []
    for between, own in ((scores, within[0]), (scores.T, within[1])):
        side = []
        for i in range(BATCH):
            others = [k for k in range(BATCH) if k != i]
            m = sum((np.exp(between[i, k]) + np.exp(own[i, k])) * w[k, i] for k in others)
            if positives:
                total = sum(np.exp(between[i])) + sum(np.exp(own[i, k]) for k in others)
                side.append(-np.log(m / (m + total) if m > 0 else 1.0))
            else:
                side.append(-np.log(np.exp(between[i, i]) / (np.exp(between[i, i]) + (BATCH - 1) * m)))
        sides.append(np.array(side))
    return (sides[0] + sides[1]) / 2


@pytest.mark.parametrize("positives", [False, True])
def test_pairs_within_the_views_as_in_the_released_code(positives):
    loss = losses.conditional_positives if positives else losses.conditional_hard_negatives
    within = np.random.default_rng(5).normal(size=(2, BATCH, BATCH)).astype(np.float32)
    expected = released(SCORES, within, KERNEL, 0.1, positives)
    contract.assert_close(loss(SCORES, KERNEL, ridge=0.1, within=within), expected, rtol=1e-4)
    where, few = np.arange(BATCH) < BATCH - 1, slice(BATCH - 1)
    masked = loss(SCORES, KERNEL, ridge=0.1, within=within, where=where)
    contract.assert_close(masked[few], loss(SCORES[few, few], KERNEL[few, few], ridge=0.1, within=within[:, few, few]))
    assert masked[-1] == 0.0
    with pytest.raises(ValueError, match=r"\[2, B, B\]"):
        loss(SCORES, KERNEL, within=within[0])
