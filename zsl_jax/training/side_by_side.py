"""Many settings, seeds and class folds of a method trained in one compiled program.

    lane       one setting of the knobs, one seed, one fold: what `loop` would train
    program    a lane under vmap, over settings within seeds within folds

The settings of one seed and fold share their batches, so that the product of a batch with the weights is one of two
matrices for all of them. What no knob reaches (a sum over examples, the basis of a span) is held and computed once.

What is frozen in a state (`methods.Frozen`) is held once, for all settings, seeds and folds.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from zsl_jax.data import dataset
from zsl_jax.methods import base
from zsl_jax.training import balanced, parallel, states, stretches

_ARRAYS_OF_SCORES = 4  # arrays as large as the scores that an evaluation holds at a time, about


class Tasks(NamedTuple):
    """Tasks of equal shape, one per fold, stacked along the first axis of every array: `[K, ...]`.

    Fields:
      train: what is trained on.
      sets: what is scored, by name; matrices of inputs are held transposed.
      classes: the class table.
      training_classes: what `update` may see of it.
    """

    train: dataset.Examples
    sets: dict[str, dataset.Examples]
    classes: dataset.ClassTable
    training_classes: dataset.ClassTable


class Program(NamedTuple):
    """Compiled functions of S settings, Q seeds and K folds; `states` have leading axes `[K, Q, S]`, or `[K, Q]`.

    What is frozen is the same for all of them: it is made once and mapped over nothing.

    Fields:
      start: `(knobs, tasks, keys, weights, mesh) -> moving` states before the first step, split over the devices;
        `knobs` are arrays `[S]`, `keys` `[Q]`.
      freeze: `(knobs, tasks, keys, weights) -> frozen`, what no setting, seed or fold changes.
      epoch: `(moving, frozen, knobs, tasks, keys, first_step) -> (moving, loss)`, the loss a mean over all finite ones.
      score: `(moving, frozen, knobs, tasks, keys) -> scores`, arrays `[K, Q, S]` by name.
      most: settings that a device should train at a time, for the sake of its cache or memory.
    """

    start: Callable[..., Any]
    freeze: Callable[..., tuple]
    epoch: Callable[..., tuple[Any, Any]]
    score: Callable[..., dict[str, Any]]
    most: int


def stack_tasks(tasks: Sequence[dataset.Task], method: base.Method) -> Tasks:
    """Stacks tasks of equal shape."""

    def one(task: dataset.Task) -> Tasks:
        sets = {
            name: dataset.Examples(_transposed(examples.inputs), examples.labels)
            for name, examples in task.sets.items()
        }
        return Tasks(states.training_examples(method, task), sets, task.classes, states.training_classes(method, task))

    return jax.tree.map(lambda *arrays: np.stack(arrays), *map(one, tasks))


def _transposed(inputs):
    return jax.tree.map(lambda x: x.swapaxes(-1, -2) if x.ndim == 2 else x, inputs)


def make_program(
    factory: Callable[..., base.Method],
    evaluate: Callable[..., dict[str, Any]],
    knobs: dict[str, Any],
    tasks: Tasks,
    weights: Any,
    *,
    seeds: int,
    batch_size: int,
    per_class: int = 0,
    clustering: float = 0.0,
) -> Program:
    """Returns the program of a method; each of its functions is compiled once for a number of settings.

    Args:
      factory: `(**knobs) -> Method`, with knobs that may be traced.
      evaluate: `(method, finished_state, sets, classes, knobs) -> scores`, a dict of scalars.
      knobs: arrays `[S]` by name; only their names and shapes are looked at.
      tasks: what `stack_tasks` returns; only its shapes are looked at.
      weights: what `Method.weights` gave; only their shapes are looked at.
      seeds: Q; only `most` depends on it.
      batch_size: examples per step.
      per_class: images of each class in a batch; 0 for a shuffled order.
      clustering: how much more often near classes share such a batch.
    """
    batches = {"batch_size": batch_size, "per_class": per_class, "clustering": clustering}
    start, epoch, score = _lane(factory, evaluate, **batches)
    axes = _axes(factory, knobs, tasks, weights, batch_size)
    state_axes = jax.tree.map(lambda axis: None if axis is None else 2, axes, is_leaf=lambda axis: axis is None)
    started = _over_lanes(start, (0, None, None, None), (None, None, 0, None), (None, 0, None, None), axes)
    compiled_start = jax.jit(started)

    def averaged(moving, frozen, knobs, tasks, keys, first_step):
        lanes = _over_lanes(
            lambda moving, knobs, task, key: epoch(moving, frozen, knobs, task, key, first_step),
            (axes, 0, None, None),
            (0, None, None, 0),
            (0, None, 0, None),
            (axes, 0),
        )
        moving, loss = lanes(moving, knobs, tasks, keys)
        finite = jnp.isfinite(loss)
        return moving, jnp.sum(jnp.where(finite, loss, 0)) / jnp.maximum(jnp.sum(finite), 1)

    def scored(moving, frozen, knobs, tasks, keys):
        lanes = _over_lanes(
            lambda moving, knobs, task, key: score(moving, frozen, knobs, task, key),
            (axes, 0, None, None),
            (0, None, None, 0),
            (0, None, 0, None),
            0,
        )
        return lanes(moving, knobs, tasks, keys)

    return Program(
        start=lambda knobs, tasks, keys, weights, mesh: parallel.split_settings(
            compiled_start(knobs, tasks, keys, weights), state_axes, mesh
        ),
        freeze=jax.jit(functools.partial(_frozen, factory, batch_size)),
        epoch=jax.jit(averaged, donate_argnums=0),
        score=jax.jit(scored),
        most=_most(start, axes, knobs, tasks, weights, seeds),
    )


def reached_by_knobs(
    factory: Callable[..., base.Method],
    knobs: dict[str, Any],
    batch,
    classes,
    train=None,
    weights: Any = (),
    *,
    finished: bool = False,
):
    """Returns for each moving array of the state whether a knob reaches it, before the first step or in any number.

    Judged by the equations that trace from the knobs to the state: what is not reached is equal for all settings.

    Args:
      factory: `(**knobs) -> Method`.
      knobs: arrays `[S]` by name, or their shapes.
      batch, classes, weights: as `Method.init` takes them, or their shapes.
      train: the training examples, or their shapes; by default those of the batch.
      finished: whether the state is the one that `finish` leaves.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    train = dataset.Examples(batch.inputs, batch.labels) if train is None else train
    scalars = {name: jax.ShapeDtypeStruct((), x.dtype) for name, x in knobs.items()}
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (train, batch, classes, key, weights))
    given = (scalars, *shapes)

    def start(knobs, train, batch, classes, key, weights):
        method = factory(**knobs)
        state = method.prepare(method.init(key, batch, classes, weights), train, classes, key)
        return base.split(state)[0]

    def step(moving, knobs, train, batch, classes, key, weights):
        method = factory(**knobs)
        frozen = base.split(method.init(key, batch, classes, weights))[1]
        return base.split(method.update(base.joined(moving, frozen), batch, classes, key)[0])[0]

    def end(moving, knobs, train, batch, classes, key, weights):
        method = factory(**knobs)
        frozen = base.split(method.init(key, batch, classes, weights))[1]
        return base.split(method.finish(base.joined(moving, frozen), train, classes, key))[0]

    moving = jax.eval_shape(start, *given)
    reached = _reached(jax.make_jaxpr(start)(*given), [True] * len(knobs))
    has_steps = factory(**{name: 1.0 for name in knobs if name}).update is not None
    jaxpr = jax.make_jaxpr(step)(moving, *given) if has_steps else None
    while has_steps:
        wider = [a or b for a, b in zip(reached, _reached(jaxpr, [*reached, *[True] * len(knobs)]))]
        has_steps, reached = wider != reached, wider
    if finished:
        marked = [*reached, *[True] * len(knobs)]
        shapes = jax.eval_shape(end, moving, *given)
        return jax.tree.unflatten(jax.tree.structure(shapes), _reached(jax.make_jaxpr(end)(moving, *given), marked))
    return jax.tree.unflatten(jax.tree.structure(moving), reached)


