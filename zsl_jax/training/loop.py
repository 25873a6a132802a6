"""The training loop of every method: a stretch of steps is one compiled loop, on examples that are on the devices.

The batch and the key of a step are functions of (seed, step) alone, so that a run that is resumed sees what a run that
was never stopped would have seen. How many steps a stretch has is an argument of the program, so that their number
changes no bit; it grows until a stretch takes about half a second, after which the loop looks whether it should stop.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from zsl_jax import errors
from zsl_jax.data import dataset, streaming
from zsl_jax.methods import base, gradient
from zsl_jax.training import feeding, parallel, processes, tracing

NONFINITE = ("stop", "skip")
_STRETCH_S = 0.5


class Stopped(errors.Stopped):
    """Training was asked to stop, and did after a whole step.

    Fields:
      epoch: whole epochs done.
      state: after the last step done.
      within: metrics of the steps done of the epoch that was left, arrays `[steps]`; empty at the end of an epoch.
    """

    def __init__(self, epoch: int, state: Any, within: dict[str, np.ndarray]):
        super().__init__(f"stopped after {epoch} epochs and {_length(within)} steps")
        self.epoch, self.state, self.within = epoch, state, within


def epoch_rows(key, epoch, *, num_examples: int, batch_size: int):
    """Returns which examples make up the batches of an epoch: a new permutation of all, whatever was before.

    Its last batch is filled up with rows that do not count.

    Args:
      key: PRNG key of the order.
      epoch: scalar int, may be traced.
      num_examples: N.
      batch_size: B.

    Returns:
      rows `[T, B]` int and where `[T, B]` bool, with T = ceil(N / B).

    >>> rows, where = epoch_rows(jax.random.key(0), 0, num_examples=3, batch_size=2)
    >>> sorted(rows[where].tolist()), int(where.sum())
    ([0, 1, 2], 3)
    """
    shape = (steps_per_epoch(num_examples, batch_size), batch_size)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), num_examples)
    slots = jnp.arange(shape[0] * shape[1])
    where = slots < num_examples
    return order[jnp.where(where, slots, 0)].reshape(shape), where.reshape(shape)


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    return -(-num_examples // batch_size)


def init_state(method: base.Method, task: dataset.Task, *, key, batch_size: int):
    """Returns the state before the first step (under `jax.eval_shape`, its shapes alone)."""
    rows = np.arange(batch_size) % len(task.train.labels)
    inputs = task.train.inputs[rows]
    if isinstance(inputs, streaming.Pictures):
        inputs = np.zeros(inputs.shape, inputs.dtype)  # `init` looks at the shape
    batch = dataset.Batch(inputs, task.train.labels[rows], np.ones(batch_size, bool))
    return method.init(jax.random.fold_in(key, 0), batch, training_classes(method, task))


def training_classes(method: base.Method, task: dataset.Task) -> dataset.ClassTable:
    """The classes that `update` may see: the seen ones, or all of them where the method's setting allows it."""
    return task.classes if method.setting in base.SEE_ALL_CLASSES else task.seen_classes


