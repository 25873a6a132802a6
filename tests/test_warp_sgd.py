"""The blocked pass of SGD against the loop that it stands for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses
from zsl_jax.methods import _warp_sgd


def problem(num_examples=75, num_features=12, num_classes=6, num_attributes=9, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_examples).astype(np.int32)
    inputs = rng.normal(size=(num_classes, num_features))[labels] + rng.normal(size=(num_examples, num_features))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    weights = 0.1 * rng.normal(size=(num_features, num_attributes))
    return weights, inputs, labels, rng.normal(size=(num_classes, num_attributes))


def warp_loop(weights, inputs, labels, attributes, learning_rate, margin=1.0):
    """The loop as the paper has it, in float64: one example, one step."""
    weights = weights.astype(np.float64)
    for x, y in zip(inputs, labels):
        scores = attributes @ (x @ weights)
        violating = [c for c in range(len(scores)) if c != y and margin + scores[c] - scores[y] > 0]
        for c in violating:
            weight = sum(1 / j for j in range(1, len(violating) + 1)) / len(violating)
            weights = weights - learning_rate * weight * np.outer(x, attributes[c] - attributes[y])
    return weights


def assert_same(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, atol=tolerance * np.max(np.abs(expected)), rtol=0)


# 75 examples: some left over, none left over, fewer than a block. Attributes: more than classes, as many, fewer.
@pytest.mark.parametrize(("block", "num_classes"), [(32, 6), (25, 9), (100, 14)])
def test_is_the_loop(block, num_classes):
    weights, inputs, labels, attributes = problem(num_classes=num_classes)
    run = jax.jit(functools.partial(_warp_sgd.warp_sgd, block=block))
    actual = run(weights, inputs, labels, attributes, learning_rate=0.1)
    assert actual.dtype == jnp.float32
    assert_same(actual, warp_loop(weights, inputs, labels, attributes, 0.1))


def test_is_the_loop_when_every_step_changes_the_next():
    """Long inputs and large steps: the examples of a block depend on each other as much as they can."""
    weights, inputs, labels, attributes = problem()
    with jax.enable_x64(True):  # such a path amplifies rounding

        @jax.jit
        def run(rate):
            return _warp_sgd.warp_sgd(weights, 3 * inputs, labels, attributes, learning_rate=rate, margin=0.5, block=32)

        for rate in (0.001, 1.0, 30.0):
            assert_same(run(rate), warp_loop(weights, 3 * inputs, labels, attributes, rate, margin=0.5), 1e-10)


def test_is_the_loop_from_zero_weights_with_equal_attributes():
    """All scores tie at the first step, and the attributes span less than there are classes."""
    weights, inputs, labels, attributes = problem()
    weights, attributes = np.zeros_like(weights), np.repeat(attributes[:2], 3, axis=0)
    run = jax.jit(functools.partial(_warp_sgd.warp_sgd, block=25))
    actual = run(weights, inputs, labels, attributes, learning_rate=0.1)
    assert_same(actual, warp_loop(weights, inputs, labels, attributes, 0.1))


def test_visits_in_the_order_given():
    weights, inputs, labels, attributes = problem()
    inputs = inputs.astype(jnp.bfloat16)  # in half precision; the weights are not
    order = np.random.default_rng(1).integers(0, 75, 90)  # some rows twice, some never
    actual = _warp_sgd.warp_sgd(weights, inputs, labels, attributes, learning_rate=0.1, order=order, block=15)
    assert actual.dtype == jnp.float32
    assert_same(actual, warp_loop(weights, inputs[order].astype(np.float64), labels[order], attributes, 0.1))


def test_visiting_nothing_changes_nothing():
    weights, inputs, labels, attributes = problem()
    actual = _warp_sgd.warp_sgd(weights, inputs[:0], labels[:0], attributes, learning_rate=0.1)
    np.testing.assert_array_equal(actual, weights.astype(np.float32))


def test_an_example_without_a_class_takes_no_step():
    weights, inputs, labels, attributes = problem()
    is_padding = np.arange(75) % 4 == 1
    run = jax.jit(functools.partial(_warp_sgd.warp_sgd, block=25))
    actual = run(weights, inputs, np.where(is_padding, -1, labels), attributes, learning_rate=0.1)
    assert_same(actual, warp_loop(weights, inputs[~is_padding], labels[~is_padding], attributes, 0.1))


@pytest.mark.parametrize(
    "loss", [losses.structured_hinge, losses.softmax_cross_entropy], ids=lambda loss: loss.__name__
)
def test_serves_any_loss_of_the_scores(loss):
    weights, inputs, labels, attributes = problem()
    run = jax.jit(functools.partial(_warp_sgd.blocked_sgd, loss, learning_rate=0.3, block=25))
    actual = run(weights, inputs, labels, attributes)

    @jax.jit
    def step(weights, x, y):
        gradient = jax.grad(lambda w: loss(((x @ w) @ attributes.T)[None], y[None])[0])(weights)
        return weights - 0.3 * gradient

    expected = jnp.asarray(weights, jnp.float32)
    for x, y in zip(jnp.asarray(inputs, jnp.float32), jnp.asarray(labels)):
        expected = step(expected, x, y)
    assert_same(actual, np.asarray(expected))


def test_the_knobs_may_be_traced_and_the_pass_mapped_over_them():
    weights, inputs, labels, attributes = problem(num_examples=20)
    rates = np.array([0.01, 0.3], np.float32)
    run = functools.partial(_warp_sgd.warp_sgd, weights, inputs, labels, attributes, block=8)
    together = jax.jit(jax.vmap(lambda rate: run(learning_rate=rate, margin=rate + 0.5)))(rates)
    for rate, actual in zip(rates, together):
        assert_same(actual, warp_loop(weights, inputs, labels, attributes, rate, margin=rate + 0.5))


def test_wrong_shapes_are_named():
    weights, inputs, labels, attributes = problem()
    with pytest.raises(ValueError, match=r"\(12, 9\), \(75, 12\) and \(6, 8\)"):
        _warp_sgd.warp_sgd(weights, inputs, labels, attributes[:, :8], learning_rate=0.1)
    with pytest.raises(ValueError, match=r"\(75, 12\) and \(74,\)"):
        _warp_sgd.warp_sgd(weights, inputs, labels[:-1], attributes, learning_rate=0.1)
