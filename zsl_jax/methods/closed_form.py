"""Methods with a closed form: sums over the training examples in `update`, the solution of an equation in `finish`.

    sums       sum_i s(x_i, y_i)            batch by batch, so that it streams, shards and resumes
    solution   solve(sums, Phi)             Phi [S, A], the descriptions of the seen classes

A run that passes over the examples more than once gets the solution of one pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.methods import base

# Columns of a block: at 2048 features 10 of 16 blocks are multiplied.
_BLOCK = 512
# Rows that are multiplied at a time.
_ROWS = 1024


class Sums(NamedTuple):
    """Sums over examples, with X `[N, F]` their features and Y `[N, S]` their classes, one-hot.

    Fields:
      gram: `[F, F]`, X^T X.
      features: `[S, F]`, Y^T X.
      counts: `[S]`, examples of each class.
    """

    gram: jax.Array
    features: jax.Array
    counts: jax.Array


class Solution(NamedTuple):
    """What `finish` leaves: the solution of the method's equation, any pytree of arrays."""

    value: Any


def second_moments(inputs, one_hot) -> Sums:
    """Returns the `Sums` of a batch: all that a linear least squares problem with descriptions as targets needs."""
    return Sums(gram(inputs), one_hot.T @ inputs, jnp.sum(one_hot, axis=0))


def gram(inputs: jax.Array) -> jax.Array:
    """Returns X^T X `[F, F]` of X `[N, F]`, symmetric to the bit: blocks below the diagonal are mirrored.

    Some rows at a time, so that the columns of a block are taken from a cache and not from memory.
    """
    count, width = inputs.shape
    if width <= _BLOCK:
        return inputs.T @ inputs

    def upper(rows):
        return tuple(rows[:, first : first + _BLOCK].T @ rows[:, first:] for first in range(0, width, _BLOCK))

    def add(index, blocks):
        rows = jax.lax.dynamic_slice_in_dim(inputs, index * _ROWS, _ROWS)
        return jax.tree.map(jnp.add, blocks, upper(rows))

    whole = count // _ROWS
    blocks = upper(inputs[whole * _ROWS :])
    if whole:
        blocks = jax.lax.fori_loop(0, whole, add, blocks)
    blocks = [jnp.pad(block, ((0, 0), (width - block.shape[1], 0))) for block in blocks]
    full = jnp.concatenate(blocks)
    return jnp.triu(full) + jnp.triu(full, 1).T


def from_sums(
    *,
    solve: Callable,
    scores: Callable,
    sums: Callable = second_moments,
    embed: Callable[..., Any] = lambda solution, inputs: inputs,
    describe: Callable[..., Any] = lambda solution, classes: classes.embedding,
) -> base.Method:
    """Returns the method that solves an equation made of sums over the training examples.

    The loss of a step is 0: there is none before the solution.

    Args:
      solve: `(sums, attributes [S, A]) -> solution`, any pytree.
      scores: `(solution, images, described) -> [B, C]`.
      sums: `(inputs [B, F], one_hot [B, S]) -> NamedTuple` with a field `counts`; rows of zeros must add nothing.
      embed: `(solution, inputs [B, F]) -> images`.
      describe: `(solution, classes) -> described`.
    """

    def batch_sums(batch, classes):
        inputs = jnp.asarray(batch.inputs, jnp.float32)
        if inputs.ndim != 2:
            raise errors.UserError(
                f"a closed form needs features, an input [F] each, not inputs {list(inputs.shape[1:])}: choose "
                "features of the images, or a method that trains an encoder"
            )
        is_real = batch.where[:, None]
        one_hot = jnp.where(is_real, jax.nn.one_hot(batch.labels, len(classes)), 0.0)
        # Normal equations square the condition number: the short products of some accelerators would not do.
        with jax.default_matmul_precision("highest"):
            return sums(jnp.where(is_real, inputs, 0.0), one_hot)

    def init(key, like, classes, weights):
        del key, weights
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(batch_sums, like, classes))

    def update(state, batch, classes, key):
        del key
        state = jax.tree.map(jnp.add, state, base.total(batch_sums(batch, classes), batch.axis_name))
        return state, {"loss": jnp.zeros(()), "examples": jnp.sum(state.counts)}

    def finish(state, train, classes, key):
        del key
        passes = jnp.sum(state.counts) / len(train.labels)
        one_pass = jax.tree.map(lambda x: x / passes, state)
        with jax.default_matmul_precision("highest"):
            return Solution(solve(one_pass, jnp.asarray(classes.embedding, jnp.float32)))

    return base.Method(
        init=init,
        update=update,
        finish=finish,
        embed=lambda state, inputs: embed(state.value, inputs),
        describe=lambda state, classes: describe(state.value, classes),
        scores=lambda state, images, described: scores(state.value, images, described),
        divides=True,
    )
