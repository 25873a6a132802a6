"""Scaling of inputs and class descriptions as part of a method, so that prediction scales as training did."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from zsl_jax import errors, similarity
from zsl_jax.methods import base

SCALINGS: dict[str, Callable] = {"l2": similarity.l2_normalize, "none": lambda x: x}


def normalized(method: base.Method, *, inputs: str = "l2", classes: str = "l2") -> base.Method:
    """Returns the method as it is on scaled inputs and class descriptions.

    Only arrays of floats with a row per input or class are scaled; ids, images of bytes and `shared` stay as they are.

    Args:
      inputs: `l2` divides each example by its Euclidean length, `none` leaves it.
      classes: the same for each class description.
    """
    for value in (inputs, classes):
        if value not in SCALINGS:
            raise errors.unknown("scaling", value, SCALINGS)

    def scale_table(kept, table):
        del kept
        return dataclasses.replace(table, embedding=scaled(table.embedding, classes))

    return base.viewed(method, base.View(inputs=lambda kept, x: scaled(x, inputs), classes=scale_table))


def scaled(tree, how: str):
    """Returns a tree whose matrices of floats are scaled row by row; `how` is a name in `SCALINGS`.

    >>> scaled({"words": jnp.array([[3.0, 4.0]]), "ids": jnp.array([[3, 4]])}, "l2")["ids"].tolist()
    [[3, 4]]
    """

    def scale(x):
        is_rows = jnp.ndim(x) > 1 and jnp.issubdtype(jnp.result_type(x), jnp.floating)
        return SCALINGS[how](x) if is_rows else x

    return jax.tree.map(scale, tree) if how != "none" else tree
