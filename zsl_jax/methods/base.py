"""What a zero-shot method is to the trainer: pure functions in a tuple, as an optax transformation is.

    inputs  --embed-->     images    [B, ...]  \\
                                                scores [B, C]  --together, once for all inputs-->  [N, C]
    classes --describe-->  described [C, ...]  /

    init, prepare, update ..., finish            how the state comes about; all of them get the training table
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SEES = ("unseen descriptions", "other candidates", "test inputs")


def unchanged(state, train, classes, key):
    """Returns the state: a `prepare` or `finish` that has nothing to do, for which nothing is compiled."""
    del train, classes, key
    return state


class Method(NamedTuple):
    """Pure functions that train a zero-shot method and score classes with it; `state` is any pytree of arrays.

    The training table is `classes[:trained]`, the classes with labelled examples. A method that asks for "unseen
    descriptions" gets the whole table, whose `num_trained` says how many classes, the first, have examples.

    Fields:
      init: `(key, like, classes, weights) -> state`. `like` is a `data.Batch` of zeros with the shapes that `update`
        will get, `weights` what the function `weights` returned, on the device.
      prepare: `(state, train, classes, key) -> state`, with all training examples at hand (the range of the features, a
        classifier to lean on): before the first step, and before every `refresh`-th epoch. Tree, shapes and dtypes are
        those of `init`.
      update: `(state, batch, classes, key) -> (state, metrics)`, one step; `metrics` is a dict of scalars, `loss` among
        them. `batch.where` is False for rows that only fill up the last batch of an epoch. None: there is nothing to
        train, and no training phase.
      finish: `(state, train, classes, key) -> state`, after the last step; `train` holds all training examples.
      embed: `(state, inputs) -> images`, arrays `[B, ...]`: all of the work on an input that no class takes part in.
        Neighbours of an input are sought there, see `vector`.
      describe: `(state, classes) -> described`, arrays `[C, ...]`: all of the work on a class that no input takes part
        in, once per class table. Every leaf has the class axis first.
      scores: `(state, images, described) -> [B, C]`, higher is better.
      together: `(state, images, where, described, key) -> [N, C]`, a last decision on all inputs of a look at once,
        embedded; rows where `where` is False only fill up. None for a method that scores input by input.
      attributes: `(state, images) -> [B, A]`, the probability of each attribute; None where none are predicted.
      weights: `() -> tree` of host arrays that come from elsewhere, such as a pretrained tower. They are read and
        hashed once and are an argument of every program; a state keeps them inside `Frozen`.
      sees: what the method asks for, of `SEES`: "unseen descriptions" in training, "other candidates" where the
        description or the score of a class depends on the other candidates, "test inputs" as rows with label -1 among
        the training examples. A method that fits anything on the candidates asks for "unseen descriptions".
      divides: whether `update` may be handed one device's share of the batch (`batch.axis_name` is set then). It sums
        over the rows with `total(..., batch.axis_name)`, losses that compare rows get `axis_name=batch.axis_name`, and
        nothing in it depends on where in the batch a row stands (random numbers per row would). Where False, `update`
        always sees the whole batch.
      refresh: epochs between two calls of `prepare`; 0 for once.
      cosine: whether scores are cosines of inputs and descriptions, so that the temperature that two towers were
        trained with makes probabilities of them where nothing chooses another.

    Without "other candidates", `describe` of some classes is those rows of `describe` of all, and a column of scores
    does not change with the others. The trainer relies on it.
    """

    init: Callable[..., Any]
    update: Callable[..., tuple[Any, dict]] | None
    scores: Callable[..., Any]
    describe: Callable[..., Any] = lambda state, classes: classes.embedding
    embed: Callable[..., Any] = lambda state, inputs: inputs
    prepare: Callable[..., Any] = unchanged
    finish: Callable[..., Any] = unchanged
    together: Callable[..., Any] | None = None
    attributes: Callable[..., Any] | None = None
    weights: Callable[[], Any] = lambda: ()
    sees: frozenset[str] = frozenset()
    divides: bool = False
    refresh: int = 0
    cosine: bool = False


class Frozen(NamedTuple):
    """A part of a state that came from `Method.weights` and that nothing changes.

    The trainer neither copies, saves nor checks it, and gives it to every program as an argument.
    """

    tree: Any


class View(NamedTuple):
    """How a method sees its inputs and classes, and what it remembers for that; for `viewed`.

    Fields:
      start: `(key, like, classes) -> kept`, or None where nothing is remembered.
      learn: `(kept, train, classes, key) -> kept`, with all training examples at hand, or None.
      inputs: `(kept, inputs) -> inputs`.
      classes: `(kept, classes) -> classes`.
      training_classes: the same for the table of an `update`, where that is kept ready; None: `classes`.
    """

    start: Callable[..., Any] | None = None
    learn: Callable[..., Any] | None = None
    inputs: Callable[..., Any] = lambda kept, inputs: inputs
    classes: Callable[..., Any] = lambda kept, classes: classes
    training_classes: Callable[..., Any] | None = None


class Viewed(NamedTuple):
    """What a view remembers, and the state of the method behind it."""

    kept: Any
    inner: Any


def viewed(method: Method, view: View) -> Method:
    """Returns the method on inputs and classes as the view shows them, in training and in scoring.

    The one place beside `Method` that lists its members. A view without `start` leaves the tree of the state as it is.
    """
    if view.start is None:
        split, join = (lambda state: Viewed((), state)), (lambda kept, inner: inner)
    else:
        split, join = (lambda state: state), Viewed
    in_training = view.training_classes or view.classes

    def examples(kept, given):
        return given._replace(inputs=view.inputs(kept, given.inputs))

    def init(key, like, classes, weights):
        kept = () if view.start is None else view.start(key, like, classes)
        return join(kept, method.init(key, examples(kept, like), in_training(kept, classes), weights))

    def prepare(state, train, classes, key):
        kept, inner = split(state)
        if view.learn is not None:
            kept = view.learn(kept, train, classes, key)
        return join(kept, method.prepare(inner, examples(kept, train), in_training(kept, classes), key))

    def update(state, batch, classes, key):
        kept, inner = split(state)
        inner, metrics = method.update(inner, examples(kept, batch), in_training(kept, classes), key)
        return join(kept, inner), metrics

    def finish(state, train, classes, key):
        kept, inner = split(state)
        return join(kept, method.finish(inner, examples(kept, train), in_training(kept, classes), key))

    def embed(state, inputs):
        kept, inner = split(state)
        return method.embed(inner, view.inputs(kept, inputs))

    def describe(state, classes):
        kept, inner = split(state)
        return method.describe(inner, view.classes(kept, classes))

    def inner(function, state, *args):
        return function(split(state).inner, *args)

    return Method(
        init=init,
        prepare=unchanged if method.prepare is unchanged and view.learn is None else prepare,
        update=method.update and update,
        finish=unchanged if method.finish is unchanged else finish,
        embed=embed,
        describe=describe,
        scores=functools.partial(inner, method.scores),
        together=method.together and functools.partial(inner, method.together),
        attributes=method.attributes and functools.partial(inner, method.attributes),
        weights=method.weights,
        sees=method.sees,
        divides=method.divides,
        refresh=method.refresh,
        cosine=method.cosine,
    )


def vector(images: Any) -> Any:
    """Returns what neighbours are measured in, `[B, D]`: embedded inputs themselves, or their field `vector`."""
    if isinstance(images, dict):
        return images["vector"]
    return getattr(images, "vector", images)


def score(method: Method, state, inputs, classes):
    """Returns `[B, C]` the scores of inputs for a class table, in one go: embedded, described and compared."""
    return method.scores(state, method.embed(state, inputs), method.describe(state, classes))


def total(tree, axis_name: str | None):
    """Sums over the devices that share a batch: what an `update` does with its own sums over rows of the batch."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def mean(values: jax.Array, where: jax.Array) -> jax.Array:
    """Returns the mean of `values [B]` over the rows that count; 0 where none does."""
    return jnp.sum(values, where=where) / jnp.maximum(jnp.sum(where), 1)