def _lane(factory, evaluate, *, batch_size: int, per_class: int, clustering: float):
    """Returns the functions of a lane: `start`, `epoch` and `score`, of the moving part of a state."""

    def start(knobs, task, key, weights):
        method = factory(**knobs)
        first = jax.random.fold_in(key, 0)
        state = method.init(first, states.first_batch(task.train, batch_size), task.training_classes, weights)
        state = method.prepare(state, task.train, task.training_classes, jax.random.fold_in(key, 4))
        return base.split(state)[0]

    def finish(moving, frozen, knobs, task, key):
        method = factory(**knobs)
        state = base.joined(moving, frozen)
        return method.finish(state, task.train, task.training_classes, jax.random.fold_in(key, 3))

    def epoch(moving, frozen, knobs, task, key, first_step):
        num_steps = states.steps_per_epoch(len(task.train.labels), batch_size)
        if not num_steps or factory(**knobs).update is None:
            return moving, jnp.zeros(())
        train, classes, number = task.train, task.training_classes, first_step // num_steps
        sizes = {"num_examples": len(train.labels), "batch_size": batch_size}
        balance = stretches.Balance(train.labels, len(classes), per_class) if per_class else None
        if clustering:
            balance = balance._replace(nearness=balanced.nearness_of(classes.embedding, clustering))
        order = stretches.epoch_rows(jax.random.fold_in(key, 1), number, **sizes, balance=balance)
        position = stretches.Position(number, 0, num_steps)
        method = factory(**knobs)
        moving, metrics = stretches.stretch(moving, frozen, train, classes, key, order, position, method=method)
        return moving, jnp.mean(metrics["loss"])

    def score(moving, frozen, knobs, task, key):
        sets = {name: x._replace(inputs=_transposed(x.inputs)) for name, x in task.sets.items()}
        return evaluate(factory(**knobs), finish(moving, frozen, knobs, task, key), sets, task.classes, knobs)

    return start, epoch, score


