"""A training, and its state before the first step and after the last."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from zsl_jax.data import dataset
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.methods import base
from zsl_jax.training import parallel


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    return -(-num_examples // batch_size)


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """A training: what is trained on what, and how its steps run.

    Args:
      method, task: what is trained, and on what.
      key: PRNG key of the run; batches and steps draw from it by their number.
      batch_size: examples per step, over all devices.
      mesh: from `parallel.make_mesh`.
      mode: one of `parallel.MODES`.
      nonfinite: what becomes of a step that would leave a metric or the state not finite: `stop` the run, or `skip` it,
        which leaves the state as it was and sets the metric `skipped` to 1.
      per_class: images of each class in a batch, see `balanced`; 0 for a shuffled order.
      clustering: how much more often near classes share such a batch.
    """

    method: base.Method
    task: dataset.Task
    key: Any
    batch_size: int
    mesh: Any
    mode: str = "jit"
    nonfinite: str = "stop"
    per_class: int = 0
    clustering: float = 0.0

    @functools.cached_property
    def examples(self) -> dataset.Examples:
        """What is trained on; where the method asks for test inputs these follow, with the label -1."""
        return training_examples(self.method, self.task)

    @functools.cached_property
    def classes(self) -> dataset.ClassTable:
        """What training sees of the classes."""
        return training_classes(self.method, self.task)

    @functools.cached_property
    def shapes(self):
        """The shapes of the state before the first step."""
        return jax.eval_shape(functools.partial(init_state, self), self.method.weights())

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return steps_per_epoch(len(self.examples.labels), self.batch_size)

    @property
    def layout(self) -> parallel.Layout:
        inputs = self.examples.inputs
        if inputs_lib.is_stream(inputs):
            return parallel.Layout(self.mesh, self.mode, divided=True, streamed=True)
        return parallel.Layout(self.mesh, self.mode, parallel.must_divide(inputs, self.mesh))


def numbered_key(seed, number: int) -> jax.Array:
    """Returns a key of a seed below 2^32, one for each number.

    >>> bool((numbered_key(7, 1) == jax.random.fold_in(jax.random.key(7), 1)).all())
    True
    """
    seed = np.uint32(seed) if isinstance(seed, int) else seed
    return jax.random.wrap_key_data(_numbered_key(seed, np.uint32(number)))


@jax.jit
def _numbered_key(seed, number):
    return jax.random.key_data(jax.random.fold_in(jax.random.key(seed), number))


def training_classes(method: base.Method, task: dataset.Task) -> dataset.ClassTable:
    """The classes that training may see: those with labelled examples, or all for "unseen descriptions"."""
    return task.classes if "unseen descriptions" in method.sees else task.classes[: task.classes.num_trained]


def training_examples(method: base.Method, task: dataset.Task) -> dataset.Examples:
    """The training examples, and for "test inputs" the inputs of all sets behind them, with the label -1."""
    if "test inputs" not in method.sees:
        return task.train
    inputs = inputs_lib.joined(task.train.inputs, *(examples.inputs for examples in task.sets.values()))
    missing = inputs_lib.count(inputs) - len(task.train.labels)
    unknown = np.full((missing, *task.train.labels.shape[1:]), -1, task.train.labels.dtype)
    return dataset.Examples(inputs, np.concatenate([task.train.labels, unknown]))


def first_batch(examples: dataset.Examples, batch_size: int) -> dataset.Batch:
    """Returns a batch of zeros with the shapes of a run's: what `Method.init` looks at."""
    labels = np.zeros((batch_size, *examples.labels.shape[1:]), examples.labels.dtype)
    return dataset.Batch(inputs_lib.zeros(examples.inputs, batch_size), labels, np.ones(batch_size, bool))


def init_state(training: Training, weights: Any):
    """Returns the state before the first step."""
    like = first_batch(training.examples, training.batch_size)
    return training.method.init(jax.random.fold_in(training.key, 0), like, training.classes, weights)


def start_state(training: Training):
    """Returns the state before the first step, on the devices."""
    weights = parallel.replicate(training.method.weights(), training.mesh)
    classes = parallel.place_state(training.classes, training.mesh)
    key_data = parallel.replicate(jax.random.key_data(training.key), training.mesh)
    leaves, tree = jax.tree.flatten(jax.eval_shape(lambda: first_batch(training.examples, training.batch_size)))
    like = (tuple(leaves), tree)
    return _started(weights, classes, key_data, method=training.method, like=like, mesh=training.mesh)


@functools.partial(jax.jit, static_argnames=("method", "like", "mesh"))
def _started(weights, classes, key_data, *, method: base.Method, like, mesh):
    leaves, tree = like
    batch = tree.unflatten([np.zeros(leaf.shape, leaf.dtype) for leaf in leaves])
    batch = batch._replace(where=np.ones(batch.where.shape, bool))
    state = method.init(jax.random.fold_in(jax.random.wrap_key_data(key_data), 0), batch, classes, weights)
    return parallel.keep_state(state, mesh)


def abstract_state(training: Training):
    """Returns shapes and placement of the state, without its frozen parts: what a checkpoint holds."""
    return parallel.abstract(base.split(training.shapes)[0], training.mesh)


def finished_shapes(training: Training):
    """Returns the shapes of the state that `finish` leaves, without computing it."""
    examples = training.examples
    train = jax.tree.map(lambda rows: jax.ShapeDtypeStruct(rows.shape, rows.dtype), examples)

    def finished(train, weights):
        return training.method.finish(init_state(training, weights), train, training.classes, training.key)

    return jax.eval_shape(finished, train, training.method.weights())


def abstract_finished(training: Training):
    """Returns shapes and placement of the finished state, without its frozen parts: what a checkpoint holds."""
    return parallel.abstract(base.split(finished_shapes(training))[0], training.mesh)


def with_frozen(training: Training, moving):
    """Returns a state that was read back, with the frozen parts that its checkpoint does not hold."""
    if not base.split(moving)[1]:
        return moving
    weights = parallel.replicate(training.method.weights(), training.mesh)
    frozen = jax.jit(lambda weights: base.split(init_state(training, weights))[1])(weights)
    return base.joined(moving, frozen)
