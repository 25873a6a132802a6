"""Losses that tie scores and features to what the class descriptions say of one another.

    delta[c, j] = similarity of the descriptions of classes c and j

A relation between classes is a number that the embedding should keep (`semantic_relation`), stay near
(`semantic_regularized_similarity`), or use to leave some probability to the classes that have no images
(`self_calibration`, for images without a label `quasi_fully_supervised`). All of these but the first may look at the
descriptions of unseen classes in training: say so where results are reported.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity
from zsl_jax.losses import _pairwise, margin_softmax

__all__: Sequence[str] = (
    "batch_self_calibration",
    "quasi_fully_supervised",
    "self_calibration",
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


def self_calibration(
    scores: ArrayLike, is_seen: ArrayLike, *, bias: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Negative log-probability that the class is an unseen one, for images that are all of seen classes.

    `loss = -log sum_{u unseen} softmax(s + bias (1 if unseen else -1))_u`

    Use when: training on seen images drives the probability of all unseen classes to zero (class-transductive).

    Args:
      scores: `[B, C]` logits over seen and unseen classes.
      is_seen: `[C]` bool.
      bias: scalar, added to the unseen and subtracted from the seen logits.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An image without an unseen candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(self_calibration(jnp.zeros((1, 4)), jnp.array([True, True, True, False]), bias=0.0))
    [1.3862944]

    Reference: Huynh, Elhamifar, "Fine-Grained Generalized Zero-Shot Learning via Dense Attribute-Based Attention",
    CVPR 2020 (DAZLE).
    """
    return -_log_unseen(scores, is_seen, bias, where)[0]


def quasi_fully_supervised(
    scores: ArrayLike,
    labels: ArrayLike,
    is_seen: ArrayLike,
    *,
    unlabelled_weight: ArrayLike = 1.0,
    scale: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Negative log-probability of the class, or of all unseen classes together where an image has no label.

    `loss = -log p_y if y is known else -unlabelled_weight log sum_{u unseen} p_u,   p = softmax(scale * s)`

    Use when: test images are there without labels, most of them of unseen classes (instance-transductive).

    An unlabelled image of a seen class is drawn to the unseen classes as well, and only the labelled images of its
    class hold against that.

    Args:
      scores: `[B, C]` over seen and unseen classes.
      labels: `[B]` int; a label that is not in `[0, C)`, such as -1, is no label.
      is_seen: `[C]` bool.
      unlabelled_weight: scalar >= 0, of the images without a label.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An image whose class is no candidate, or one
        without a label that has no unseen candidate, gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> is_seen = jnp.array([True, True, True, False])
    >>> print(quasi_fully_supervised(jnp.zeros((2, 4)), jnp.array([2, -1]), is_seen, unlabelled_weight=0.5))
    [1.3862944 0.6931472]

    Reference: Song, Shen, Yang, Liu, Song, "Transductive Unbiased Embedding for Zero-Shot Learning", CVPR 2018 (QFSL).
    """
    own = margin_softmax.softmax_cross_entropy(scores, labels, scale=scale, where=where)
    log_unseen = _log_unseen(arguments.as_float(scores) * arguments.as_float(scale), is_seen, 0.0, where)[0]
    is_labelled = arguments.class_labels(labels, jnp.shape(scores)[1]) >= 0
    return jnp.where(is_labelled, own, -arguments.as_float(unlabelled_weight) * log_unseen)


def batch_self_calibration(
    scores: ArrayLike,
    is_seen: ArrayLike,
    *,
    bias: ArrayLike = 1.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Self-calibration with the logarithm outside the mean over the batch, as released codes have it.

    `loss = -log mean_b sum_{u unseen} softmax(s_b + bias (1 if unseen else -1))_u`

    Use when: a batch as a whole should leave the unseen classes some probability, but not every image of it.

    It is at most the mean of `self_calibration`, and one image of high unseen probability satisfies it.

    Args:
      scores: `[B, C]` logits over seen and unseen classes.
      is_seen: `[C]` bool.
      bias: scalar, added to the unseen and subtracted from the seen logits.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An image without an unseen candidate is left out.
      axis_name: mapped axis over which the batch is divided.

    Returns:
      A float32 scalar; 0 if no image is left.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(batch_self_calibration(jnp.zeros((3, 4)), jnp.array([True, True, True, False]), bias=0.0))
    1.3862944

    Reference: Chen et al., "TransZero", AAAI 2022; Chen, Huang, Chen, Geng, Zhang, Fang, Pan, Chen, "DUET", AAAI 2023,
    released codes.
    """
    log_unseen, counts = _pairwise.gather(_log_unseen(scores, is_seen, bias, where), axis_name)
    number = jnp.sum(counts)
    # With no image left the log-sum would be over nothing; all of them stand in for it and the result is dropped.
    total = jax.nn.logsumexp(jnp.where(counts | (number == 0), log_unseen, -jnp.inf))
    return jnp.where(number > 0, jnp.log(jnp.maximum(number, 1).astype(total.dtype)) - total, 0.0)


def _log_unseen(
    scores: ArrayLike, is_seen: ArrayLike, bias: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    """`[B]` log-probability of the unseen candidates, 0 without one, and which rows have one."""
    scores_shape, seen_shape = jnp.shape(scores), jnp.shape(is_seen)
    if len(scores_shape) != 2 or seen_shape != scores_shape[1:]:
        raise ValueError(f"scores must be [B, C] and is_seen [C], not {scores_shape} and {seen_shape}")
    seen = jnp.asarray(is_seen, bool)[None, :]
    candidate = arguments.mask_like(where, scores_shape)
    counts = jnp.any(candidate & ~seen, axis=1)
    bias = arguments.as_float(bias)
    logits = jnp.where(candidate, arguments.as_float(scores), 0.0) + jnp.where(seen, -bias, bias)
    # Rows that do not count sum over everything, so that nothing in them is infinite.
    idle = ~counts[:, None]
    every = jax.nn.logsumexp(jnp.where(candidate | idle, logits, -jnp.inf), axis=1)
    unseen = jax.nn.logsumexp(jnp.where((candidate & ~seen) | idle, logits, -jnp.inf), axis=1)
    return jnp.where(counts, unseen - every, 0.0), counts


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
