"""Methods that follow the gradient of a loss: shared `init` and `update` around a scoring function and an optimiser."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax.methods import base, objectives


class GradientState(NamedTuple):
    """Trainable parameters and the optimiser's memory of them, after training."""

    params: Any
    optimizer: Any


class Transposed(NamedTuple):
    """The same in training, with every matrix transposed, and what is remembered of earlier batches for the loss.

    The gradient of `x @ w` leaves its product as `[columns of w, columns of x]`. Where weights, gradient and memory all
    have that form, nothing is copied or read across, which makes a step of the bilinear methods on a CPU about twice as
    fast.
    """

    params: Any
    optimizer: Any
    kept: Any = ()


def by_gradient(
    *,
    init_params: Callable[..., Any],
    loss: Callable[..., jax.Array],
    scores: Callable[..., jax.Array],
    optimizer: optax.GradientTransformation,
    embed: Callable[..., Any] = lambda params, inputs: inputs,
    describe: Callable[..., Any] = lambda params, classes: classes.embedding,
    divides: bool = True,
    memory: objectives.Memory | None = None,
) -> base.Method:
    """Returns a method that minimises the mean of `loss` over the valid rows of each batch.

    Args:
      init_params: `(key, like, classes) -> params`.
      loss: `(params, batch, classes, key) -> [B]`, one value per example, or `[2, B]` for
        `objectives.descent`. A loss that compares rows of the batch passes `axis_name=batch.axis_name` on to one of
        `zsl_jax.losses` that takes it. With a memory it takes `notes=`, too.
      scores: `(params, images, described) -> [B, C]`.
      optimizer: any optax transformation that treats the entries of a matrix equally.
      embed: `(params, inputs) -> images`.
      describe: `(params, classes) -> described`.
      divides: see `base.Method`; False for a loss with random numbers, or one that compares rows in another way.
      memory: of earlier batches.
    """

    def compare(params, batch, classes, key):
        images, described = embed(transposed(params), batch.inputs), describe(transposed(params), classes)
        return objectives.of_batch(images, described, batch, classes, key)

    def init(key, like, classes, weights):
        del weights
        params = init_params(key, like, classes)
        width = jax.eval_shape(lambda: embed(params, like.inputs)).shape[-1] if memory else 0
        moving = transposed((params, optimizer.init(params)))
        return Transposed(*moving, objectives.begin(memory, moving[0], classes.num_trained, width))

    def update(state, batch, classes, key):
        notes = {"notes": state.kept.notes} if memory else {}
        count = jnp.maximum(base.total(jnp.sum(batch.where), batch.axis_name), 1)

        def share_of_mean(params):
            values = loss(transposed(params), batch, classes, key, **notes)
            if values.ndim == 1:
                return jnp.sum(values, where=batch.where) / count, ()
            return jnp.sum(values, axis=1, where=batch.where[None, :]) / count, ()

        total = functools.partial(base.total, axis_name=batch.axis_name)
        (value, _), gradient = objectives.descent(share_of_mean, state.params, total)
        updates, moments = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        kept = objectives.after(
            memory, state.kept, state.params, params, lambda params: compare(params, batch, classes, key)
        )
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        return Transposed(params, moments, kept), metrics

    def finish(state, train, classes, key):
        del train, classes, key
        return GradientState(*transposed((state.params, state.optimizer)))

    return base.Method(
        init=init,
        update=update,
        finish=finish,
        embed=lambda state, inputs: embed(trained_params(state), inputs),
        describe=lambda state, classes: describe(trained_params(state), classes),
        scores=lambda state, images, described: scores(trained_params(state), images, described),
        divides=divides,
    )


def trained_params(state: GradientState | Transposed) -> Any:
    """Returns the parameters as the loss takes them, in training and after it."""
    return transposed(state.params) if isinstance(state, Transposed) else state.params


def transposed(tree):
    """Returns a tree with its matrices transposed, the last two axes of every array."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, -1, -2) if x.ndim > 1 else x, tree)
