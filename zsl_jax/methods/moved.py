"""Class vectors that were moved from where their descriptions are: what a state keeps of them, and new classes.

    described [C, D] --a method, once, on the inputs at hand--> vectors [C, D]

A candidate that the run knew has its vector. Another one is at its description, moved as the run's classes were on
average, which is what descriptions and inputs differ by whatever the class.
"""

from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import similarity

# Descriptions whose cosine is above this are one description: what is written in float32 is read back with less error.
_SAME = 1 - 1e-5
# Squared distance, relative to their squared lengths, below which two descriptions are the same but for rounding.
_NEAR = 1e-6


def keep(descriptions: Any, vectors: jax.Array) -> dict[str, jax.Array]:
    """Returns what a state holds.

    Args:
      descriptions: `[C, D]` of the run's classes.
      vectors: `[C, D]`, where these have been moved to.
    """
    return {"described": similarity.l2_normalize(descriptions), "vectors": similarity.l2_normalize(vectors)}


def describe(state: dict[str, jax.Array], descriptions: Any) -> jax.Array:
    """Returns `[K, D]` the unit vectors of candidates by their descriptions.

    >>> kept = keep(jnp.eye(2, 3), jnp.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
    >>> print(describe(kept, jnp.eye(2, 3)[::-1]).round(1))
    [[0.  1.  0. ]
     [0.  0.7 0.7]]
    """
    descriptions = similarity.l2_normalize(descriptions)
    likeness = similarity.dot(descriptions, state["described"])
    nearest = jnp.argmax(likeness, axis=1)
    is_known = jnp.max(likeness, axis=1) > _SAME
    shift = jnp.mean(state["vectors"] - state["described"], axis=0)
    others = similarity.l2_normalize(descriptions + shift[None, :])
    return jnp.where(is_known[:, None], state["vectors"][nearest], others)


def same(given: jax.Array, known: jax.Array) -> jax.Array:
    """Returns `[K, T]` bool, which of the `known [T, A]` descriptions each of the `given [K, A]` is, but for rounding.

    >>> print(same(jnp.array([[0.0, 1.0], [3.0, 4.0]]), jnp.array([[3.0, 4.0], [0.0, 2.0]])))
    [[False False]
     [ True False]]
    """
    lengths = jnp.sum(given**2, axis=1)[:, None] + jnp.sum(known**2, axis=1)[None, :]
    return -similarity.negative_squared_euclidean(given, known) <= _NEAR * lengths