def fit(
    method: base.Method,
    task: dataset.Task,
    *,
    key,
    epochs: int,
    batch_size: int,
    mesh,
    mode: str = "jit",
    nonfinite: str = "stop",
    start: tuple[int, Any] | None = None,
    within: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    trace: tracing.Trace | None = None,
    title: str = "train",
) -> Iterator[tuple[int, Any, dict]]:
    """Trains, and yields `(epoch, state, metrics)` after each epoch; the state is only valid until the next one.

    Args:
      method: what to train.
      task: its training examples and classes.
      key: PRNG key of the run; batches and steps draw from it by their number.
      epochs: passes over the training examples in all.
      batch_size: examples a step, over all devices.
      mesh: from `parallel.make_mesh`.
      mode: one of `parallel.MODES`.
      nonfinite: what becomes of a step that would leave a metric or the state not finite: `stop` the run, or `skip` it,
        which leaves the state as it was and sets the metric `skipped` to 1.
      start: `(epoch, state)` to go on from, where a run is resumed.
      within: `Stopped.within`, where it is resumed inside an epoch.
      should_stop: asked between stretches of steps; processes stop together when one of them is told to.
      trace: of which steps, and where to.
      title: of the progress bar.

    Yields:
      The number of epochs done, the state, and the metrics of the epoch's steps, arrays `[steps]`.

    Raises:
      Diverged: a metric is not finite, or every step of an epoch was skipped; the message has the step.
      Stopped: `should_stop` said so; the exception has the state.
    """
    parallel.check_batch_size(mesh, batch_size)
    num_steps = steps_per_epoch(len(task.train.labels), batch_size)
    first_epoch, state = start or (0, None)
    # Nothing is left to train: the examples need not even reach the device.
    if first_epoch >= epochs:
        return
    layout = _layout(task, mesh, mode)
    classes = parallel.place_state(training_classes(method, task), mesh)
    if start is None:
        state = parallel.init(lambda: init_state(method, task, key=key, batch_size=batch_size), mesh)
    else:
        state = parallel.place_state(state, mesh)
    done, length = within or {}, 1

    def order(epoch: int) -> np.ndarray:
        sizes = {"num_examples": len(task.train.labels), "batch_size": batch_size}
        return np.asarray(epoch_rows(jax.random.fold_in(key, 1), epoch, **sizes)[0])

    begin = (first_epoch, _length(done))
    feeder = feeding.Feeder(task.train, layout, order=order, begin=begin, epochs=epochs, num_steps=num_steps)
    if begin == (0, 0):
        train = task.train if layout.streamed else feeder.at(0, 0).examples
        state = _with_examples(method.prepare, state, train, classes, key, 4, task=task, layout=layout)
    steps = _compiled_steps(method, layout, nonfinite, len(task.train.labels), batch_size)
    key_data = parallel.replicate(jax.random.key_data(key), mesh)
    bar = tqdm.tqdm(
        total=epochs * num_steps,
        initial=first_epoch * num_steps + _length(done),
        desc=title,
        unit="step",
        disable=None if processes.is_first() else True,
        leave=False,
    )
    with bar, contextlib.closing(feeder):
        for epoch in range(first_epoch, epochs):
            while (begin := _length(done)) < num_steps:
                stop, length = processes.agreed(should_stop(), length)
                if stop:
                    raise Stopped(epoch, state, done)
                feed = feeder.at(epoch, begin)
                count, started = min(length, feed.end - begin), time.perf_counter()
                if trace is not None:
                    count = trace.before(epoch * num_steps + begin, count)
                position = parallel.replicate(np.array([epoch, begin, count, feed.first], np.int32), mesh)
                with jax.transfer_guard("disallow"):
                    state, metrics = steps(state, feed.examples, classes, key_data, position)
                metrics = {name: values[begin : begin + count] for name, values in jax.device_get(metrics).items()}
                _check_finite(metrics, epoch * num_steps + begin)
                done = {name: np.concatenate([done.get(name, values[:0]), values]) for name, values in metrics.items()}
                length = _next_length(length, time.perf_counter() - started, num_steps)
                bar.update(count)
            if np.all(done.get("skipped", 0)):
                raise errors.Diverged(f"every step of epoch {epoch + 1} was skipped: loss or state is not finite")
            bar.set_postfix(loss=f"{np.mean(done['loss']):.4f}", refresh=False)
            if trace is not None and epoch + 1 == epochs:
                trace.close()
            yield epoch + 1, state, done
            done = {}


def finish(method: base.Method, state, task: dataset.Task, *, key, mesh, mode: str = "jit"):
    """Returns the state that scores classes, made from the state after the last step."""
    layout = _layout(task, mesh, mode)
    train = task.train if layout.streamed else parallel.place_examples(task.train, layout)
    classes = parallel.place_state(task.classes, mesh)
    return _with_examples(method.finish, state, train, classes, key, 3, task=task, layout=layout)


