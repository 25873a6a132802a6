"""Ranking losses for examples with several labels: every one that is there should score above every one that is not."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _sorted_pairs

__all__: Sequence[str] = ("lsep", "multi_tag_softmax", "multilabel_hinge")


def multilabel_hinge(
    scores: ArrayLike, targets: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Sum of the hinges of all pairs of a label that is there and one that is not.

    `loss = sum_{j: t_j = 1, k: t_k = 0} max(0, margin - s_j + s_k)`

    The time is that of a sort of the scores, not that of all pairs.

    Use when: the order of the attributes of an image matters, not their probabilities; for those see `multilabel_bce`.

    Args:
      scores: `[B, C]`.
      targets: `[B, C]` bool or 0/1, which labels are there.
      margin: scalar >= 0.
      where: bool, broadcastable to `[B, C]`: the labels that are known.

    Returns:
      `[B]` losses, float32; 0 where all known labels are there, or none.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(multilabel_hinge(jnp.array([[2.0, 0.5, 1.5]]), jnp.array([[1, 1, 0]])))
    [2.5]

    Reference: Zakizadeh, Sasdelli, Qian, Vazquez, "Improving the Annotation of DeepFashion Images for Fine-grained
    Attribute Recognition", 2018.
    """
    scores, is_there, is_absent = _labels(scores, targets, where)
    # A hinge is max(0, high - low) with low = score of the label that is there.
    return jax.vmap(_sorted_pairs.hinge_sum)(scores + arguments.as_scalar(margin=margin), scores, is_absent, is_there)


def lsep(scores: ArrayLike, targets: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Log-sum-exp of the differences of all pairs of a label that is there and one that is not.

    `loss = log(1 + sum_{j: t_j = 1, k: t_k = 0} exp(s_k - s_j))`

    Use when: as `multilabel_hinge`, without a margin to choose and with a gradient that is smooth.

    Args:
      scores: `[B, C]`.
      targets: `[B, C]` bool or 0/1, which labels are there.
      where: bool, broadcastable to `[B, C]`: the labels that are known.

    Returns:
      `[B]` losses, float32; 0 where all known labels are there, or none.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(lsep(jnp.zeros((1, 3)), jnp.array([[1, 1, 0]])))
    [1.0986123]

    Reference: Li, Song, Luo, "Improving Pairwise Ranking for Multi-label Image Classification", CVPR 2017.
    """
    scores, is_there, is_absent = _labels(scores, targets, where)
    has_both = jnp.any(is_there, axis=1) & jnp.any(is_absent, axis=1)

    def log_sum(values, mask):
        # A row without a pair sums over everything, so that nothing in it is infinite, and is dropped below.
        return jax.nn.logsumexp(jnp.where(mask | ~has_both[:, None], values, -jnp.inf), axis=1)

    return jnp.where(has_both, jax.nn.softplus(log_sum(scores, is_absent) + log_sum(-scores, is_there)), 0.0)


def multi_tag_softmax(
    predictions: ArrayLike, attributes: ArrayLike, *, scale: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Cross-entropy between the tags of an image, each with its share, and a softmax over all tags.

    `loss = -sum_a q_a log softmax(scale * s)_a`, q_a = max(phi_a, 0) / sum_b max(phi_b, 0)

    Use when: an image has some of many tags, and those it has should stand out among all of them, as the words of a
    caption do. Whether each tag is there asks `multilabel_bce`.

    Args:
      predictions: `[B, A]`, s.
      attributes: `[B, A]`, phi: 1 for a tag that is there, or its strength; at or below 0 none.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, A]`: the tags that are known.

    Returns:
      `[B]` losses, float32; 0 for an image without a tag.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(multi_tag_softmax(jnp.zeros((1, 4)), jnp.array([[1, 1, 0, 0]])))
    [1.3862944]

    Reference: Liu, Wu, Wang, Wang, Liu, Chen, Lan, Shen, "TagAlign: Improving Vision-Language Alignment with Multi-Tag
    Classification", 2023.
    """
    arguments.check_same_shape(2, predictions=predictions, attributes=attributes)
    known = arguments.mask_like(where, jnp.shape(predictions))
    logits = arguments.as_scalar(scale=scale) * jnp.where(known, arguments.as_float(predictions), 0.0)
    strength = jnp.where(known, arguments.as_float(attributes), 0.0)
    strength = jnp.where(strength <= 0, 0.0, strength)
    total = jnp.sum(strength, axis=1)
    has_tag = ~(total <= 0)
    log_sum = jax.nn.logsumexp(jnp.where(known, logits, -1e30), axis=1)
    mean = jnp.sum(strength * logits, axis=1) / jnp.where(has_tag, total, 1.0)
    return jnp.where(has_tag, log_sum - mean, 0.0)


def _labels(scores: ArrayLike, targets: ArrayLike, where: ArrayLike | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores in float32 (0 where unknown), and which labels are there and which are known not to be, `[B, C]` each."""
    arguments.check_same_shape(2, scores=scores, targets=targets)
    scores, targets = arguments.as_float(scores), arguments.as_float(targets)
    # A target of NaN is on both sides, with a score of NaN: it reaches the loss.
    is_there, is_absent = ~(targets <= 0), ~(targets > 0)
    is_known = arguments.mask_like(where, scores.shape) & (is_there | (scores != -jnp.inf))
    scores = jnp.where(jnp.isnan(targets), jnp.nan, scores)
    return jnp.where(is_known, scores, 0.0), is_known & is_there, is_known & is_absent
