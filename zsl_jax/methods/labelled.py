"""Labelled inputs: what is kept of those of each class, how a class finds its own, and methods on them alone.

    n_c = |L_c|,    sums_c = sum_{i in L_c} x_i,    squares_c = sum_{i in L_c} x_i^2        L_c: inputs labelled c

All that a mixture of Gaussians needs of inputs whose class is known. A candidate is a training class where it has the
description of one; any other candidate has none.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, similarity
from zsl_jax.methods import base, moved


class Sums(NamedTuple):
    """Sums over the labelled inputs of each class: `counts [C]`, `sums [C, D]`, `squares [C, D]`."""

    counts: jax.Array
    sums: jax.Array
    squares: jax.Array


class Kept(NamedTuple):
    """The state of a method, and beside it `known [T, A]`, the training classes, with the sums over their inputs."""

    inner: Any
    known: jax.Array
    sums: Sums


def sums(vectors: jax.Array, labels: Any, num_classes: int) -> Sums:
    """Returns the sums over unit vectors.

    Args:
      vectors: `[N, D]`, scaled to unit length here.
      labels: `[N]`, rows of the class table; -1 for an input without a label, which counts nowhere.
      num_classes: rows of the table.

    Raises:
      UserError: several labels per input.

    >>> found = sums(jnp.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]]), jnp.array([1, 1, -1]), 2)
    >>> found.counts.tolist(), [round(x, 2) for x in found.sums[1].tolist()]
    ([0.0, 2.0], [0.6, 1.8])
    """
    labels = jnp.asarray(labels)
    if labels.ndim != 1:
        raise errors.UserError(
            "labelled inputs are summed per class: that takes one label per input, these have several"
        )
    vectors, of_class = similarity.l2_normalize(vectors), jax.nn.one_hot(labels, num_classes)
    with jax.default_matmul_precision("highest"):
        return Sums(jnp.sum(of_class, axis=0), of_class.T @ vectors, of_class.T @ vectors**2)


def descriptions(classes: Any) -> jax.Array:
    """Returns `[C, A]`, all that describes each class of a table, as one row of numbers."""
    leaves = jax.tree.leaves((classes.embedding, classes.parts))
    return jnp.concatenate([jnp.asarray(x, jnp.float32).reshape(len(classes), -1) for x in leaves], axis=1)


def of_candidates(kept: Kept, classes: Any) -> Sums:
    """Returns the sums of the classes of a table; training classes with the same description share their inputs."""
    is_same = moved.same(descriptions(classes), kept.known).astype(jnp.float32)
    return jax.tree.map(lambda x: jnp.tensordot(is_same, x, 1, precision="highest"), kept.sums)


def only(scorer: base.Method) -> base.Method:
    """Returns the method on the labelled ones of its examples, for one that does not ask for others.

    Where it looks at all training examples at once, the places of the others hold labelled ones again.
    """
    if "test inputs" in scorer.sees:
        return scorer

    def labelled_first(train):
        is_labelled = _is_labelled(train.labels)
        rows = jnp.argsort(~is_labelled, stable=True)
        rows = rows[jnp.arange(len(rows)) % jnp.maximum(jnp.sum(is_labelled), 1)]
        return jax.tree.map(lambda x: jnp.asarray(x)[rows], train)

    def update(state, batch, classes, key):
        where = batch.where & _is_labelled(batch.labels)
        return scorer.update(state, batch._replace(labels=jnp.maximum(batch.labels, 0), where=where), classes, key)

    return scorer._replace(
        prepare=lambda state, train, classes, key: scorer.prepare(state, labelled_first(train), classes, key),
        update=scorer.update and update,
        finish=lambda state, train, classes, key: scorer.finish(state, labelled_first(train), classes, key),
    )


def _is_labelled(labels: jax.Array) -> jax.Array:
    labels = jnp.asarray(labels)
    return labels >= 0 if labels.ndim == 1 else jnp.any(labels >= 0, axis=1)
