"""Similarities of embeddings that are diagonal Gaussians: a mean and a variance in each dimension."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import euclidean

__all__: Sequence[str] = ("gaussian_document", "gaussian_negative_kl", "gaussian_query")


def gaussian_negative_kl(
    image_means: ArrayLike, image_variances: ArrayLike, class_means: ArrayLike, class_variances: ArrayLike
) -> jax.Array:
    """Negative Kullback-Leibler divergence of each class from each image, both diagonal Gaussians.

    `scores[b, c] = -1/2 sum_d [log(v_cd / v_bd) + (v_bd + (m_bd - m_cd)^2) / v_cd - 1]`

    Args:
      image_means: `[B, D]`.
      image_variances: `[B, D]`, above 0.
      class_means: `[C, D]`.
      class_variances: `[C, D]`, above 0.

    Returns:
      `[B, C]` scores, at most 0 up to rounding, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> ones = jnp.ones((1, 2))
    >>> print(gaussian_negative_kl(jnp.array([[1.0, 2.0]]), ones, jnp.array([[0.0, 2.0]]), ones))
    [[-0.5]]

    Reference: Zamani, Bendersky, "Multivariate Representation Learning for Information Retrieval", SIGIR 2023.
    """
    _check(image_means, image_variances, "image_means", "image_variances")
    _check(class_means, class_variances, "class_means", "class_variances")
    arguments.check_embeddings(image_means, class_means, "image_means", "class_means")
    # The divergence does not change when all means move; around 0 their squares lose fewest digits.
    image_means, class_means = euclidean.centered(image_means, class_means)
    image_variances = arguments.as_float(image_variances)
    queries = gaussian_query(image_means, image_variances)
    documents = gaussian_document(class_means, class_variances)
    products = jnp.matmul(queries, documents.T, precision=jax.lax.Precision.HIGHEST)
    return products + 0.5 * jnp.sum(jnp.log(image_variances) + 1.0, axis=1)[:, None]


def gaussian_query(means: ArrayLike, variances: ArrayLike) -> jax.Array:
    """Vectors whose inner products with those of `gaussian_document` rank as `gaussian_negative_kl` does.

    `[1, v + m^2, m]`: for each query the inner product is the negative divergence plus a constant of that query, so
    that an index for the largest inner product (MIPS) finds the nearest Gaussians.

    Args:
      means: `[B, D]`.
      variances: `[B, D]`, above 0.

    Returns:
      `[B, 2 D + 1]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(gaussian_query(jnp.array([[2.0]]), jnp.array([[0.5]])))
    [[1.  4.5 2. ]]

    Reference: Zamani, Bendersky, "Multivariate Representation Learning for Information Retrieval", SIGIR 2023.
    """
    _check(means, variances, "means", "variances")
    means, variances = arguments.as_float(means), arguments.as_float(variances)
    return jnp.concatenate([jnp.ones_like(means[:, :1]), variances + means**2, means], axis=1)


def gaussian_document(means: ArrayLike, variances: ArrayLike) -> jax.Array:
    """The other side of `gaussian_query`.

    `[-1/2 sum_d (log v_d + m_d^2 / v_d), -1 / (2 v), m / v]`

    Args:
      means: `[C, D]`.
      variances: `[C, D]`, above 0.

    Returns:
      `[C, 2 D + 1]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(gaussian_document(jnp.array([[2.0]]), jnp.array([[1.0]])))
    [[-2.  -0.5  2. ]]

    Reference: Zamani, Bendersky, "Multivariate Representation Learning for Information Retrieval", SIGIR 2023.
    """
    _check(means, variances, "means", "variances")
    means, variances = arguments.as_float(means), arguments.as_float(variances)
    constant = -0.5 * jnp.sum(jnp.log(variances) + means**2 / variances, axis=1, keepdims=True)
    return jnp.concatenate([constant, -0.5 / variances, means / variances], axis=1)


def _check(means: ArrayLike, variances: ArrayLike, means_name: str, variances_name: str) -> None:
    arguments.check_same_shape(2, **{means_name: means, variances_name: variances})
