"""Many settings, seeds and class folds of a method trained in one compiled program.

    lane       one setting of the knobs, one seed, one fold: what `loop` would train
    program    a lane under vmap, over settings within seeds within folds

The settings of one seed and fold share their batches, so that the product of a batch with the weights is one of two
matrices for all of them. What no knob reaches (a sum over examples, the basis of a span) is held and computed once.

Matrices may be held transposed, see `methods.gradient.turned`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from zsl_jax.data import dataset
from zsl_jax.methods import base, gradient
from zsl_jax.training import loop, parallel

_ARRAYS_OF_SCORES = 4  # arrays as large as the scores that an evaluation holds at a time, about


class Tasks(NamedTuple):
    """Tasks of equal shape, one a fold, stacked along the first axis of every array: `[K, ...]`.

    Fields:
      train, test_seen, test_unseen: `data.Examples`; inputs of the latter two are held transposed.
      classes, unseen_classes: class tables.
      training_classes: what `update` may see of them.
    """

    train: dataset.Examples
    test_seen: dataset.Examples
    test_unseen: dataset.Examples
    classes: dataset.ClassTable
    unseen_classes: dataset.ClassTable
    training_classes: dataset.ClassTable


class Program(NamedTuple):
    """Compiled functions of S settings, Q seeds and K folds; `states` have leading axes `[K, Q, S]`, or `[K, Q]`.

    Fields:
      start: `(knobs, tasks, keys, mesh) -> states` before the first step, split over the devices; `knobs` are arrays
        `[S]`, `keys` `[Q]`.
      epoch: `(states, knobs, tasks, keys, first_step) -> (states, loss)`, the loss a mean over all finite ones.
      score: `(states, knobs, tasks, keys) -> scores`, arrays `[K, Q, S]` by name.
      most: settings that a device should train at a time, for the sake of its cache or memory.
    """

    start: Callable[..., Any]
    epoch: Callable[..., tuple[Any, Any]]
    score: Callable[..., dict[str, Any]]
    most: int


def stack_tasks(tasks: Sequence[dataset.Task], method: base.Method) -> Tasks:
    """Stacks tasks of equal shape; classes are named by their rows, since the folds' own names differ."""

    def one(task: dataset.Task) -> Tasks:
        def table(classes):
            return dataset.ClassTable(classes.embedding, classes.is_seen, tuple(map(str, range(len(classes)))))

        tables = (task.classes, task.unseen_classes, loop.training_classes(method, task))
        return Tasks(
            task.train, gradient.turned(task.test_seen), gradient.turned(task.test_unseen), *map(table, tables)
        )

    return jax.tree.map(lambda *arrays: np.stack(arrays), *map(one, tasks))


def make_program(
    factory: Callable[..., base.Method],
    evaluate: Callable[..., dict[str, Any]],
    knobs: dict[str, Any],
    tasks: Tasks,
    *,
    seeds: int,
    batch_size: int,
) -> Program:
    """Returns the program of a method; each of its functions is compiled once for a number of settings.

    Args:
      factory: `(**knobs) -> Method`, with knobs that may be traced.
      evaluate: `(method, finished_state, arrays) -> scores`, a dict of scalars; see `evaluation.evaluate_arrays`.
      knobs: arrays `[S]` by name; only their names and shapes are looked at.
      tasks: what `stack_tasks` returns; only its shapes and which classes are seen are looked at.
      seeds: Q; only `most` depends on it.
      batch_size: examples a step.
    """
    factory = _counting(factory, np.asarray(tasks.training_classes.is_seen[0]))
    start, finish, epoch, score = _lane(factory, evaluate, batch_size=batch_size)
    axes = _axes(factory, knobs, tasks, batch_size)
    state_axes = jax.tree.map(lambda axis: None if axis is None else 2, axes, is_leaf=lambda axis: axis is None)
    compiled_start = jax.jit(_over_lanes(start, (0, None, None), (None, None, 0), (None, 0, None), axes))

    def averaged(states, knobs, tasks, keys, first_step):
        lanes = _over_lanes(
            lambda *args: epoch(*args, first_step),
            (axes, 0, None, None),
            (0, None, None, 0),
            (0, None, 0, None),
            (axes, 0),
        )
        states, loss = lanes(states, knobs, tasks, keys)
        finite = jnp.isfinite(loss)
        return states, jnp.sum(jnp.where(finite, loss, 0)) / jnp.maximum(jnp.sum(finite), 1)

    compiled_score = jax.jit(_over_lanes(score, (axes, 0, None, None), (0, None, None, 0), (0, None, 0, None), 0))
    return Program(
        start=lambda knobs, tasks, keys, mesh: parallel.split_settings(
            compiled_start(knobs, tasks, keys), state_axes, mesh
        ),
        epoch=jax.jit(averaged, donate_argnums=0),
        score=compiled_score,
        most=_most(start, finish, axes, knobs, tasks, seeds),
    )