def stretch(
    state,
    train,
    classes,
    key,
    epoch,
    begin,
    count,
    first=0,
    *,
    method: base.Method,
    batch_size: int,
    num_examples: int | None = None,
    layout: parallel.Layout | None = None,
    nonfinite: str = "stop",
):
    """Returns the state after some steps of an epoch, and their metrics `[steps an epoch]`, 0 at all others; pure.

    Args:
      state: as the steps before left it.
      train, classes: the training examples, and what `update` may see of the classes.
      key: PRNG key of the run.
      epoch, begin, count: scalar ints that may be traced: the epoch, the first step in it, and how many.
      first: the step of the epoch that a window of examples begins with, where `layout` is streamed.
      method, batch_size, nonfinite: as in `fit`.
      num_examples: N, where `layout` has filled up the examples.
      layout: how it runs on several devices; None: on whatever the arrays are on.
    """

    # Compiled as a function of its own, so that its results' shapes and the loop share one trace.
    @jax.jit
    def step(state, train, classes, rows, where, key):
        batch = _batch(method, train, rows, where, layout)
        following, metrics = method.update(state, batch, classes, key)
        if nonfinite == "skip":
            is_good = _is_finite((following, metrics))
            following = jax.tree.map(lambda new, old: jnp.where(is_good, new, old), following, state)
            metrics = jax.tree.map(lambda x: jnp.where(is_good, x, 0), metrics) | {"skipped": 1.0 - is_good}
        if layout is not None and layout.mode == "jit":
            following = parallel.keep_state(following, layout.mesh)
        return following, metrics

    order_key, step_key = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
    num_examples = len(train.labels) if num_examples is None else num_examples
    rows, where = epoch_rows(order_key, epoch, num_examples=num_examples, batch_size=batch_size)

    def arguments(i):
        taken = i - first if layout is not None and layout.streamed else rows[i]
        return train, classes, taken, where[i], jax.random.fold_in(step_key, epoch * len(rows) + i)

    def body(i, carry):
        state, metrics = carry
        state, values = step(state, *arguments(i))
        return state, jax.tree.map(lambda all_, x: all_.at[i].set(x), metrics, values)

    _, shapes = jax.eval_shape(step, state, *arguments(begin))
    metrics = jax.tree.map(lambda x: jnp.zeros((len(rows), *x.shape), x.dtype), shapes)
    return jax.lax.fori_loop(begin, begin + count, body, (state, metrics))


def _batch(method: base.Method, train, rows, where, layout: parallel.Layout | None) -> dataset.Batch:
    """The batch that `update` is to see: the whole, or this device's share of it."""
    if layout is None:
        return dataset.Batch(*jax.tree.map(lambda x: x[rows], train), where)
    batch = parallel.take_batch(train, rows, where, layout)
    return batch if batch.axis_name is None or method.divides else parallel.gather_batch(batch)


def turning(method: base.Method) -> base.Method:
    """Returns the method on states as the trainer holds them, as far as a stretch of steps needs it."""

    def update(state, *args):
        state, metrics = method.update(gradient.held(method, state), *args)
        return gradient.held(method, state), metrics

    return method._replace(update=update)


@functools.lru_cache(maxsize=16)
def _compiled_steps(method: base.Method, layout: parallel.Layout, nonfinite: str, num_examples: int, batch_size: int):
    """Returns `stretch` compiled once for a method and the shapes, whatever the number of steps.

    `(state, train, classes, key_data, [epoch, begin, count, first]) -> (state, metrics)`
    """

    def steps(state, train, classes, key_data, position):
        state, metrics = stretch(
            gradient.held(method, state),
            train,
            classes,
            jax.random.wrap_key_data(key_data),
            *position,
            method=turning(method),
            batch_size=batch_size,
            num_examples=num_examples,
            layout=layout,
            nonfinite=nonfinite,
        )
        return gradient.held(method, state), metrics

    return parallel.compiled(steps, layout)


def _with_examples(function: Callable, state, train, classes, key, number: int, *, task: dataset.Task, layout):
    """Returns `function(state, train, classes, key)` of a method, with a key of its own; compiled once a function."""
    key = parallel.replicate(jax.random.key_data(jax.random.fold_in(key, number)), layout.mesh)
    return _apply(function, state, train, classes, key, count=len(task.train.labels), layout=layout)


@functools.partial(jax.jit, static_argnums=0, static_argnames=("count", "layout"))
def _apply(function, state, train, classes, key_data, *, count: int, layout: parallel.Layout):
    train = parallel.whole_examples(train, count, layout)
    state = function(state, train, classes, jax.random.wrap_key_data(key_data))
    return parallel.keep_state(state, layout.mesh)


def _layout(task: dataset.Task, mesh, mode: str) -> parallel.Layout:
    if isinstance(task.train.inputs, streaming.Pictures):
        return parallel.Layout(mesh, mode, divided=True, streamed=True)
    return parallel.Layout(mesh, mode, parallel.must_divide(task.train, mesh))


def _next_length(length: int, seconds: float, num_steps: int) -> int:
    """Twice or half as many steps where a stretch was far from `_STRETCH_S` long."""
    if seconds < _STRETCH_S / 2:
        return min(2 * length, num_steps)
    return max(length // 2, 1) if seconds > 2 * _STRETCH_S else length


def _length(within: dict[str, Any]) -> int:
    return len(next(iter(within.values()))) if within else 0


def _is_finite(tree):
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in floats]))


def _check_finite(metrics: dict, first_step: int) -> None:
    for name, values in metrics.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise errors.Diverged(f"{name} is {values[bad[0]]} at step {first_step + bad[0] + 1}")
