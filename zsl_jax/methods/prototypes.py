"""Prototypes: where the images of a class are on average, or where its description says that they would be.

    v_c = (n_c mean_c + k d_c) / (n_c + k)        n_c images of class c;  d_c predicted from the description phi_c

Shared by `class_means` and `nadaraya_watson`, which say what is done with them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import moved, shifted

SCORES = {
    "cosine": similarity.cosine,
    "euclidean": similarity.negative_squared_euclidean,
    "dot": similarity.dot,
}
CLASS_RIDGE = rules.Knob(
    "penalty of the map from descriptions to class means, in units of the descriptions' mean variance", rules.number(0)
)
SCORE = rules.Knob("how an image is compared with a class or another image", rules.one_of(tuple(SCORES)))


class ClassSums(NamedTuple):
    """Sums over the examples of each class: `counts [S]` and `features [S, F]`."""

    counts: jax.Array
    features: jax.Array


class Means(NamedTuple):
    """Means of the training classes, and the map from descriptions to means.

    Fields:
      known: `[S, A]`, descriptions of the training classes.
      counts: `[S]`, images of each.
      sums: `[S, F]`, over the centred images of each.
      origin: `[A]`, the mean description.
      map: `[A, F]`, from centred descriptions to centred means.
      centre: `[F]`, the mean of the class means.
    """

    known: jax.Array
    counts: jax.Array
    sums: jax.Array
    origin: jax.Array
    map: jax.Array
    centre: jax.Array


def similarity_of(score: str) -> Any:
    """Returns the function `([B, F], [C, F]) -> [B, C]` by its name.

    Raises:
      UserError: an unknown one.
    """
    if score not in SCORES:
        raise errors.unknown("score", score, SCORES)
    return SCORES[score]


def class_sums(inputs: jax.Array, one_hot: jax.Array) -> ClassSums:
    """Returns the sums of a batch `[B, F]` with its classes `[B, S]`."""
    return ClassSums(jnp.sum(one_hot, axis=0), one_hot.T @ inputs)


def means(sums: ClassSums, attributes: jax.Array, *, prior: Any, class_ridge: Any) -> Means:
    """Returns the class means and the map that predicts them, see `class_means`.

    Args:
      sums: over the training examples; a class without any has no weight.
      attributes: `[S, A]`.
      prior: k >= 0.
      class_ridge: > 0.
    """
    counts = sums.counts
    weights = jnp.where(counts > 0, counts / jnp.maximum(counts + prior, 1e-6), 0)
    total = jnp.maximum(jnp.sum(weights), 1e-6)
    own = sums.features / jnp.maximum(counts, 1e-6)[:, None]
    centre, origin = weights @ own / total, weights @ attributes / total
    rows = jnp.sqrt(weights)[:, None] * (attributes - origin[None, :])
    targets = jnp.sqrt(weights)[:, None] * (own - centre[None, :])
    gram = rows @ rows.T
    solved = rows.T @ shifted.shifted_solve(gram, targets, class_ridge * jnp.trace(gram) / total)
    return Means(attributes, counts, sums.features - counts[:, None] * centre[None, :], origin, solved, centre)


def predicted(found: Means, attributes: Any) -> jax.Array:
    """Returns `[C, F]` the described prototypes, centred."""
    return (jnp.asarray(attributes) - found.origin[None, :]) @ found.map


def posterior(found: Means, attributes: Any, prior: Any) -> jax.Array:
    """Returns `[C, F]` the class vectors, centred: of images where a class has some, of its description otherwise."""
    described = predicted(found, attributes)
    is_same = moved.same(jnp.asarray(attributes), found.known).astype(jnp.float32)
    counts, sums = (is_same @ found.counts)[:, None], is_same @ found.sums
    number = counts + prior
    return jnp.where(number > 0, (sums + prior * described) / jnp.where(number > 0, number, 1), described)
