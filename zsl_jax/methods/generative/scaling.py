"""What generative methods see: features in [0, 1] by their range in training, descriptions of some length."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax.methods import base


class RangeState(NamedTuple):
    """The lowest and highest value of each feature on the training images, `[F]`, and the state of the method."""

    low: jax.Array
    high: jax.Array
    inner: Any


def in_range(method: base.Method, *, description_scale: float = 1.0) -> base.Method:
    """Returns the method on features `(x - low) / (high - low)`, cut to [0, 1], and on descriptions times a number.

    The range is that of the training images and no others, found before the first step; a feature that never varies
    there is 0. A test image outside the range is brought to its end.

    Args:
      method: what trains and scores on them.
      description_scale: > 0.
    """

    def scale(state, inputs):
        inputs = jnp.asarray(inputs, jnp.float32)
        if inputs.ndim != 2:
            raise ValueError(f"a generator of features needs inputs [B, F], not {inputs.shape}")
        low, width = state.low[None, :], (state.high - state.low)[None, :]
        return jnp.where(width > 0, jnp.clip((inputs - low) / jnp.where(width > 0, width, 1.0), 0.0, 1.0), 0.0)

    def examples(state, given):
        return given._replace(inputs=scale(state, given.inputs))

    def table(classes):
        return dataclasses.replace(classes, embedding=description_scale * jnp.asarray(classes.embedding, jnp.float32))

    def init(key, batch, classes):
        width = batch.inputs.shape[-1]
        empty = RangeState(jnp.zeros(width), jnp.ones(width), None)
        return empty._replace(inner=method.init(key, examples(empty, batch), table(classes)))

    def prepare(state, train, classes, key):
        inputs = jnp.asarray(train.inputs, jnp.float32)
        state = state._replace(low=jnp.min(inputs, axis=0), high=jnp.max(inputs, axis=0))
        return state._replace(inner=method.prepare(state.inner, examples(state, train), table(classes), key))

    def update(state, batch, classes, key):
        inner, metrics = method.update(state.inner, examples(state, batch), table(classes), key)
        return state._replace(inner=inner), metrics

    return method._replace(
        init=init,
        prepare=prepare,
        update=update,
        finish=lambda state, train, classes, key: state._replace(
            inner=method.finish(state.inner, examples(state, train), table(classes), key)
        ),
        adapt=lambda state, inputs, classes: state._replace(
            inner=method.adapt(state.inner, scale(state, inputs), table(classes))
        ),
        scores=lambda state, inputs, classes: method.scores(state.inner, scale(state, inputs), table(classes)),
    )
