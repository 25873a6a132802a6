"""Inputs of any scale and shape as rows around the training mean, at a mean squared length of 1."""

import jax
import jax.numpy as jnp

from zsl_jax.methods import base


def _start(key, like, classes):
    del key, classes
    width = _flat(like.inputs).shape[1]
    return {"mean": jnp.zeros(width), "scale": jnp.ones(())}


def _learn(kept, train, classes, key):
    del kept, classes, key
    rows = _flat(train.inputs)
    mean = jnp.mean(rows, axis=0)
    scale = jnp.sqrt(jnp.mean(jnp.sum((rows - mean[None, :]) ** 2, axis=1)))
    return {"mean": mean, "scale": jnp.maximum(scale, 1e-12)}


def _flat(inputs) -> jax.Array:
    """Returns inputs of any shape as rows of floats, `[B, F]`."""
    return jnp.asarray(inputs, jnp.float32).reshape(inputs.shape[0], -1)


# (x - m) / s: m is the mean of the training inputs, s^2 their mean squared distance from it; images are their pixels.
CENTRED = base.View(
    start=_start,
    learn=_learn,
    inputs=lambda kept, inputs: (_flat(inputs) - kept["mean"][None, :]) / kept["scale"],
)
