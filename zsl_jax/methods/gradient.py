"""Methods that follow the gradient of a loss: shared `init` and `update` around a scoring function and an optimiser."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax.methods import base


class GradientState(NamedTuple):
    """Trainable parameters and the optimiser's memory of them."""

    params: Any
    optimizer: Any


def by_gradient(
    *,
    init_params: Callable[..., Any],
    loss: Callable[..., jax.Array],
    scores: Callable[..., jax.Array],
    optimizer: optax.GradientTransformation,
    divides: bool = True,
    setting: str = "inductive",
) -> base.Method:
    """Returns a method that minimises the mean of `loss` over the valid rows of each batch.

    Args:
      init_params: `(key, batch, classes) -> params`.
      loss: `(params, batch, classes, key) -> [B]`, one value an example. A loss that compares rows of the batch passes
        `axis_name=batch.axis_name` on to one of `zsl_jax.losses` that takes it.
      scores: `(params, inputs, classes) -> [B, C]`.
      optimizer: any optax transformation that treats the entries of a matrix alike.
      divides: see `base.Method`; False for a loss with random numbers, or one that compares rows in another way.
      setting: see `base.Method`.
    """

    def init(key, batch, classes):
        params = init_params(key, batch, classes)
        return GradientState(params, optimizer.init(params))

    def update(state, batch, classes, key):
        count = jnp.maximum(base.total(jnp.sum(batch.where), batch.axis_name), 1)

        def share_of_mean(params):
            return jnp.sum(loss(turned(params), batch, classes, key), where=batch.where) / count

        params, memory = turned(state)
        value, gradient = base.total(jax.value_and_grad(share_of_mean)(params), batch.axis_name)
        updates, memory = optimizer.update(gradient, memory, params)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        return turned(GradientState(optax.apply_updates(params, updates), memory)), metrics

    return base.Method(
        init=init,
        update=update,
        scores=lambda state, inputs, classes: scores(state.params, inputs, classes),
        divides=divides,
        turned=True,
        setting=setting,
    )


def held(method: base.Method, tree):
    """Returns a state of the method as the trainer holds it, and such a state as it was."""
    return turned(tree) if method.turned else tree


def turned(tree):
    """Returns a tree with its matrices transposed.

    The gradient of `x @ w` leaves its product as `[columns of w, columns of x]`, rows of x. Where weights, gradient and
    memory all have that form, nothing is copied or read across, which makes a step of the bilinear methods on a CPU
    about twice as fast. The trainer holds their states turned, `by_gradient` differentiates turned: within an epoch,
    nothing turns. Where a step makes other use of its matrices, it would turn them twice for nothing.
    """
    return jax.tree.map(lambda x: jnp.swapaxes(x, -1, -2) if x.ndim > 1 else x, tree)
