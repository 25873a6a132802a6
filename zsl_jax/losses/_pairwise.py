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
from collections.abc import Callable, Sequence
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
    kinds: tuple[str, ...]
    chunk: int
    keep: bool = False


def row_sums(rows: Side, columns: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None) -> Sums:
    """`Sums` of each row over all columns."""
    return sums(rows, [("rows", columns)], scale, axis_name=axis_name, chunk=chunk)[0][0]


def both_sums(rows: Side, columns: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None):
    """`Sums` of each row over all columns, and of each column over all rows, from the same products."""
    return sums(rows, [("both", columns)], scale, axis_name=axis_name, chunk=chunk)[0]


def symmetric_sums(rows: Side, scale: jax.Array, *, axis_name: str | None, chunk: int | None) -> Sums:
    """`Sums` of each row over all rows of the batch (its `ids` leave out the row itself)."""
    return sums(rows, [("symmetric", rows)], scale, axis_name=axis_name, chunk=chunk)[0][0]


def sums(
    rows: Side, parts: Sequence[tuple[str, Side]], scale: jax.Array, *, axis_name: str | None, chunk: int | None
) -> list[tuple[Sums, Any]]:
    """The rows against several sets of columns in one walk.

    Args:
      rows: the rows of this device.
      parts: for each set of columns its kind and itself: `rows` (only the rows' sums are wanted), `both` (the columns'
        too), `symmetric` (the rows themselves).
      scale: scalar.
      axis_name: mapped axis whose devices hold the rest of the columns (and of the rows).
      chunk: rows in a block; None: chosen by size.

    Returns:
      For each part the `Sums` of the rows and, for `both`, of this device's columns.
    """
    if axis_name is not None:
        parts = [("rows" if kind == "symmetric" else kind, gather(columns, axis_name)) for kind, columns in parts]
    kinds = tuple(kind for kind, _ in parts)
    num_rows, row_bytes = rows.bias.shape[0], sum(columns.bias.nbytes for _, columns in parts)
    keep = chunk is None and num_rows * row_bytes <= KEPT_BYTES
    plan = _Plan(kinds, block_rows(num_rows, row_bytes, chunk), keep)
    columns = tuple(None if kind == "symmetric" else columns for kind, columns in parts)
    results = _sums(plan, rows, columns, scale)
    return [(of_rows, _exchange(of_columns, axis_name)) for of_rows, of_columns in results]


def gather(tree, axis_name: str | None):
    """Arrays `[N, ...]` of every device, one after the other; differentiable."""
    if axis_name is None:
        return tree
    return jax.tree.map(lambda x: jax.lax.all_gather(x, axis_name, tiled=True), tree)


def vary_alike(tree):
    """The same values, but every array varies over the mapped axes (of a `shard_map`) that any of them varies over.

    A hand-written derivative has to return, and a scan to carry, arrays that vary exactly as their arguments do.
    """
    firsts = [jnp.any(jnp.ravel(x)[:1] > 0) for x in jax.tree.leaves(tree)]
    never = functools.reduce(jnp.logical_and, firsts, jnp.array(False))
    return jax.tree.map(lambda x: x + never.astype(x.dtype), tree)


def map_rows(fn: Callable, rows, *, row_bytes: int, chunk: int | None):
    """`jax.vmap(fn)(rows)`; where that would take too much memory, a block at a time and again for the gradient."""
    num_rows = jax.tree.leaves(rows)[0].shape[0]
    if chunk is None and num_rows * row_bytes <= KEPT_BYTES:
        return jax.vmap(fn)(rows)
    return jax.lax.map(jax.checkpoint(fn), rows, batch_size=block_rows(num_rows, row_bytes, chunk))


def log_sum(logits: jax.Array) -> jax.Array:
    """Log-sum-exp of each row, `EMPTY` without a gradient where all are -inf."""
    is_any = jnp.any(logits != -jnp.inf, axis=1)
    return jnp.where(is_any, jax.nn.logsumexp(jnp.where(is_any[:, None], logits, 0.0), axis=1), EMPTY)


