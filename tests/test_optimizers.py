"""The optimiser: each part of the chain against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import errors
from zsl_jax.training import optimizers

PARAMS = {"encoder": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "head": {"map": jnp.ones((2, 2))}}
GRADIENT = jax.tree.map(lambda x: 2.0 * x, PARAMS)


def updates(count=1, **knobs):
    """The last of `count` updates by plain gradients."""
    optimizer = optimizers.make_optimizer(name="sgd", momentum=0.0, learning_rate=0.5, **knobs)
    state = optimizer.init(PARAMS)
    for _ in range(count):
        found, state = optimizer.update(GRADIENT, state, PARAMS)
    return jax.tree.map(float, jax.tree.map(jnp.mean, found))


def test_plain_is_minus_the_step_size_times_the_gradient():
    assert updates() == {"encoder": {"kernel": -1.0, "bias": -1.0}, "head": {"map": -1.0}}


def test_decay_leaves_biases_out():
    assert updates(weight_decay=0.5) == {"encoder": {"kernel": -1.25, "bias": -1.0}, "head": {"map": -1.25}}


def test_the_encoder_moves_slower_or_not_at_all():
    assert updates(encoder_rate=0.5)["encoder"] == {"kernel": -0.5, "bias": -0.5}
    assert updates(encoder_rate=0.0, weight_decay=0.5) == {
        "encoder": {"kernel": 0.0, "bias": 0.0},
        "head": {"map": -1.25},
    }


def test_clipping_keeps_the_direction():
    length = np.sqrt(10 * 4.0)
    np.testing.assert_allclose(updates(clip_norm=1.0)["head"]["map"], -0.5 * 2 / length, rtol=1e-5)


def test_accumulation_updates_every_second_step():
    assert updates(1, accumulate=2)["head"]["map"] == 0.0
    assert updates(2, accumulate=2)["head"]["map"] == -1.0


def test_warm_up_and_cosine():
    rate = optimizers.schedule(2.0, 10, 30)
    np.testing.assert_allclose(
        [rate(0), rate(5), rate(10), rate(20), rate(30), rate(99)], [0, 1, 2, 1, 0, 0], atol=1e-6
    )
    assert optimizers.schedule(2.0, 0, 0)(1000) == 2.0


def test_what_cannot_be_is_named():
    with pytest.raises(errors.UserError, match="did you mean 'adamw'"):
        optimizers.make_optimizer(name="adam")
    with pytest.raises(errors.UserError, match="decay within 5 updates after rising for warmup_steps=9"):
        optimizers.make_optimizer(warmup_steps=9, decay_steps=5)
