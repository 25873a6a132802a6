"""A trainer of a few lines on one device, in one program: what a method is asked for, in the order of its contract."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import small_generative
import small_tower

from zsl_jax import data, encoders, methods
from zsl_jax.methods import base
from zsl_jax.training import optimizers

KEY = jax.random.key(0)
# Of methods that reduce ten features.
DIMENSIONS = {
    "nca": {"dimensions": 8},
    "pca": {"dimensions": 8},
    "tldr": {"dimensions": 8, "projected": 16, "batch_size": 64},
}
# Of methods that read more of an encoder than its embedding.
ENCODERS = {"cot": {"encoder": encoders.ConvNet(widths=(8, 12, 16), merges=(2, 2, 1))}}


def make(name: str, **knobs):
    """The method by its name with small knobs; the methods that train an encoder get one layer and Adam."""
    factory = methods.factory(name)
    given = {}
    if methods.trains_encoder(name):
        given["parts"] = small_parts(**ENCODERS.get(name, {}))
    if "class_encoder" in inspect.signature(factory).parameters:
        given["class_encoder"] = encoders.MLP(widths=(16,))
    if methods.wraps(name):
        given["scorer"] = methods.eszsl()
    if methods.learns_prompts(name):
        given["tower"] = small_tower.prompted(16)
    return factory(**given, **(small_generative.KNOBS.get(name, {}) | DIMENSIONS.get(name, {}) | knobs))


def small_parts(**changes) -> methods.Parts:
    given = {"encoder": encoders.MLP(widths=(16,)), "optimizer": optimizers.make_optimizer(learning_rate=1e-2)}
    return methods.Parts(**(given | changes))


def check_symbolic(method: methods.Method, task: data.Task) -> None:
    """A number of inputs that is a symbol, as `export` hands it, gives as many rows of scores; nothing is compiled."""
    inputs, classes = task.train.inputs, training_classes(method, task.classes)
    like = data.Batch(inputs[:16], task.train.labels[:16], np.ones(16, bool))
    weights = method.weights()

    def finished(train, classes, weights):
        return method.finish(method.init(KEY, like, classes, weights), train, classes, KEY)

    state = jax.eval_shape(finished, task.train, classes, weights)
    (count,) = jax.export.symbolic_shape("b")
    many = jax.ShapeDtypeStruct((count, *inputs.shape[1:]), inputs.dtype)
    found = jax.eval_shape(lambda *given: base.score(method, *given), state, many, task.classes)
    assert found.shape == (count, len(task.classes))


def training_classes(method: methods.Method, classes: data.ClassTable) -> data.ClassTable:
    """What the method gets as its class table until its state is finished."""
    return classes if "unseen descriptions" in method.sees else classes[: classes.num_trained]


def zeros_like(batch: data.Batch) -> data.Batch:
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), batch)


def started(method, batch, train, classes):
    """The state before the first step."""
    weights = jax.tree.map(jnp.asarray, method.weights())
    state = method.init(KEY, zeros_like(batch), classes, weights)
    return method.prepare(state, train, classes, jax.random.fold_in(KEY, 1))


_started = jax.jit(started, static_argnums=0)


def steps(method, task, batch, *, count: int = 1):
    """The state after some steps on one batch, and their losses."""
    classes = training_classes(method, task.classes)
    state = _started(method, batch, task.train, classes)
    update, losses = jax.jit(method.update), []
    for number in range(count):
        state, metrics = update(state, batch, classes, jax.random.fold_in(KEY, 100 + number))
        losses.append(float(metrics["loss"]))
    return state, losses


def batches(train: data.Examples, *, epochs: int, batch_size: int) -> data.Batch:
    """All batches, stacked; the last of an epoch is filled up with rows that do not count."""
    rng, count = np.random.default_rng(0), len(train.labels)
    padding = np.zeros(-count % batch_size, int)
    rows = np.concatenate([np.concatenate([rng.permutation(count), padding]) for _ in range(epochs)])
    where = np.tile(np.arange(count + len(padding)) < count, epochs)
    inputs, labels = train.inputs[rows], train.labels[rows]
    return jax.tree.map(lambda x: x.reshape(-1, batch_size, *x.shape[1:]), data.Batch(inputs, labels, where))


def fitted(method, task, *, epochs: int = 20, batch_size: int = 16):
    """The finished state."""
    given = batches(task.train, epochs=epochs, batch_size=batch_size)
    return _fitted(method, task.train, given, training_classes(method, task.classes))


@functools.partial(jax.jit, static_argnums=0)
def _fitted(method, train, given, classes):
    def step(state, numbered):
        number, batch = numbered
        return method.update(state, batch, classes, jax.random.fold_in(KEY, 100 + number))[0], None

    state = started(method, jax.tree.map(lambda x: x[0], given), train, classes)
    numbers = jnp.arange(len(given.where))
    state, _ = jax.lax.scan(step, state, (numbers, given))
    return method.finish(state, train, classes, jax.random.fold_in(KEY, 2))


def top1(scores, labels, *, first: int = 0) -> float:
    """Accuracy where the columns are the classes from `first` on."""
    return float(np.mean(first + np.argmax(scores, axis=1) == labels))
