"""Sums of `softplus(logits)` over all pairs, with the gradient taken from the same block of logits as the value.

The derivative of a row's sum in its own arguments needs only that row, so it is made in the forward pass and multiplied
by the cotangent later. What goes to the columns is a sum over rows weighted by their cotangents. Those are not known
yet, but in a mean or a sum over the batch they are all equal, and then the unweighted sum of the forward pass serves.
Otherwise the columns' part is computed anew.
"""

import functools

import jax
import jax.numpy as jnp

from zsl_jax.losses import _pairwise


def row_softplus_sums(
    rows: _pairwise.Side, columns: _pairwise.Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None
) -> jax.Array:
    """`sum_j softplus(logits[i, j])` of each row, `[N]`; a pair that is left out adds 0."""
    columns = _pairwise.gather(columns, axis_name)
    chunk = _pairwise.block_rows(rows.bias.shape[0], columns.bias.nbytes, chunk)
    return _sums(chunk, rows, columns, scale)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _walk(chunk: int, rows: _pairwise.Side, columns: _pairwise.Side, scale: jax.Array) -> jax.Array:
    def one(block):
        return jnp.sum(_softplus(_pairwise.pair_logits(block, columns, scale)), axis=1)

    return _pairwise.join(jax.lax.map(one, _pairwise.split_side(rows, chunk)), rows.bias.shape[0])


def _forward(chunk: int, rows: _pairwise.Side, columns: _pairwise.Side, scale: jax.Array):
    def step(to_columns, block):
        logits = _pairwise.pair_logits(block, columns, scale)
        slope = jax.nn.sigmoid(logits)
        unscaled = slope @ columns.embeddings
        to_columns = _add_columns(to_columns, slope, block, scale)
        to_scale = jnp.sum(block.embeddings * unscaled, axis=1)
        return to_columns, (jnp.sum(_softplus(logits), axis=1), scale * unscaled, jnp.sum(slope, axis=1), to_scale)

    to_columns, of_rows = jax.lax.scan(step, _zeros(columns), _pairwise.split_side(rows, chunk))
    sums, *slopes = _pairwise.join(of_rows, rows.bias.shape[0])
    return sums, (rows, columns, scale, slopes, to_columns)


def _backward(chunk: int, residuals, grad: jax.Array):
    rows, columns, scale, (embeddings, bias, to_scale), to_columns = residuals
    is_row = rows.bias > -jnp.inf
    common = grad[jnp.argmax(is_row)]

    def weighted():
        def step(totals, xs):
            block, weight = xs
            slope = weight[:, None] * jax.nn.sigmoid(_pairwise.pair_logits(block, columns, scale))
            return _add_columns(totals, slope, block, scale), None

        blocks = _pairwise.split_side(rows, chunk), _pairwise.split(grad, chunk)
        return jax.lax.scan(step, _zeros(columns), blocks)[0]

    to_columns = jax.lax.cond(
        jnp.all((grad == common) | ~is_row), lambda: jax.tree.map(lambda x: common * x, to_columns), weighted
    )
    return (
        _pairwise.Side(grad[:, None] * embeddings, grad * bias),
        _pairwise.Side(*to_columns),
        jnp.vdot(grad, to_scale),
    )


_walk.defvjp(_forward, _backward)


@functools.partial(jax.jit, static_argnums=(0,))  # or a call outside of jit would compile its scan anew each time
def _sums(chunk: int, rows: _pairwise.Side, columns: _pairwise.Side, scale: jax.Array) -> jax.Array:
    return _walk(chunk, *_pairwise.vary_alike((rows, columns, scale)))


def _zeros(columns: _pairwise.Side) -> tuple[jax.Array, jax.Array]:
    return jnp.zeros_like(columns.embeddings), jnp.zeros_like(columns.bias)


def _add_columns(totals, slope: jax.Array, rows: _pairwise.Side, scale: jax.Array):
    embeddings, bias = totals
    return embeddings + slope.T @ (scale * rows.embeddings), bias + jnp.sum(slope, axis=0)


def _softplus(x: jax.Array) -> jax.Array:
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))