def _frozen(factory, batch_size, knobs, tasks, keys, weights):
    """What is frozen in a state, of the first setting, seed and fold: it comes from `weights` alone."""
    task, key = jax.tree.map(lambda x: x[0], (tasks, keys))
    method = factory(**jax.tree.map(lambda x: x[0], knobs))
    first = jax.random.fold_in(key, 0)
    state = method.init(first, states.first_batch(task.train, batch_size), task.training_classes, weights)
    return base.split(state)[1]


def _over_lanes(function, over_settings, over_seeds, over_folds, out):
    """`function` under vmap over settings, then seeds, then folds, with the axes of its arguments for each."""
    inner = jax.vmap(function, in_axes=over_settings, out_axes=out)
    return jax.vmap(jax.vmap(inner, in_axes=over_seeds), in_axes=over_folds)


def _one(knobs, tasks: Tasks):
    """Shapes of the knobs, task and key of a single lane."""
    of = lambda x, shape: jax.ShapeDtypeStruct(shape, x.dtype)  # noqa: E731
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.tree.map(lambda x: of(x, ()), knobs), jax.tree.map(lambda x: of(x, x.shape[1:]), tasks), key


def _axes(factory, knobs, tasks: Tasks, weights, batch_size: int):
    """For each moving array of a lane's state the axis of the settings: 0 if a knob reaches it, None if none does."""
    _, task, _ = _one(knobs, tasks)
    batch = jax.eval_shape(lambda: states.first_batch(task.train, batch_size))
    reached = reached_by_knobs(factory, knobs, batch, task.training_classes, task.train, weights)
    return jax.tree.map(lambda is_reached: 0 if is_reached else None, reached)


def _most(start, axes, knobs, tasks: Tasks, weights, seeds: int) -> int:
    """How many settings a device should train at a time; see `parallel.fitting`."""
    knob, task, key = _one(knobs, tasks)
    moving = jax.eval_shape(start, knob, task, key, weights)
    reached = jax.tree.map(lambda axis, x: 0 if axis is None else _bytes(x), axes, moving, is_leaf=lambda x: x is None)
    scores = 4 * sum(examples.labels.shape[1] for examples in tasks.sets.values()) * tasks.classes.is_seen.shape[1]
    # A finished state is about as large as one in training.
    held = _ARRAYS_OF_SCORES * scores + sum(map(_bytes, jax.tree.leaves(moving)))
    lanes = seeds * len(tasks.train.labels)
    return parallel.fitting(lanes * sum(jax.tree.leaves(reached)), lanes * held)


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
