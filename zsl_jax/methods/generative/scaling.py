"""What generative methods see: features in [0, 1] by their range in training, descriptions of some length."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.methods import base


class Range(NamedTuple):
    """The lowest and highest value of each feature on the training images, `[F]`."""

    low: jax.Array
    high: jax.Array


def in_range(method: base.Method, *, description_scale: float = 1.0) -> base.Method:
    """Returns the method on features `(x - low) / (high - low)`, cut to [0, 1], and on descriptions times a number.

    The range is that of the examples of training and no others, found before the first step; a feature that never
    varies there is 0. A test image outside the range is brought to its end.

    Args:
      method: what trains and scores on them.
      description_scale: > 0.
    """

    def start(key, like, classes):
        del key, classes
        if like.inputs.ndim != 2:
            raise errors.UserError(
                f"a generator of features needs features, an input [F] each, not inputs {list(like.inputs.shape[1:])}"
            )
        width = like.inputs.shape[-1]
        return Range(jnp.zeros(width), jnp.ones(width))

    def learn(kept, train, classes, key):
        del kept, classes, key
        inputs = jnp.asarray(train.inputs, jnp.float32)
        return Range(jnp.min(inputs, axis=0), jnp.max(inputs, axis=0))

    def scale(kept, inputs):
        inputs = jnp.asarray(inputs, jnp.float32)
        low, width = kept.low[None, :], (kept.high - kept.low)[None, :]
        return jnp.where(width > 0, jnp.clip((inputs - low) / jnp.where(width > 0, width, 1.0), 0.0, 1.0), 0.0)

    def lengthen(kept, classes):
        del kept
        return dataclasses.replace(classes, embedding=description_scale * jnp.asarray(classes.embedding, jnp.float32))

    return base.viewed(method, base.View(start=start, learn=learn, inputs=scale, classes=lengthen))
