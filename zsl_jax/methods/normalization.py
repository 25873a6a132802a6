"""Scaling of inputs and class descriptions as part of a method, so that prediction scales as training did."""

import dataclasses
from collections.abc import Callable

import jax

from zsl_jax import errors, similarity
from zsl_jax.methods import base

SCALINGS: dict[str, Callable] = {"l2": similarity.l2_normalize, "none": lambda x: x}


def normalized(method: base.Method, *, inputs: str = "l2", classes: str = "l2") -> base.Method:
    """Returns the method as it is on scaled inputs and class descriptions.

    Args:
      inputs: `l2` divides each example by its Euclidean length, `none` leaves it.
      classes: the same for each class description.
    """
    for value in (inputs, classes):
        if value not in SCALINGS:
            raise errors.unknown("scaling", value, SCALINGS)
    scale_inputs, scale_leaf = SCALINGS[inputs], SCALINGS[classes]

    def scale_examples(examples):
        return examples._replace(inputs=scale_inputs(examples.inputs))

    def scale_classes(table):
        return dataclasses.replace(table, embedding=jax.tree.map(scale_leaf, table.embedding))

    return method._replace(
        init=lambda key, batch, table: method.init(key, scale_examples(batch), scale_classes(table)),
        prepare=lambda state, train, table, key: method.prepare(
            state, scale_examples(train), scale_classes(table), key
        ),
        update=lambda state, batch, table, key: method.update(state, scale_examples(batch), scale_classes(table), key),
        finish=lambda state, train, table, key: method.finish(state, scale_examples(train), scale_classes(table), key),
        adapt=lambda state, x, table: method.adapt(state, scale_inputs(x), scale_classes(table)),
        scores=lambda state, x, table: method.scores(state, scale_inputs(x), scale_classes(table)),
        attributes=method.attributes and (lambda state, x: method.attributes(state, scale_inputs(x))),
    )
