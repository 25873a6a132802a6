"""How well two classes can be told apart, in closed form: the attribute in which they differ most decides."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


@jax.jit
def pairwise(matrix: ArrayLike) -> jax.Array:
    """Least balanced error between two classes that any map from their attributes can guarantee.

    `bound[c, d] = (1 - max_a |matrix_ca - matrix_da|) / 2`

    With marginals alone known, two classes may look alike in all but the images in which that one attribute differs.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class).

    Returns:
      `[C, C]` symmetric, in [0, 1/2]; 1/2, chance, where two classes have the same description, and on the diagonal.

    Raises:
      ValueError: the matrix does not have two axes.

    >>> import jax.numpy as jnp
    >>> print(pairwise(jnp.array([[1.0, 0.5], [0.25, 0.5], [0.25, 0.5]])))
    [[0.5   0.125 0.125]
     [0.125 0.5   0.5  ]
     [0.125 0.5   0.5  ]]
    """
    if jnp.ndim(matrix) != 2:
        raise ValueError(f"matrix must be [C, A], not {jnp.shape(matrix)}")
    matrix = jnp.asarray(matrix, jnp.float32)

    def widest(attribute, gap):  # attribute by attribute: never [C, C, A] at once
        column = matrix[:, attribute]
        return jnp.maximum(gap, jnp.abs(column[:, None] - column[None, :]))

    num_classes, num_attributes = matrix.shape
    gap = jax.lax.fori_loop(0, num_attributes, widest, jnp.zeros((num_classes, num_classes), matrix.dtype))
    return (1 - gap) / 2
