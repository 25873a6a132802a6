"""Losses that tie scores and features to what the class descriptions say of one another.

    delta[c, j] = similarity of the descriptions of classes c and j

A relation between classes is a number that the embedding should keep (`semantic_relation`) or stay near
(`semantic_regularized_similarity`). The second may look at the descriptions of unseen classes in training: say so where
results are reported.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity
from zsl_jax.losses import _pairwise

__all__: Sequence[str] = (
    "semantic_regularized_similarity",
    "semantic_regularized_similarity_published",
    "semantic_relation",
)


def semantic_relation(
    similarities: ArrayLike, relations: ArrayLike, *, threshold: ArrayLike, where: ArrayLike | None = None
) -> jax.Array:
    """Hinge that keeps similar classes at least as similar as their descriptions, and dissimilar ones at most.

    `loss = max(0, delta - s) if delta >= threshold else max(0, s - delta)`

    Use when: class vectors are mapped into the visual space and should keep the neighbourhoods of the attributes.

    The target is the raw similarity of the descriptions, so centring the attributes first changes everything.

    Args:
      similarities: `[...]` s, of an embedded class i and an image (or embedded class) of class j, such as a cosine.
      relations: `[...]` delta, of the descriptions of i and j, in the same measure.
      threshold: scalar, from which on two classes count as similar.
      where: bool, broadcastable to `[...]`: the pairs that count.

    Returns:
      `[...]` losses, float32; 0 where masked.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(semantic_relation(jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25]), threshold=0.5))
    [0.25 0.25]

    Reference: Annadani, Biswas, "Preserving Semantic Relations for Zero-Shot Learning", CVPR 2018 (PSR).
    """
    arguments.check_same_shape(jnp.ndim(similarities), similarities=similarities, relations=relations)
    gap = arguments.as_float(relations) - arguments.as_float(similarities)
    mask = arguments.mask_like(where, gap.shape)
    signed = jnp.where(arguments.as_float(relations) >= arguments.as_float(threshold), gap, -gap)
    return jnp.maximum(jnp.where(mask, signed, 0.0), 0.0)


def semantic_regularized_similarity(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    similarities: ArrayLike,
    neighbors: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Squared distance of generated class means from a band around the similarities of the descriptions.

    `loss_c = mean_{j in neighbors(c)} [max(0, m_cj - delta_cj - upper)^2 + max(0, delta_cj - lower - m_cj)^2]`

    Use when: a generator makes features of classes without images and only the seen classes have real centroids.

    Here `m_cj` is the cosine of the mean of the generated features of class c and the real centroid of the seen class
    j. The gradient goes through the class means. The released code computes the loss outside the graph; see
    `semantic_regularized_similarity_published`.

    Args:
      features: `[B, F]` generated features.
      labels: `[B]` int, rows of `similarities`; a label not in `[0, C)` counts nowhere.
      centroids: `[S, F]` means of the real features of the seen classes.
      similarities: `[C, S]` delta, of the descriptions of every class to those of the seen ones.
      neighbors: `[C, K]` int, the seen classes most similar to each class, rows of `centroids`; -1 for none.
      lower: scalar >= 0, width of the band below delta.
      upper: scalar >= 0, width of the band above delta.
      where: `[B]` bool, the features that count.
      axis_name: mapped axis over which the batch is divided.

    Returns:
      `[C]` losses, float32; 0 for a class without features in the batch.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> features, centroids = jnp.array([[1.0, 0.0], [3.0, 0.0]]), jnp.eye(2)
    >>> similarities, neighbors = jnp.array([[0.5, 0.0], [0.0, 0.5]]), jnp.array([[0, 1], [0, 1]])
    >>> print(semantic_regularized_similarity(
    ...     features, jnp.array([0, 0]), centroids, similarities, neighbors, lower=0.0, upper=0.25))
    [0.03125 0.     ]

    Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
    Zero-Shot Learning", ECCV 2020 (LsrGAN).
    """
    arguments.check_embeddings(features, centroids, "features", "centroids")
    _check_relations(features, labels, centroids, similarities, neighbors)
    features, similarities = arguments.as_float(features), arguments.as_float(similarities)
    num_classes = len(similarities)
    neighbors = arguments.class_labels(neighbors, jnp.shape(centroids)[0], name="neighbors")
    labels = arguments.class_labels(labels, num_classes)
    mask = arguments.mask_like(where, labels.shape) & (labels >= 0)
    member = (labels[None, :] == jnp.arange(num_classes)[:, None]) & mask[None, :]
    count = jnp.sum(member, axis=1)
    # A mean and a sum have the same cosine; the sum of masked features is exactly zero.
    sums = member.astype(features.dtype) @ jnp.where(mask[:, None], features, 0.0)
    if axis_name is not None:
        count, sums = jax.lax.psum((count, sums), axis_name)
    cosines = similarity.cosine(sums, centroids)
    m, delta = (jnp.take_along_axis(x, jnp.maximum(neighbors, 0), axis=1) for x in (cosines, similarities))
    above = jnp.maximum(m - (delta + arguments.as_float(upper)), 0.0)
    below = jnp.maximum((delta - arguments.as_float(lower)) - m, 0.0)
    squares = jnp.where(neighbors >= 0, above**2 + below**2, 0.0)
    loss = jnp.mean(squares, axis=1) * (neighbors.shape[1] / arguments.count(neighbors >= 0, 1))
    loss = jnp.where(count > 0, loss, 0.0)
    # The same on all devices, but each holds it for itself, as with every loss over a divided batch.
    return loss if axis_name is None else _pairwise.vary_alike((loss, features))[0]


