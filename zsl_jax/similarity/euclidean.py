"""Similarities that are negative distances in a flat space, as it is or stretched by a matrix."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("mahalanobis", "negative_euclidean", "negative_squared_euclidean")


def negative_squared_euclidean(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Negative squared distances.

    `scores[b, c] = -||x_b - y_c||^2`

    By one matrix product: no array of all differences is made. All points are moved so that the classes lie around 0,
    where the squares lose fewest digits; the error is about 1e-7 of the squared distances to that middle.

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(negative_squared_euclidean(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [1.0, 0.0]])))
    [[-25.  -1.]]
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    x, y = centered(image_embeddings, class_embeddings)
    # A product in less than full precision would leave little of a difference of squares.
    products = jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.sum(x * x, axis=1)[:, None] + jnp.sum(y * y, axis=1)[None, :]
    return jnp.minimum(2.0 * products - squares, 0.0)


def negative_euclidean(image_embeddings: ArrayLike, class_embeddings: ArrayLike) -> jax.Array:
    """Negative distances; the gradient at a distance of 0 is 0.

    `scores[b, c] = -||x_b - y_c||`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(negative_euclidean(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [1.0, 0.0]])))
    [[-5. -1.]]
    """
    return -safe_sqrt(-negative_squared_euclidean(image_embeddings, class_embeddings))


def mahalanobis(image_embeddings: ArrayLike, class_embeddings: ArrayLike, transform: ArrayLike) -> jax.Array:
    """Negative squared distances after a linear map, which is to say in the metric `M M^T`.

    `scores[b, c] = -||(x_b - y_c)^T M||^2`

    Args:
      image_embeddings: `[B, D]`.
      class_embeddings: `[C, D]`.
      transform: `[D, R]`, M; a narrow one makes a metric of low rank.

    Returns:
      `[B, C]` scores, at most 0, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> transform = jnp.array([[2.0, 0.0], [0.0, 1.0]])
    >>> print(mahalanobis(jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]]), transform))
    [[-4. -1.]]

    Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
    Classification", ECCV 2016.
    """
    arguments.check_embeddings(image_embeddings, class_embeddings, "image_embeddings", "class_embeddings")
    shape = jnp.shape(transform)
    if len(shape) != 2 or shape[0] != jnp.shape(class_embeddings)[1]:
        raise ValueError(f"transform must be [D, R] for embeddings {jnp.shape(class_embeddings)}, not {shape}")
    transform = arguments.as_float(transform)
    return negative_squared_euclidean(*(z @ transform for z in centered(image_embeddings, class_embeddings)))


def centered(x: ArrayLike, y: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Both sets of points in float32, moved so that the mean of the second is 0."""
    x, y = arguments.as_float(x), arguments.as_float(y)
    middle = jax.lax.stop_gradient(jnp.mean(y, axis=0, keepdims=True))
    return x - middle, y - middle


def safe_sqrt(squared: jax.Array) -> jax.Array:
    """Square root with derivative 0 at 0, and 0 below, where rounding can lead."""
    is_positive = ~(squared <= 0)  # so that NaN stays NaN
    return jnp.where(is_positive, jnp.sqrt(jnp.where(is_positive, squared, 1.0)), 0.0)
