"""Squared Euclidean distances between images and classes, by inner products."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import similarity


def squared_distances(x: ArrayLike, y: ArrayLike) -> jax.Array:
    """Returns `||x_b - y_c||^2` as `||x_b||^2 + ||y_c||^2 - 2 x_b . y_c`: a matrix product, no `[B, C, D]` array.

    Args:
      x: `[B, D]`.
      y: `[C, D]`.

    Returns:
      `[B, C]`, at least 0.

    >>> import jax.numpy as jnp
    >>> print(squared_distances(jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 0.0], [3.0, 3.0]])))
    [[25.  1.]]
    """
    lengths = jnp.sum(x * x, axis=-1)[:, None], jnp.sum(y * y, axis=-1)[None, :]
    return jnp.maximum(lengths[0] + lengths[1] - 2 * similarity.dot(x, y), 0.0)