def split(state: Any) -> tuple[Any, tuple]:
    """Returns the state without its frozen parts, and those in their order.

    >>> moving, frozen = split({"prompt": 1, "tower": Frozen(2)})
    >>> jax.tree.leaves(moving), frozen
    ([1], (2,))
    """
    nodes, tree = jax.tree.flatten(state, is_leaf=_is_frozen)
    frozen = tuple(node.tree for node in nodes if _is_frozen(node))
    return tree.unflatten([Frozen(()) if _is_frozen(node) else node for node in nodes]), frozen


def joined(moving: Any, frozen: tuple) -> Any:
    """Returns the state that `split` took apart, with these frozen parts.

    >>> joined(*split({"prompt": 1, "tower": Frozen(2)}))
    {'prompt': 1, 'tower': Frozen(tree=2)}
    """
    nodes, tree = jax.tree.flatten(moving, is_leaf=_is_frozen)
    coming = iter(frozen)
    return tree.unflatten([Frozen(next(coming)) if _is_frozen(node) else node for node in nodes])


def thawed(tree: Any) -> Any:
    """Returns a tree with what its frozen parts hold in their place.

    >>> thawed({"prompt": 1, "tower": Frozen({"bias": 2})})
    {'prompt': 1, 'tower': {'bias': 2}}
    """
    return jax.tree.map(lambda node: node.tree if _is_frozen(node) else node, tree, is_leaf=_is_frozen)


def _is_frozen(node: Any) -> bool:
    return isinstance(node, Frozen)
