"""Similarities between image and class embeddings: `[B, D] x [C, D] -> [B, C]`, larger is more alike.

Embeddings are used as given: whoever wants unit vectors calls `l2_normalize`.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments


def l2_normalize(x: ArrayLike, *, axis: int = -1) -> jax.Array:
    """Vectors of length one; a zero vector stays zero and gets a zero gradient.

    `x / ||x||_2`

    Args:
      x: array of any shape.
      axis: the axis that holds the vectors.

    Returns:
      Array of the shape of `x`, float32.

    >>> import jax.numpy as jnp
    >>> print(l2_normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [[0.6 0.8]
     [0.  0. ]]
    """
    x = arguments.as_float(x)
    squared = jnp.sum(x * x, axis=axis, keepdims=True)
    is_zero = squared == 0
    return x * jnp.where(is_zero, 0.0, jax.lax.rsqrt(jnp.where(is_zero, 1.0, squared)))


def dot(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Inner products.

    `scores[b, c] = x_b . y_c`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores, float32 (half-precision inputs are accumulated in float32).

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(dot(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 0.0], [0.0, 5.0]])))
    [[ 3. 10.]]
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    return _einsum("bd,cd->bc", image_embeddings, class_embeddings)


def cosine(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Cosines of the angles; a zero vector has cosine 0 with everything.

    `scores[b, c] = x_b . y_c / (||x_b|| ||y_c||)`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores in [-1, 1], float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(cosine(jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0], [-3.0, -4.0]])))
    [[ 0.8 -1. ]]
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    return _einsum("bd,cd->bc", l2_normalize(image_embeddings), l2_normalize(class_embeddings))


def bilinear(image_embeddings: ArrayLike, class_embeddings: ArrayLike, weights: ArrayLike) -> jax.Array:
    """Bilinear compatibility of two different spaces.

    `scores[b, c] = x_b^T W phi_c`, multiplied in the cheaper order.

    Args:
      image_embeddings: `[B, F]`.
      class_embeddings: `[C, A]`.
      weights: `[F, A]`.

    Returns:
      `[B, C]` scores, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(bilinear(jnp.array([[1.0, 2.0]]), jnp.eye(3), jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])))
    [[1. 2. 8.]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    shapes = tuple(map(jnp.shape, (image_embeddings, weights, class_embeddings)))
    if any(len(shape) != 2 for shape in shapes) or shapes[1] != (shapes[0][1], shapes[2][1]):
        raise ValueError(
            f"image_embeddings must be [B, F], class_embeddings [C, A] and weights [F, A], "
            f"not {shapes[0]}, {shapes[2]} and {shapes[1]}"
        )
    return _einsum("bf,fa,ca->bc", image_embeddings, weights, class_embeddings)


def _einsum(formula: str, *arrays: ArrayLike) -> jax.Array:
    """einsum that accumulates in float32 at least; the order of the products is the one of least work."""
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    return jnp.einsum(formula, *arrays, preferred_element_type=dtype)
