"""The temperature is where the labels are most likely, by brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import metrics

RNG = np.random.default_rng(1)
SCORES = RNG.standard_normal((40, 5)).astype(np.float32)
LABELS = np.where(RNG.random(40) < 0.7, SCORES.argmax(1), RNG.integers(0, 5, 40))


def likelihood(scores, labels, temperature):
    total = 0.0
    for row, label in zip(scores.astype(float), labels):
        total += row[label] / temperature - np.log(np.sum(np.exp(row / temperature)))
    return total / len(labels)


@pytest.mark.parametrize("unit", [1.0, 300.0])
def test_no_other_temperature_is_more_likely(unit):
    found = float(metrics.fitted_temperature(unit * SCORES, LABELS))
    best = likelihood(unit * SCORES, LABELS, found)
    for factor in (0.5, 0.98, 1.02, 2.0):
        assert likelihood(unit * SCORES, LABELS, factor * found) < best


def test_jit_and_masks():
    where = np.arange(40) < 25
    masked = metrics.fitted_temperature(SCORES, LABELS, where=where)
    np.testing.assert_allclose(masked, metrics.fitted_temperature(SCORES[:25], LABELS[:25]), rtol=1e-4)
    np.testing.assert_allclose(jax.jit(metrics.fitted_temperature)(SCORES, LABELS, where=where), masked, rtol=1e-4)


def test_ugly_scores_give_a_positive_number():
    right = jnp.eye(3)
    for scores, labels in (
        (right, jnp.arange(3)),
        (right, (jnp.arange(3) + 1) % 3),
        (jnp.zeros((3, 3)), jnp.arange(3)),
    ):
        temperature = metrics.fitted_temperature(scores, labels)
        assert np.isfinite(temperature)
        assert temperature > 0


def test_bad_shapes_raise():
    with pytest.raises(ValueError, match="labels"):
        metrics.fitted_temperature(SCORES, LABELS[:3])
