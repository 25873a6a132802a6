"""The training loop of every method: an epoch is one compiled scan over steps, on examples that stay on the device.

The batch and the key of a step are functions of (seed, step) alone, so that a run that is resumed sees what a run that
was never stopped would have seen.
"""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from zsl_jax import errors
from zsl_jax.data import dataset
from zsl_jax.methods import base, gradient
from zsl_jax.training import parallel


def batch_rows(key, first_step, *, num_steps: int, num_examples: int, batch_size: int):
    """Returns which examples make up the batches of a stretch of steps.

    Every epoch is a new permutation of all examples; its last batch is filled up with rows that do not count.

    Args:
      key: PRNG key of the order.
      first_step: scalar int, may be traced.
      num_steps: length T of the stretch.
      num_examples: N.
      batch_size: B.

    Returns:
      rows `[T, B]` int and where `[T, B]` bool.

    >>> rows, where = batch_rows(jax.random.key(0), 0, num_steps=2, num_examples=3, batch_size=2)
    >>> sorted(rows[where].tolist()), int(where.sum())
    ([0, 1, 2], 3)
    """
    per_epoch = steps_per_epoch(num_examples, batch_size)
    steps = first_step + jnp.arange(num_steps)
    first_epoch = first_step // per_epoch
    epochs = first_epoch + jnp.arange(num_steps // per_epoch + 2)
    orders = jax.vmap(lambda epoch: jax.random.permutation(jax.random.fold_in(key, epoch), num_examples))(epochs)
    slots = (steps % per_epoch)[:, None] * batch_size + jnp.arange(batch_size)[None, :]
    where = slots < num_examples
    return orders[(steps // per_epoch - first_epoch)[:, None], jnp.where(where, slots, 0)], where


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    return -(-num_examples // batch_size)


def init_state(method: base.Method, task: dataset.Task, *, key, batch_size: int):
    """Returns the state before the first step (under `jax.eval_shape`, its shapes alone)."""
    rows = np.arange(batch_size) % len(task.train.labels)
    batch = dataset.Batch(task.train.inputs[rows], task.train.labels[rows], np.ones(batch_size, bool))
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
    start: tuple[int, Any] | None = None,
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
      start: `(epoch, state)` to go on from, where a run is resumed.
      title: of the progress bar.

    Yields:
      The number of epochs done, the state, and the metrics of the epoch's steps, arrays `[steps]`.

    Raises:
      Diverged: a metric is not finite; the message has the step.
    """
    parallel.check_batch_size(mesh, batch_size)
    num_steps = steps_per_epoch(len(task.train.labels), batch_size)
    first_epoch, state = start or (0, jax.jit(lambda: init_state(method, task, key=key, batch_size=batch_size))())
    # Nothing is left to train: the examples need not even reach the device.
    if first_epoch >= epochs:
        return
    state = parallel.replicate(state, mesh)
    train = parallel.replicate(task.train, mesh)
    classes = parallel.replicate(training_classes(method, task), mesh)
    if first_epoch == 0:
        state = jax.jit(method.prepare, donate_argnums=0)(state, train, classes, jax.random.fold_in(key, 4))
    batches = {"mesh": mesh, "num_steps": num_steps, "batch_size": batch_size}
    with tqdm.tqdm(
        total=epochs * num_steps, initial=first_epoch * num_steps, desc=title, unit="step", disable=None, leave=False
    ) as bar:
        for number in range(first_epoch, epochs):
            state, metrics = _run_epoch(state, train, classes, key, number * num_steps, method=method, **batches)
            metrics = jax.device_get(metrics)
            _check_finite(metrics, number * num_steps)
            bar.set_postfix(loss=f"{np.mean(metrics['loss']):.4f}", refresh=False)
            bar.update(num_steps)
            yield number + 1, state, metrics


def finish(method: base.Method, state, task: dataset.Task, *, key, mesh):
    """Returns the state that scores classes, made from the state after the last step."""
    train, classes = parallel.replicate((task.train, task.classes), mesh)
    return jax.jit(method.finish)(state, train, classes, jax.random.fold_in(key, 3))


def epoch(state, train, classes, key, first_step, *, method: base.Method, mesh, num_steps: int, batch_size: int):
    """Returns the state after an epoch and the metrics of its steps `[num_steps]`; pure.

    Args:
      state: as the steps before left it.
      train, classes: the training examples, and what `update` may see of the classes.
      key: PRNG key of the run.
      first_step: scalar int, may be traced.
      method, mesh, num_steps, batch_size: as in `fit`; without a mesh the batch lies as the examples do.
    """
    order_key, step_key = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
    rows, where = batch_rows(
        order_key, first_step, num_steps=num_steps, num_examples=len(train.labels), batch_size=batch_size
    )

    def step(state, x):
        number, rows, where = x
        batch = dataset.Batch(jax.tree.map(lambda a: a[rows], train.inputs), train.labels[rows], where)
        batch = batch if mesh is None else parallel.split_batch(batch, mesh)
        return method.update(state, batch, classes, jax.random.fold_in(step_key, number))

    return jax.lax.scan(step, state, (first_step + jnp.arange(num_steps), rows, where))


def turning(method: base.Method) -> base.Method:
    """Returns the method on turned states, as far as an epoch needs it."""

    def update(state, *args):
        state, metrics = method.update(gradient.turned(state), *args)
        return gradient.turned(state), metrics

    return method._replace(update=update)


@functools.partial(jax.jit, static_argnames=("method", "mesh", "num_steps", "batch_size"), donate_argnames="state")
def _run_epoch(state, *args, method: base.Method, mesh, num_steps: int, batch_size: int):
    """An `epoch` whose steps work on the turned state."""
    sizes = {"mesh": mesh, "num_steps": num_steps, "batch_size": batch_size}
    state, metrics = epoch(gradient.turned(state), *args, method=turning(method), **sizes)
    return gradient.turned(state), metrics


def _check_finite(metrics: dict, first_step: int) -> None:
    for name, values in metrics.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise errors.Diverged(f"{name} is {values[bad[0]]} at step {first_step + bad[0] + 1}")
