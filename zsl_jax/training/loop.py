"""The training loop of every method: a stretch of steps is one compiled loop, on examples that are on the devices.

The batch and the key of a step are functions of (seed, step) alone, so that a run that is resumed sees what a run that
was never stopped would have seen. How many steps a stretch has changes no bit; it grows until a stretch takes about
half a second, after which the loop looks whether it should stop.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import tqdm

from zsl_jax import errors
from zsl_jax.methods import base
from zsl_jax.training import feeding, parallel, processes, states, stretches, tracing

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


def fit(
    training: states.Training,
    *,
    epochs: int,
    start: tuple[int, Any] | None = None,
    within: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    trace: tracing.Trace | None = None,
    title: str = "train",
) -> Iterator[tuple[int, Any, dict]]:
    """Trains, and yields `(epoch, state, metrics)` after each epoch; the state is only valid until the next one.

    A method without `update` has no epochs: it is prepared, and yielded once.

    Args:
      training: what is trained.
      epochs: passes over the training examples in all.
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
    method, mesh = training.method, training.mesh
    parallel.check_batch_size(mesh, training.batch_size)
    first_epoch, state = start or (0, None)
    # Nothing is left to train: the examples need not even reach the device.
    if first_epoch >= epochs:
        return
    state = states.start_state(training) if start is None else parallel.place_state(state, mesh)
    if method.update is None:
        yield epochs, _prepared(training, state, 0, None), {}
        return
    num_steps, done, length = training.num_steps, within or {}, 1
    classes = parallel.place_state(training.classes, mesh)
    feeder = _feeder(training, (first_epoch, _length(done)), epochs)
    moving, frozen = base.split(state)
    key_data = parallel.replicate(jax.random.key_data(training.key), mesh)
    order_of = _orders(training, key_data)
    bar = _bar(title, epochs * num_steps, first_epoch * num_steps + _length(done))
    with bar, contextlib.closing(feeder):
        for epoch in range(first_epoch, epochs):
            order = order_of(epoch)
            if not done and (epoch == 0 or (method.refresh and epoch % method.refresh == 0)):
                moving = base.split(_prepared(training, base.joined(moving, frozen), epoch, feeder))[0]
            while (begin := _length(done)) < num_steps:
                stop, length = processes.agreed(should_stop(), length)
                if stop:
                    raise Stopped(epoch, base.joined(moving, frozen), done)
                feed = feeder.at(epoch, begin)
                count, started = min(length, feed.end - begin), time.perf_counter()
                if trace is not None:
                    count = trace.before(epoch * num_steps + begin, count)
                if (known := stretches.known_length(count, mesh)) is not None:
                    count = known
                steps = stretches.compiled_steps(method, feeder.layout, training.nonfinite, known)
                position = parallel.replicate(np.array([epoch, begin, count, feed.first], np.int32), mesh)
                with jax.transfer_guard("disallow"):
                    moving, metrics = steps(moving, feed.examples, frozen, classes, key_data, order, position)
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
            yield epoch + 1, base.joined(moving, frozen), done
            done = {}


def finish(training: states.Training, state):
    """Returns the state that scores classes, made from the state after the last step."""
    examples, layout = training.examples, training.layout
    train = examples if layout.streamed else parallel.place_examples(examples, layout)
    return _with_examples(training, training.method.finish, state, train, 3)


def _orders(training: states.Training, key_data) -> Callable[[int], tuple[jax.Array, jax.Array]]:
    """What gives the order of an epoch, on the devices."""
    mesh, count = training.mesh, len(training.examples.labels)
    labels = parallel.replicate(np.asarray(training.examples.labels), mesh) if training.per_class else None
    nearness = parallel.replicate(stretches.nearness_of(training), mesh)
    sizes = {"num_examples": count, "batch_size": training.batch_size, "mesh": mesh}
    sizes |= {"num_classes": len(training.classes), "per_class": training.per_class}

    def order(epoch: int):
        return stretches.epoch_order(key_data, parallel.replicate(np.int32(epoch), mesh), labels, nearness, **sizes)

    return order


def _bar(title: str, total: int, done: int) -> tqdm.tqdm:
    disabled = None if processes.is_first() else True
    return tqdm.tqdm(total=total, initial=done, desc=title, unit="step", disable=disabled, leave=False)


def _prepared(training: states.Training, state, epoch: int, feeder):
    """The state as `prepare` leaves it before an epoch."""
    layout = training.layout
    if layout.streamed:
        train = training.examples
    else:
        train = parallel.place_examples(training.examples, layout) if feeder is None else feeder.at(0, 0).examples
    # The first call draws as it always did; a later one has a key of its own.
    number = (4,) if epoch == 0 else (4, epoch)
    return _with_examples(training, training.method.prepare, state, train, *number)


def _feeder(training: states.Training, begin: tuple[int, int], epochs: int) -> feeding.Feeder:
    examples = training.examples
    sizes = {"num_examples": len(examples.labels), "batch_size": training.batch_size}
    sizes["balance"] = stretches.balance_of(training)

    def order(epoch: int) -> np.ndarray:
        return np.asarray(stretches.epoch_rows(jax.random.fold_in(training.key, 1), epoch, **sizes)[0])

    layout, num_steps = training.layout, training.num_steps
    return feeding.Feeder(examples, layout, order=order, begin=begin, epochs=epochs, num_steps=num_steps)


def _with_examples(training: states.Training, function: Callable, state, train, *numbers: int):
    """Returns `function(state, train, classes, key)` of a method, with a key of its own; compiled once per function.

    What is frozen goes in and is not taken out: it stays what it was.
    """
    if function is base.unchanged:
        return state
    key = parallel.replicate(jax.random.key_data(training.key), training.mesh)
    numbers = parallel.replicate(np.array(numbers, np.uint32), training.mesh)
    classes = parallel.place_state(training.classes, training.mesh)
    moving, frozen = base.split(state)
    count = len(training.examples.labels)
    moving = _apply(function, moving, frozen, train, classes, key, numbers, count=count, layout=training.layout)
    return base.joined(moving, frozen)


@functools.partial(jax.jit, static_argnums=0, static_argnames=("count", "layout"))
def _apply(function, moving, frozen, train, classes, key_data, numbers, *, count: int, layout: parallel.Layout):
    train = parallel.whole_examples(train, count, layout)
    key = functools.reduce(jax.random.fold_in, numbers, jax.random.wrap_key_data(key_data))
    state = function(base.joined(moving, frozen), train, classes, key)
    return parallel.keep_state(base.split(state)[0], layout.mesh)


def _next_length(length: int, seconds: float, num_steps: int) -> int:
    """Twice or half as many steps where a stretch was far from `_STRETCH_S` long."""
    if seconds < _STRETCH_S / 2:
        return min(2 * length, num_steps)
    return max(length // 2, 1) if seconds > 2 * _STRETCH_S else length


def _length(within: dict[str, Any]) -> int:
    return len(next(iter(within.values()))) if within else 0


def _check_finite(metrics: dict, first_step: int) -> None:
    for name, values in metrics.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise errors.Diverged(f"{name} is {values[bad[0]]} at step {first_step + bad[0] + 1}")