def semantic_regularized_similarity_published(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    similarities: ArrayLike,
    neighbors: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """The value of `semantic_regularized_similarity` with no gradient, as the released code of LsrGAN computes it.

    `loss_c = stop_gradient(semantic_regularized_similarity_c)`

    Use when: the published LsrGAN runs should be reproduced; a generator learns nothing from it.

    Args:
      features: `[B, F]` generated features.
      labels: `[B]` int, rows of `similarities`.
      centroids: `[S, F]` means of the real features of the seen classes.
      similarities: `[C, S]` of the descriptions of every class to those of the seen ones.
      neighbors: `[C, K]` int, the seen classes most similar to each class.
      lower: scalar >= 0, width of the band below the similarity.
      upper: scalar >= 0, width of the band above the similarity.
      where: `[B]` bool, the features that count.
      axis_name: mapped axis over which the batch is divided.

    Returns:
      `[C]` losses, float32, constant to every gradient.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax, jax.numpy as jnp
    >>> similarities, neighbors = jnp.array([[0.5, 0.0]]), jnp.array([[0, 1]])
    >>> def loss(features):
    ...     return semantic_regularized_similarity_published(
    ...         features, jnp.array([0]), jnp.eye(2), similarities, neighbors, lower=0.0, upper=0.25)
    >>> print(loss(jnp.array([[1.0, 0.0]])), jax.grad(lambda x: loss(x).sum())(jnp.array([[1.0, 0.0]])))
    [0.03125] [[0. 0.]]

    Reference: Vyas, Venkateswara, Panchanathan, "Leveraging Seen and Unseen Semantic Relationships for Generative
    Zero-Shot Learning", ECCV 2020 (LsrGAN), released code.
    """
    return jax.lax.stop_gradient(
        semantic_regularized_similarity(
            features,
            labels,
            centroids,
            similarities,
            neighbors,
            lower=lower,
            upper=upper,
            where=where,
            axis_name=axis_name,
        )
    )


def _check_relations(
    features: ArrayLike, labels: ArrayLike, centroids: ArrayLike, similarities: ArrayLike, neighbors: ArrayLike
) -> None:
    batch, seen = jnp.shape(features)[0], jnp.shape(centroids)[0]
    table, near = jnp.shape(similarities), jnp.shape(neighbors)
    if np.shape(labels) != (batch,):
        raise ValueError(f"labels must be [B] for features {jnp.shape(features)}, not {np.shape(labels)}")
    if len(table) != 2 or table[1] != seen or len(near) != 2 or near[0] != table[0]:
        raise ValueError(
            "similarities must be [C, S] and neighbors [C, K] with centroids [S, F], "
            f"not {table} and {near} with {jnp.shape(centroids)}"
        )
