"""Class embeddings that say nothing of the classes: what a method reaches on them, no description taught it."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def permuted(key: jax.Array, embedding: ArrayLike) -> jax.Array:
    """The same rows, each given to another class: no class keeps its own.

    The geometry of the matrix stays as it was, so that a method loses the meaning of descriptions and nothing else.
    Permute the seen and the unseen rows together, or the control tells which descriptions are unseen.

    Args:
      key: PRNG key.
      embedding: `[C, ...]`, C >= 2.

    Returns:
      An array of the shape of `embedding`, its rows moved along one random cycle through all classes.

    Raises:
      ValueError: fewer than two classes.

    >>> import jax, jax.numpy as jnp
    >>> print(permuted(jax.random.key(0), jnp.array([[1.0], [2.0]])))
    [[2.]
     [1.]]
    """
    embedding = jnp.asarray(embedding)
    if embedding.ndim < 1 or len(embedding) < 2:
        raise ValueError(f"embedding must be [C, ...] with C >= 2, not {embedding.shape}")
    cycle = jax.random.permutation(key, len(embedding))
    return jnp.zeros_like(embedding).at[cycle].set(embedding[jnp.roll(cycle, 1)])
