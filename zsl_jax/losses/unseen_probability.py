"""Losses that leave some probability to the classes that have no images.

    P_b = sum_{u unseen} softmax(s_b)_u

It is that of one image (`self_calibration`), of a batch (`batch_self_calibration`), or of an image without a label
(`quasi_fully_supervised`). All of them look at the descriptions of unseen classes in training: say so where results are
reported.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _pairwise, margin_softmax

__all__: Sequence[str] = ("batch_self_calibration", "quasi_fully_supervised", "self_calibration")


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