def block_rows(num_rows: int, row_bytes: int, chunk: int | None) -> int:
    """Rows in a block: `chunk` or what fits in `BLOCK_BYTES`, made smaller where that costs no further block."""
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is a number of rows, at least 1, not {chunk}")
    largest, num_rows = chunk or max(BLOCK_BYTES // max(row_bytes, 1), 1), max(num_rows, 1)
    return -(-num_rows // -(-num_rows // largest))


def _exchange(of_columns: Sums | None, axis_name: str | None) -> Sums | None:
    """From sums of all columns over this device's rows to sums of this device's columns over all rows."""
    if axis_name is None or of_columns is None:
        return of_columns

    def one(x):
        return jax.lax.all_to_all(x.reshape(jax.lax.axis_size(axis_name), -1), axis_name, 0, 0)

    log_sum, *others = jax.tree.map(one, of_columns)
    return Sums(jax.nn.logsumexp(log_sum, axis=0), *(None if x is None else jnp.sum(x, axis=0) for x in others))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _walk(plan: _Plan, rows: Side, columns: tuple[Side | None, ...], scale: jax.Array):
    return _forward(plan._replace(keep=False), rows, columns, scale)[0]


def _forward(plan: _Plan, rows: Side, columns: tuple[Side | None, ...], scale: jax.Array):
    def step(of_columns, block):
        totals, of_rows, kept = [], [], []
        for kind, others, total in zip(plan.kinds, columns, of_columns):
            others = rows if others is None else others
            logits = pair_logits(block, others, scale)
            positive = _positive(block, others, logits)
            totals.append(_merge(total, _reduce(logits, positive, axis=0)) if kind == "both" else None)
            of_rows.append(_reduce(logits, positive, axis=1))
            kept.append(logits if plan.keep else None)
        return totals, (of_rows, kept)

    nothing = [
        _nothing(others) if kind == "both" and others is not None else None for kind, others in zip(plan.kinds, columns)
    ]
    of_columns, (of_rows, kept) = jax.lax.scan(step, nothing, split_side(rows, plan.chunk))
    results = list(zip(join(of_rows, rows.bias.shape[0]), of_columns))
    return results, (rows, columns, scale, results, kept)


def _backward(plan: _Plan, residuals, cotangents):
    rows, columns, scale, results, kept = residuals

    def step(to_columns, xs):
        block, of_block, block_grads, kept = xs
        to_rows, to_bias, to_scale, totals = 0.0, 0.0, 0.0, []
        for i, (kind, others) in enumerate(zip(plan.kinds, columns)):
            side = rows if others is None else others
            logits = pair_logits(block, side, scale) if kept[i] is None else kept[i]
            positive = _positive(block, side, logits)
            slope = _slope(logits, positive, of_block[i], block_grads[i], axis=1)
            if kind != "rows":
                of_side = 0 if kind == "symmetric" else 1
                slope += _slope(logits, positive, results[i][of_side], cotangents[i][of_side], axis=0)
            unscaled = slope @ side.embeddings
            to_rows += scale * unscaled
            to_bias += jnp.sum(slope, axis=1)
            # A symmetric matrix holds every pair twice, and its slope is that of both; the scale meets each once.
            to_scale += jnp.vdot(block.embeddings, unscaled) * (0.5 if kind == "symmetric" else 1.0)
            if others is None:
                totals.append(None)
            else:
                to_others = slope.T @ (scale * block.embeddings), jnp.sum(slope, axis=0)
                totals.append(jax.tree.map(jnp.add, to_columns[i], to_others))
        return totals, (to_rows, to_bias, to_scale)

    nothing = [others and jax.tree.map(jnp.zeros_like, (others.embeddings, others.bias)) for others in columns]
    row_side = [[of_rows for of_rows, _ in each] for each in (results, cotangents)]
    blocks = (split_side(rows, plan.chunk), *split(row_side, plan.chunk), kept)
    to_columns, (to_rows, to_bias, to_scale) = jax.lax.scan(step, nothing, blocks)
    to_rows = Side(*join((to_rows, to_bias), rows.bias.shape[0]))
    return to_rows, tuple(total and Side(*total) for total in to_columns), jnp.sum(to_scale)


_walk.defvjp(_forward, _backward)


@functools.partial(jax.jit, static_argnums=(0,))  # or a call outside of jit would compile its scan anew each time
def _sums(plan: _Plan, rows: Side, columns: tuple[Side | None, ...], scale: jax.Array):
    return _walk(plan, *vary_alike((rows, columns, scale)))


def pair_logits(rows: Side, columns: Side, scale: jax.Array) -> jax.Array:
    logits = (scale * rows.embeddings) @ columns.embeddings.T + rows.bias[:, None] + columns.bias[None, :]
    if rows.ids is None or columns.ids is None:
        return logits
    return jnp.where(rows.ids[:, None] == columns.ids[None, :], -jnp.inf, logits)


def _positive(rows: Side, columns: Side, logits: jax.Array) -> jax.Array | None:
    if rows.labels is None or columns.labels is None:
        return None
    return (rows.labels[:, None] == columns.labels[None, :]) & (logits != -jnp.inf)


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
