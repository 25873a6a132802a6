"""Losses on the space of attributes: who uses which feature, which directions carry attributes, what matches what."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.similarity import euclidean

__all__: Sequence[str] = (
    "attribute_decorrelation",
    "attribute_decorrelation_published",
    "consistency_hinge",
    "matrix_subspace_projection",
)


def attribute_decorrelation(weights: ArrayLike, groups: ArrayLike, *, num_groups: int) -> jax.Array:
    """Group lasso that lets the attributes of a group share features and those of different groups compete for them.

    `loss_g = sum_f ||W[f, attributes of g]||_2`

    Use when: attribute detectors fire on each other's evidence because the attributes occur together.

    Args:
      weights: `[F, A]`, the detector of an attribute in every column.
      groups: `[A]` int, the group of every attribute; one not in `[0, num_groups)` is left out.
      num_groups: G, static.

    Returns:
      `[G]` losses, float32; their sum is the l2,1 norm of the paper. The gradient is 0 at a feature no one uses.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> weights = jnp.array([[3.0, 4.0, 1.0], [0.0, 0.0, 2.0]])
    >>> print(attribute_decorrelation(weights, jnp.array([0, 0, 1]), num_groups=2))
    [5. 3.]

    Reference: Xu et al., "Attribute Prototype Network for Zero-Shot Learning", NeurIPS 2020 (APN).
    """
    return jnp.sum(euclidean.safe_sqrt(_group_squares(weights, groups, num_groups)), axis=0)


def attribute_decorrelation_published(weights: ArrayLike, groups: ArrayLike, *, num_groups: int) -> jax.Array:
    """One Frobenius norm per group: computed by the released code of APN in place of its group lasso.

    `loss_g = ||W[:, attributes of g]||_F`

    Use when: the published APN runs should be reproduced; it makes no feature exclusive to a group.

    Args:
      weights: `[F, A]`, the detector of an attribute in every column.
      groups: `[A]` int, the group of every attribute; one not in `[0, num_groups)` is left out.
      num_groups: G, static.

    Returns:
      `[G]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> weights = jnp.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]])
    >>> print(attribute_decorrelation_published(weights, jnp.array([0, 0, 1]), num_groups=2))
    [5. 2.]

    Reference: Xu et al., "Attribute Prototype Network for Zero-Shot Learning", NeurIPS 2020 (APN), released code.
    """
    return euclidean.safe_sqrt(jnp.sum(_group_squares(weights, groups, num_groups), axis=0))


def consistency_hinge(
    squared_distances: ArrayLike,
    is_match: ArrayLike,
    *,
    threshold: ArrayLike,
    margin: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Hinge on whether an image and an attribute vector belong together, by their squared distance.

    `loss = max(0, margin - z (threshold - d^2))`, z = 1 for a match, -1 otherwise

    Use when: training pairs say only whether an image and a description agree, without class labels.

    The distance is learned, `d^2 = ||(a(x) - phi) W||^2`, and has to be bounded: normalise both sides. `W = 0` is a
    stationary point, so start from the identity.

    Args:
      squared_distances: `[...]`, at least 0.
      is_match: `[...]` bool.
      threshold: scalar, the squared distance that separates matches from the rest.
      margin: scalar >= 0.
      where: bool, broadcastable to `[...]`: the pairs that count.

    Returns:
      `[...]` losses, float32; 0 where masked.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(consistency_hinge(jnp.array([0.5, 0.5]), jnp.array([True, False]), threshold=1.0))
    [0.5 1.5]

    Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
    Classification", ECCV 2016.
    """
    arguments.check_same_shape(jnp.ndim(squared_distances), squared_distances=squared_distances, is_match=is_match)
    inside = arguments.as_float(threshold) - arguments.as_float(squared_distances)
    violation = arguments.as_float(margin) - jnp.where(arguments.as_bool(is_match=is_match), inside, -inside)
    return jnp.maximum(jnp.where(arguments.mask_like(where, violation.shape), violation, 0.0), 0.0)


def matrix_subspace_projection(
    embeddings: ArrayLike, attributes: ArrayLike, projection: ArrayLike, *, where: ArrayLike | None = None
) -> jax.Array:
    """Squared errors of reading the attributes off an embedding and of writing them back into it.

    `loss_b = ||z_b M^T - y_b||^2 + ||y_b M - z_b||^2`

    Use when: attributes should live in a subspace of the embedding from which they can be swapped.

    It drives the rows of M towards orthonormal ones; `z + (y_new - z M^T) M` then changes the attributes of z alone.

    Args:
      embeddings: `[B, D]`.
      attributes: `[B, A]`, such as -1 and 1.
      projection: `[A, D]`.
      where: `[B]` bool, the examples that count.

    Returns:
      `[B]` losses, float32; 0 where masked.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(matrix_subspace_projection(jnp.array([[1.0, 2.0]]), jnp.array([[1.0]]), jnp.array([[1.0, 0.0]])))
    [4.]

    Reference: Li et al., "Latent Space Factorisation and Manipulation via Matrix Subspace Projection", ICML 2020.
    """
    z_shape, y_shape, m_shape = map(jnp.shape, (embeddings, attributes, projection))
    if len(z_shape) != 2 or len(y_shape) != 2 or z_shape[0] != y_shape[0] or m_shape != (y_shape[1], z_shape[1]):
        raise ValueError(
            "embeddings must be [B, D], attributes [B, A] and projection [A, D], "
            f"not {z_shape}, {y_shape} and {m_shape}"
        )
    mask = arguments.mask_like(where, z_shape[:1])[:, None]
    z = jnp.where(mask, arguments.as_float(embeddings), 0.0)
    y = jnp.where(mask, arguments.as_float(attributes), 0.0)
    m = arguments.as_float(projection)
    return jnp.sum((z @ m.T - y) ** 2, axis=1) + jnp.sum((y @ m - z) ** 2, axis=1)


def _group_squares(weights: ArrayLike, groups: ArrayLike, num_groups: int) -> jax.Array:
    """`[F, G]` sums of squares over the attributes of a group."""
    if jnp.ndim(weights) != 2 or np.shape(groups) != jnp.shape(weights)[1:]:
        raise ValueError(f"weights must be [F, A] and groups [A], not {jnp.shape(weights)} and {np.shape(groups)}")
    groups = arguments.class_labels(groups, num_groups, name="groups")
    member = groups[:, None] == jnp.arange(num_groups)[None, :]
    squares = arguments.as_float(weights) ** 2
    return squares @ member.astype(squares.dtype)
