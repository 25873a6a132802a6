"""Steps as one compiled loop: which examples an epoch's batches take, a stretch of steps, both compiled once.

The batch and the key of a step are functions of (seed, step) alone. How many steps a stretch has is an argument of the
program on a processor, so that one program serves all; on an accelerator the program knows it, see `known_length`.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax.data import dataset
from zsl_jax.methods import base
from zsl_jax.training import balanced, parallel, states


class Balance(NamedTuple):
    """Batches of classes, see `balanced`: the labels `[N]` of the examples, the number of classes, images of each."""

    labels: Any
    num_classes: int
    per_class: int
    nearness: Any = None


class Position(NamedTuple):
    """Where a stretch lies; scalar ints that may be traced.

    Fields:
      epoch: of the run.
      begin: the first step of the stretch in it.
      count: steps; a loop of a count that is not traced has a length that its program knows.
      first: the step of the epoch that a window of examples begins with, where they are streamed.
    """

    epoch: Any
    begin: Any
    count: Any
    first: Any = 0


def epoch_rows(key, epoch, *, num_examples: int, batch_size: int, balance: Balance | None = None):
    """Returns which examples make up the batches of an epoch: a new permutation of all, whatever was before.

    Its last batch is filled up with rows that do not count.

    Args:
      key: PRNG key of the order.
      epoch: scalar int, may be traced.
      num_examples: N.
      batch_size: B.
      balance: for batches of a few classes each; None for the permutation.

    Returns:
      rows `[T, B]` int and where `[T, B]` bool, with T = ceil(N / B).

    >>> rows, where = epoch_rows(jax.random.key(0), 0, num_examples=3, batch_size=2)
    >>> sorted(rows[where].tolist()), int(where.sum())
    ([0, 1, 2], 3)
    """
    shape = (states.steps_per_epoch(num_examples, batch_size), batch_size)
    if balance is not None:
        sizes = {"num_steps": shape[0], "batch_size": batch_size, "per_class": balance.per_class}
        sizes |= {"num_classes": balance.num_classes, "nearness": balance.nearness}
        return balanced.rows(key, epoch, balance.labels, **sizes)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), num_examples)
    slots = jnp.arange(shape[0] * shape[1])
    where = slots < num_examples
    return order[jnp.where(where, slots, 0)].reshape(shape), where.reshape(shape)


def stretch(
    moving,
    frozen,
    train,
    classes,
    key,
    order,
    position: Position,
    *,
    method: base.Method,
    layout: parallel.Layout | None = None,
    nonfinite: str = "stop",
):
    """Returns the moving part of the state after some steps of an epoch, and their metrics `[steps]`, else 0; pure.

    Args:
      moving, frozen: the state as the steps before left it, as `base.split` takes it apart.
      train, classes: the training examples, and what `update` may see of the classes.
      key: PRNG key of the run.
      order: what `epoch_rows` gives for the epoch.
      position: of the stretch.
      method, nonfinite: as in `fit`.
      layout: how it runs on several devices; None: on whatever the arrays are on.
    """

    # Compiled as a function of its own, so that its results' shapes and the loop share one trace.
    @jax.jit
    def step(moving, frozen, train, classes, rows, where, key):
        batch = _batch(method, train, rows, where, layout)
        following, metrics = method.update(base.joined(moving, frozen), batch, classes, key)
        following = base.split(following)[0]
        if nonfinite == "skip":
            is_good = _is_finite((following, metrics))
            following = jax.tree.map(lambda new, old: jnp.where(is_good, new, old), following, moving)
            metrics = jax.tree.map(lambda x: jnp.where(is_good, x, 0), metrics) | {"skipped": 1.0 - is_good}
        if layout is not None and layout.mode == "jit":
            following = parallel.keep_state(following, layout.mesh)
        return following, metrics

    step_key = jax.random.fold_in(key, 2)
    (rows, where), (epoch, begin, count, first) = order, position

    def arguments(i):
        taken = i - first if layout is not None and layout.streamed else rows[i]
        return frozen, train, classes, taken, where[i], jax.random.fold_in(step_key, epoch * len(rows) + i)

    def body(i, carry):
        moving, metrics = carry
        moving, values = step(moving, *arguments(i))
        return moving, jax.tree.map(lambda all_, x: all_.at[i].set(x), metrics, values)

    _, shapes = jax.eval_shape(step, moving, *arguments(begin))
    metrics = jax.tree.map(lambda x: jnp.zeros((len(rows), *x.shape), x.dtype), shapes)
    return jax.lax.fori_loop(0, count, lambda done, carry: body(begin + done, carry), (moving, metrics))


def _batch(method: base.Method, train, rows, where, layout: parallel.Layout | None) -> dataset.Batch:
    """The batch that `update` is to see: the whole, or this device's share of it."""
    if layout is None:
        taken = jax.tree.map(lambda x: x[rows], train)
        return dataset.Batch(taken.inputs, taken.labels, where)
    batch = parallel.take_batch(train, rows, where, layout)
    return batch if batch.axis_name is None or method.divides else parallel.gather_batch(batch)


def known_length(count: int, mesh) -> int | None:
    """Returns the length of the next stretch of at most `count` steps, where its program is to know it, or None.

    The host of an accelerator decides after every step whether a loop of an unknown length ends. The lengths are powers
    of two, so that an epoch of T steps is made by at most log2(T) + 1 programs.

    >>> from zsl_jax.training import parallel
    >>> known_length(100, parallel.make_mesh()) is None  # on a processor
    True
    """
    return 1 << (count.bit_length() - 1) if parallel.is_accelerated(mesh) else None


@functools.lru_cache(maxsize=64)
def compiled_steps(method: base.Method, layout: parallel.Layout, nonfinite: str, length: int | None = None):
    """Returns `stretch` compiled once for a method, a length and shapes; whatever the number of steps with None.

    `(moving, train, frozen, classes, key_data, order, [epoch, begin, count, first]) -> (moving, metrics)`
    """

    def steps(moving, train, frozen, classes, key_data, order, position):
        there, key = Position(*position), jax.random.wrap_key_data(key_data)
        there = there if length is None else there._replace(count=length)
        options = {"method": method, "layout": layout, "nonfinite": nonfinite}
        return stretch(moving, frozen, train, classes, key, order, there, **options)

    return parallel.compiled(steps, layout)


@functools.partial(jax.jit, static_argnames=("num_examples", "batch_size", "num_classes", "per_class", "mesh"))
def epoch_order(
    key_data,
    epoch,
    labels=None,
    nearness=None,
    *,
    num_examples: int,
    batch_size: int,
    mesh,
    num_classes: int = 0,
    per_class: int = 0,
):
    """The order of an epoch, made once for all of its stretches; of classes where `labels` are given."""
    key = jax.random.fold_in(jax.random.wrap_key_data(key_data), 1)
    balance = None if labels is None else Balance(labels, num_classes, per_class, nearness)
    order = epoch_rows(key, epoch, num_examples=num_examples, batch_size=batch_size, balance=balance)
    return parallel.keep_whole(order, mesh)


def balance_of(training: states.Training) -> Balance | None:
    """Returns what the batches of a training are made of, where they are of classes."""
    if not training.per_class:
        return None
    return Balance(training.examples.labels, len(training.classes), training.per_class, nearness_of(training))


def nearness_of(training: states.Training) -> Any:
    """Returns which classes share a batch more often, `[C, C]`; None where they are drawn independently."""
    if not training.clustering:
        return None
    return np.asarray(balanced.nearness_of(training.classes.embedding, training.clustering))


def _is_finite(tree):
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))