def reached_by_knobs(factory: Callable[..., base.Method], knobs: dict[str, Any], batch, classes, train=None):
    """Returns for each array of the state whether a knob reaches it, before the first step or in any number of them.

    Judged by the equations that trace from the knobs to the state: what is not reached is alike for all settings.

    Args:
      factory: `(**knobs) -> Method`.
      knobs: arrays `[S]` by name, or their shapes.
      batch, classes: as `Method.init` takes them, or their shapes.
      train: the training examples, or their shapes; by default those of the batch.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    train = dataset.Examples(batch.inputs, batch.labels) if train is None else train
    scalars = {name: jax.ShapeDtypeStruct((), x.dtype) for name, x in knobs.items()}
    given = (scalars, *jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (train, batch, classes, key)))

    def start(knobs, train, batch, classes, key):
        method = factory(**knobs)
        return method.prepare(method.init(key, batch, classes), train, classes, key)

    def step(state, knobs, train, batch, classes, key):
        return factory(**knobs).update(state, batch, classes, key)[0]

    state = jax.eval_shape(start, *given)
    reached = _reached(jax.make_jaxpr(start)(*given), [True] * len(knobs))
    jaxpr = jax.make_jaxpr(step)(state, *given)
    while True:
        wider = [a or b for a, b in zip(reached, _reached(jaxpr, [*reached, *[True] * len(knobs)]))]
        if wider == reached:
            return jax.tree.unflatten(jax.tree.structure(state), reached)
        reached = wider


def _lane(factory, evaluate, *, batch_size: int):
    """Returns the functions of a lane: `start`, `finish`, `epoch` and `score`; states as `gradient.held` has them."""

    def start(knobs, task, key):
        method = factory(**knobs)
        state = method.init(jax.random.fold_in(key, 0), _first_batch(task, batch_size), task.training_classes)
        state = method.prepare(state, task.train, task.training_classes, jax.random.fold_in(key, 4))
        return gradient.held(method, state)

    def finish(state, knobs, task, key):
        method = factory(**knobs)
        state = gradient.held(method, state)
        return method.finish(state, task.train, task.classes, jax.random.fold_in(key, 3))

    def epoch(state, knobs, task, key, first_step):
        num_steps = loop.steps_per_epoch(len(task.train.labels), batch_size)
        state, metrics = loop.stretch(
            state,
            task.train,
            task.training_classes,
            key,
            first_step // num_steps,
            0,
            num_steps,
            method=loop.turning(factory(**knobs)),
            batch_size=batch_size,
        )
        return state, jnp.mean(metrics["loss"])

    def score(state, knobs, task, key):
        arrays = (gradient.turned(task.test_seen), gradient.turned(task.test_unseen), task.classes, task.unseen_classes)
        return evaluate(factory(**knobs), finish(state, knobs, task, key), arrays)

    return start, finish, epoch, score


def _counting(factory: Callable[..., base.Method], is_seen: np.ndarray) -> Callable[..., base.Method]:
    """The factory, whose methods can count the seen classes in `init`: they are as many in every fold."""

    def counting(**knobs):
        method = factory(**knobs)

        def init(key, batch, classes):
            return method.init(key, batch, dataclasses.replace(classes, is_seen=is_seen))

        return method._replace(init=init)

    return counting


def _first_batch(task: Tasks, batch_size: int) -> dataset.Batch:
    rows = np.arange(batch_size) % len(task.train.labels)
    return dataset.Batch(task.train.inputs[rows], task.train.labels[rows], jnp.ones(batch_size, bool))


def _over_lanes(function, over_settings, over_seeds, over_folds, out):
    """`function` under vmap over settings, then seeds, then folds, with the axes of its arguments for each."""
    inner = jax.vmap(function, in_axes=over_settings, out_axes=out)
    return jax.vmap(jax.vmap(inner, in_axes=over_seeds), in_axes=over_folds)


def _one(knobs, tasks: Tasks):
    """Shapes of the knobs, task and key of a single lane."""
    of = lambda x, shape: jax.ShapeDtypeStruct(shape, x.dtype)  # noqa: E731
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.tree.map(lambda x: of(x, ()), knobs), jax.tree.map(lambda x: of(x, x.shape[1:]), tasks), key


def _axes(factory, knobs, tasks: Tasks, batch_size: int):
    """For each array of a lane's state the axis of the settings: 0 if a knob reaches it, None if none does."""
    _, task, _ = _one(knobs, tasks)
    batch = jax.eval_shape(lambda task: _first_batch(task, batch_size), task)
    reached = reached_by_knobs(factory, knobs, batch, task.training_classes, task.train)
    return jax.tree.map(lambda is_reached: 0 if is_reached else None, reached)


def _most(start, finish, axes, knobs, tasks: Tasks, seeds: int) -> int:
    """How many settings a device should train at a time; see `parallel.fitting`."""
    one = _one(knobs, tasks)
    state = jax.eval_shape(start, *one)
    moving = jax.tree.map(lambda axis, x: 0 if axis is None else _bytes(x), axes, state, is_leaf=lambda x: x is None)
    scores = 4 * (tasks.test_seen.labels.shape[1] + tasks.test_unseen.labels.shape[1]) * len(tasks.classes)
    held = _ARRAYS_OF_SCORES * scores + sum(map(_bytes, jax.tree.leaves(jax.eval_shape(finish, state, *one))))
    lanes = seeds * len(tasks.train.labels)
    return parallel.fitting(lanes * sum(jax.tree.leaves(moving)), lanes * held)


def _bytes(x) -> int:
    return x.size * x.dtype.itemsize


def _reached(closed_jaxpr, is_source: Sequence[bool]) -> list[bool]:
    """Which outputs may depend on the marked ones among the first inputs; an equation's outputs on all its inputs."""
    jaxpr = closed_jaxpr.jaxpr
    touched = {variable for variable, marked in zip(jaxpr.invars, is_source) if marked}
    for equation in jaxpr.eqns:
        if any(not isinstance(x, jax.extend.core.Literal) and x in touched for x in equation.invars):
            touched.update(equation.outvars)
    return [not isinstance(x, jax.extend.core.Literal) and x in touched for x in jaxpr.outvars]
