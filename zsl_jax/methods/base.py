"""What a zero-shot method is to the trainer: pure functions in a tuple, as an optax transformation is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax


def _unprepared(state, train, classes, key):
    """The default `prepare`: nothing is to be known of the training set before the first step."""
    del train, classes, key
    return state


def _unfinished(state, train, classes, key):
    """The default `finish`: nothing is left to do after the last step."""
    del train, classes, key
    return state


def _unadapted(state, inputs, classes):
    """The default `adapt`: an inductive method does not look at the inputs that it will be scored on."""
    del inputs, classes
    return state


# The settings in which `prepare` and `update` get the whole class table.
SEE_ALL_CLASSES = ("class-transductive", "few-shot")


def total(tree, axis_name: str | None):
    """Sums over the devices that share a batch: what an `update` does with its own sums over rows of the batch."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


class Method(NamedTuple):
    """Pure functions that train a zero-shot method and score classes with it; `state` is any pytree of arrays.

    init(key, batch, classes) -> state
      `batch` is a `data.Batch` of the shape that `update` will get.
    prepare(state, train, classes, key) -> state
      Before the first step, once, with all training examples at hand (the range of the features, their class means, a
      classifier to lean on); the tree, shapes and dtypes are those of `init`. `classes` is what `update` gets.
    update(state, batch, classes, key) -> (state, metrics)
      One step. `metrics` is a dict of scalars with at least `loss`. `batch.where` is False for rows that only fill up
      the last batch of an epoch. `classes` holds the seen classes alone, unless `setting` is in `SEE_ALL_CLASSES`.
    finish(state, train, classes, key) -> state
      After the last step; `train` is a `data.Examples` of all training examples, `classes` the whole table.
    scores(state, inputs, classes) -> [B, C]
      Similarities to any class table, also one never seen before.
    adapt(state, inputs, classes) -> state
      For instance-transductive methods: a look at the unlabelled inputs that will be scored.
    attributes(state, inputs) -> [B, A]
      For methods that predict attributes: the probability of each; None for the others.
    divides
      Whether `update` may be handed one device's share of the batch (`batch.axis_name` is set then). It sums over the
      rows with `total(..., batch.axis_name)`, losses that compare rows get `axis_name=batch.axis_name`, and nothing of
      it depends on where in the batch a row stands (random numbers a row would). `by_gradient` and `from_sums` do so.
      Where False, `update` always sees the whole batch.
    turned
      Whether a step is fastest where the trainer holds the matrices of the state transposed, see `gradient.turned`:
      those of `by_gradient`.
    setting
      What the method may look at: `inductive`, `class-transductive` (descriptions of unseen classes in training),
      `instance-transductive` (unlabelled test inputs), `few-shot` (a few labelled examples of unseen classes) or
      `pretrained`.
    """

    init: Callable[..., Any]
    update: Callable[..., tuple[Any, dict]]
    scores: Callable[..., Any]
    prepare: Callable[..., Any] = _unprepared
    finish: Callable[..., Any] = _unfinished
    adapt: Callable[..., Any] = _unadapted
    attributes: Callable[..., Any] | None = None
    divides: bool = False
    turned: bool = False
    setting: str = "inductive"
