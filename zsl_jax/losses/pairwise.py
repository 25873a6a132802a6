"""Sums over all pairs of two sets of embeddings, a block of rows at a time: one place that walks a `B x C` matrix.

    logits[i, j] = scale * x_i . y_j + row_bias[i] + column_bias[j]

The functions reduce that matrix over its columns, its rows or both, and carry their own derivative: a block of rows is
computed, reduced and dropped, and computed again for the gradient. The memory is one block (`BLOCK_BYTES`, or `chunk`
rows) and arrays of the size of the arguments. Where the whole matrix takes no more than `KEPT_BYTES` it is kept for the
gradient instead, which saves one matrix product. An explicit `chunk` never keeps it.

A bias of -inf leaves a row or a column out; equal `ids` leave out one pair. Where nothing is left the log-sum is
`EMPTY`, a finite stand-in for -inf, so that the gradients of what is built on it stay finite.

Several devices. Under `jit` with sharded arguments nothing is needed: the rows are gathered once, the columns and the
work stay divided. Inside `shard_map` or `pmap`, `axis_name` makes the columns those of all devices.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

BLOCK_BYTES = 8 * 2**20
KEPT_BYTES = 64 * 2**20
EMPTY = -1e30


class Side(NamedTuple):
    """The rows or the columns: `embeddings [N, D]`, and `[N]` each of `bias`, `ids` and `labels`.

    A row and a column with the same id are no pair; with the same label they are a positive pair. Either can be None.
    """

    embeddings: Any
    bias: Any
    ids: Any = None
    labels: Any = None


class Sums(NamedTuple):
    """Of the logits of each row (or column), `[N]`: their log-sum-exp; the sum and the number of the positive ones."""

    log_sum: Any
    positive_sum: Any = None
    positive_count: Any = None


class _Plan(NamedTuple):
    kind: str  # "rows", "both" or "symmetric"
    chunk: int
    keep: bool = False


def row_sums(rows: Side, columns: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None) -> Sums:
    """`Sums` of each row over all columns."""
    columns = gather(columns, axis_name)
    return _sums(_plan("rows", rows, columns, chunk), *vary_alike((rows, columns, scale)))[0]


def both_sums(
    rows: Side, columns: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None
) -> tuple[Sums, Sums]:
    """`Sums` of each row over all columns, and of each column over all rows, from the same products."""
    columns = gather(columns, axis_name)
    of_rows, of_columns = _sums(_plan("both", rows, columns, chunk), *vary_alike((rows, columns, scale)))
    if axis_name is None:
        return of_rows, of_columns

    # Each device holds the sums of all columns over its own rows, and wants those of its own columns over all rows.
    def exchange(x):
        return jax.lax.all_to_all(x.reshape(-1, rows.bias.shape[0]), axis_name, 0, 0)

    log_sum, *others = (None if x is None else exchange(x) for x in of_columns)
    return of_rows, Sums(
        jax.nn.logsumexp(log_sum, axis=0), *(None if x is None else jnp.sum(x, axis=0) for x in others)
    )


def symmetric_sums(rows: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None) -> Sums:
    """`Sums` of each row over all rows of the batch (its `ids` leave out the row itself)."""
    if axis_name is not None:
        return row_sums(rows, rows, scale, axis_name=axis_name, chunk=chunk)
    return _sums(_plan("symmetric", rows, rows, chunk), *vary_alike((rows, None, scale)))[0]


def gather(tree, axis_name: str | None):
    """Arrays `[N, ...]` of every device, one after the other; differentiable."""
    if axis_name is None:
        return tree
    return jax.tree.map(lambda x: jax.lax.all_gather(x, axis_name, tiled=True), tree)


def vary_alike(tree):
    """The same values, but every array varies over the mapped axes (of a `shard_map`) that any of them varies over.

    A hand-written derivative has to return, and a scan to carry, arrays that vary exactly as their arguments do.
    """
    firsts = [jnp.ravel(x)[0] > 0 for x in jax.tree.leaves(tree)]
    never = functools.reduce(jnp.logical_and, firsts, jnp.array(False))
    return jax.tree.map(lambda x: x + never.astype(x.dtype), tree)


def map_rows(fn: Callable, rows, *, row_bytes: int, chunk: int | None):
    """`jax.vmap(fn)(rows)`; where that would take too much memory, a block at a time and again for the gradient."""
    num_rows = jax.tree.leaves(rows)[0].shape[0]
    if chunk is None and num_rows * row_bytes <= KEPT_BYTES:
        return jax.vmap(fn)(rows)
    return jax.lax.map(jax.checkpoint(fn), rows, batch_size=block_rows(num_rows, row_bytes, chunk))


def share_kept(chunk: int | None, matrices: int, rows: Side, columns: Side) -> int | None:
    """The `chunk` with which several matrices of one loss keep no more than `KEPT_BYTES` together."""
    num_rows, row_bytes = rows.bias.shape[0], columns.bias.nbytes
    if chunk is not None or matrices * num_rows * row_bytes <= KEPT_BYTES:
        return chunk
    return block_rows(num_rows, row_bytes, None)


def _plan(kind: str, rows: Side, columns: Side, chunk: int | None) -> _Plan:
    num_rows, row_bytes = rows.bias.shape[0], columns.bias.nbytes
    keep = chunk is None and num_rows * row_bytes <= KEPT_BYTES
    return _Plan(kind, block_rows(num_rows, row_bytes, chunk), keep)


def block_rows(num_rows: int, row_bytes: int, chunk: int | None) -> int:
    """Rows in a block: `chunk` or what fits in `BLOCK_BYTES`, made smaller where that costs no further block."""
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is a number of rows, at least 1, not {chunk}")
    largest = chunk or max(BLOCK_BYTES // row_bytes, 1)
    return -(-num_rows // -(-num_rows // largest))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sums(plan: _Plan, rows: Side, columns: Side | None, scale: jax.Array) -> tuple[Sums, Sums | None]:
    return _forward(plan._replace(keep=False), rows, columns, scale)[0]


def _forward(plan: _Plan, rows: Side, columns: Side | None, scale: jax.Array):
    others = rows if columns is None else columns

    def step(of_columns, block):
        logits = pair_logits(block, others, scale)
        positive = _positive(block, others, logits)
        if plan.kind == "both":
            of_columns = _merge(of_columns, _reduce(logits, positive, axis=0))
        return of_columns, (_reduce(logits, positive, axis=1), logits if plan.keep else None)

    of_columns = _nothing(others) if plan.kind == "both" else None
    of_columns, (of_rows, kept) = jax.lax.scan(step, of_columns, split_side(rows, plan.chunk))
    of_rows = join(of_rows, rows.bias.shape[0])
    return (of_rows, of_columns), (rows, columns, scale, of_rows, of_columns, kept)


def _backward(plan: _Plan, residuals, cotangents):
    rows, columns, scale, of_rows, of_columns, kept = residuals
    row_grad, column_grad = cotangents
    if plan.kind == "symmetric":
        others, of_others, other_grad = rows, of_rows, row_grad
    else:
        others, of_others, other_grad = columns, of_columns, column_grad

    def step(totals, xs):
        block, block_sums, block_grad, logits = xs
        logits = pair_logits(block, others, scale) if logits is None else logits
        positive = _positive(block, others, logits)
        slope = _slope(logits, positive, block_sums, block_grad, axis=1)
        if plan.kind != "rows":
            slope += _slope(logits, positive, of_others, other_grad, axis=0)
        unscaled = slope @ others.embeddings
        if plan.kind != "symmetric":
            to_others = slope.T @ (scale * block.embeddings), jnp.sum(slope, axis=0)
            totals = jax.tree.map(jnp.add, totals, to_others)
        return totals, (scale * unscaled, jnp.sum(slope, axis=1), jnp.vdot(block.embeddings, unscaled))

    totals = None if columns is None else jax.tree.map(jnp.zeros_like, (columns.embeddings, columns.bias))
    blocks = (split_side(rows, plan.chunk), *split((of_rows, row_grad), plan.chunk), kept)
    totals, (embeddings, bias, scale_parts) = jax.lax.scan(step, totals, blocks)
    to_rows = Side(*join((embeddings, bias), rows.bias.shape[0]))
    # A symmetric matrix holds every pair twice, so its slope is that of both; the scale meets each once.
    to_scale = jnp.sum(scale_parts) * (0.5 if plan.kind == "symmetric" else 1.0)
    return to_rows, None if totals is None else Side(*totals), to_scale


_sums.defvjp(_forward, _backward)


def pair_logits(rows: Side, columns: Side, scale: jax.Array) -> jax.Array:
    logits = (scale * rows.embeddings) @ columns.embeddings.T + rows.bias[:, None] + columns.bias[None, :]
    if rows.ids is None:
        return logits
    return jnp.where(rows.ids[:, None] == columns.ids[None, :], -jnp.inf, logits)


def _positive(rows: Side, columns: Side, logits: jax.Array) -> jax.Array | None:
    if rows.labels is None:
        return None
    return (rows.labels[:, None] == columns.labels[None, :]) & (logits > -jnp.inf)


def _reduce(logits: jax.Array, positive: jax.Array | None, axis: int) -> Sums:
    log_sum = jnp.maximum(jax.nn.logsumexp(logits, axis=axis), EMPTY)
    if positive is None:
        return Sums(log_sum)
    positive_sum = jnp.sum(jnp.where(positive, logits, 0.0), axis=axis)
    return Sums(log_sum, positive_sum, jnp.sum(positive, axis=axis, dtype=logits.dtype))


def _slope(logits: jax.Array, positive: jax.Array | None, sums: Sums, grad: Sums, axis: int) -> jax.Array:
    """The cotangent of the logits, given that of the `sums` which `_reduce` made of them."""
    log_sum, to_log_sum = (jnp.expand_dims(x, axis) for x in (sums.log_sum, grad.log_sum))
    slope = to_log_sum * jnp.exp(logits - log_sum)
    if positive is None:
        return slope
    return slope + jnp.where(positive, jnp.expand_dims(grad.positive_sum, axis), 0.0)


def _nothing(columns: Side) -> Sums:
    zero = jnp.zeros_like(columns.bias)
    return Sums(zero + EMPTY) if columns.labels is None else Sums(zero + EMPTY, zero, zero)


def _merge(a: Sums, b: Sums) -> Sums:
    log_sum = jnp.logaddexp(a.log_sum, b.log_sum)
    if a.positive_sum is None:
        return Sums(log_sum)
    return Sums(log_sum, a.positive_sum + b.positive_sum, a.positive_count + b.positive_count)


def split_side(rows: Side, chunk: int) -> Side:
    """`[N, ...]` as blocks `[n, chunk, ...]`; what fills up the last block is left out by its bias."""
    blocks, filler = split(rows, chunk), -rows.bias.shape[0] % chunk
    return blocks._replace(bias=blocks.bias.at[-1, chunk - filler :].set(-jnp.inf)) if filler else blocks


def split(tree, chunk: int):
    """`[N, ...]` as blocks `[n, chunk, ...]`, the last one filled up with zeros."""

    def one(x):
        filler = -x.shape[0] % chunk
        x = jnp.pad(x, [(0, filler)] + [(0, 0)] * (x.ndim - 1)) if filler else x
        return x.reshape(-1, chunk, *x.shape[1:])

    return jax.tree.map(one, tree)


def join(tree, num_rows: int):
    """The inverse of `split`."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:num_rows], tree)
