"""Losses on the similarities of an anchor to its positives and negatives, each pair weighted by how wrong it is.

The similarities and which of them are positive are given; for the examples of a batch::

    similarities = similarity.cosine(embeddings, embeddings)
    is_positive = labels[:, None] == labels[None, :]
    where = ~jnp.eye(len(labels), dtype=bool)
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _class_scores

__all__: Sequence[str] = ("circle", "class_circle", "multi_similarity")


def circle(
    similarities: ArrayLike,
    is_positive: ArrayLike,
    *,
    margin: ArrayLike = 0.25,
    scale: ArrayLike = 80.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Softplus of the similarities to negatives against those to positives, each weighted by how wrong it is.

    With the weights `a_p = max(0, 1 + m - s_p)` and `a_n = max(0, s_n + m)`, constant to the gradient::

        loss = log(1 + sum_n exp(scale * a_n * (s_n - m)) * sum_p exp(-scale * a_p * (s_p - 1 + m)))

    Use when: pairs differ much in difficulty, and each should pull as hard as it is wrong; for class embeddings see
    `class_circle`.

    Args:
      similarities: `[B, M]` in [-1, 1], of each anchor to M others.
      is_positive: `[B, M]` bool, which of them should be similar; the rest are negatives.
      margin: scalar in [0, 1], m.
      scale: scalar > 0 (256 for faces, 128 for re-identification, 80 for fine-grained retrieval in the paper).
      where: bool, broadcastable to `[B, M]`: the pairs that count.

    Returns:
      `[B]` losses, float32; 0 for an anchor without a positive or without a negative.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(circle(jnp.array([[1.25, -0.25, -0.25]]), jnp.array([[True, False, False]])))
    [1.0986123]

    Reference: Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, "Circle Loss: A Unified Perspective of Pair Similarity
    Optimization", CVPR 2020.
    """
    similarities, positive, negative = _pairs(similarities, is_positive, where)
    return _circle(similarities, positive, negative, margin, scale)


def class_circle(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 0.25,
    scale: ArrayLike = 256.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Circle loss against class embeddings: the true class is the one positive, the other classes are the negatives.

    With the weights `a_y = max(0, 1 + m - s_y)` and `a_c = max(0, s_c + m)`, constant to the gradient::

        loss = log(1 + sum_{c != y} exp(scale * a_c * (s_c - m)) * exp(-scale * a_y * (s_y - 1 + m)))

    Use when: images are compared with class embeddings by cosine; the margin adapts to how wrong a class is, unlike
    that of `cosface`.

    Args:
      scores: `[B, C]` cosines of each image with each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar in [0, 1], m.
      scale: scalar > 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(class_circle(jnp.array([[1.25, -0.25, -0.25]]), jnp.array([0])))
    [1.0986123]

    Reference: Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, "Circle Loss: A Unified Perspective of Pair Similarity
    Optimization", CVPR 2020.
    """
    scores, is_label, is_candidate = _class_scores.candidates(scores, labels, where)
    return _circle(scores, is_label, is_candidate & ~is_label, margin, scale)


def multi_similarity(
    similarities: ArrayLike,
    is_positive: ArrayLike,
    *,
    positive_scale: ArrayLike = 2.0,
    negative_scale: ArrayLike = 50.0,
    base: ArrayLike = 0.5,
    epsilon: ArrayLike = 0.1,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Soft counts of the positives that are too far and of the negatives that are too near, after mining.

    With the scales `a` of the positives and `b` of the negatives::

        loss = log(1 + sum_p exp(-a * (s_p - base))) / a + log(1 + sum_n exp(b * (s_n - base))) / b

    The sums run over the positives with `s_p < max_n s_n + epsilon` and the negatives with `s_n > min_p s_p - epsilon`.

    Use when: a batch holds many positives and negatives of each anchor, and only informative ones should count.

    Args:
      similarities: `[B, M]` in [-1, 1], of each anchor to M others.
      is_positive: `[B, M]` bool, which of them should be similar; the rest are negatives.
      positive_scale: scalar > 0, a.
      negative_scale: scalar > 0, b.
      base: scalar, the similarity around which both turn.
      epsilon: scalar, slack of the mining; infinity keeps every pair.
      where: bool, broadcastable to `[B, M]`: the pairs that count.

    Returns:
      `[B]` losses, float32; 0 for an anchor without a positive or without a negative.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> similarities, is_positive = jnp.array([[0.5, 0.5]]), jnp.array([[True, False]])
    >>> print(multi_similarity(similarities, is_positive, positive_scale=1.0, negative_scale=1.0))
    [1.3862944]

    Reference: Wang, Han, Huang, Dong, Scott, "Multi-Similarity Loss with General Pair Weighting for Deep Metric
    Learning", CVPR 2019.
    """
    similarities, positive, negative = _pairs(similarities, is_positive, where)
    has_both = jnp.any(positive, axis=1, keepdims=True) & jnp.any(negative, axis=1, keepdims=True)
    weakest = jnp.min(jnp.where(positive, similarities, jnp.inf), axis=1, keepdims=True)
    strongest = jnp.max(jnp.where(negative, similarities, -jnp.inf), axis=1, keepdims=True)
    epsilon, base = arguments.as_scalar(epsilon=epsilon), arguments.as_scalar(base=base)
    positive &= has_both & ~(similarities >= strongest + epsilon)
    negative &= has_both & ~(similarities <= weakest - epsilon)

    def soft_count(pairs, scale):
        return _softplus(_logsumexp(scale * (similarities - base), pairs)) / jnp.abs(scale)

    return soft_count(positive, -arguments.as_scalar(positive_scale=positive_scale)) + soft_count(
        negative, arguments.as_scalar(negative_scale=negative_scale)
    )


def _pairs(
    similarities: ArrayLike, is_positive: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Similarities in float32 (0 where masked), and which are of a positive and which of a negative, `[B, M]` each."""
    arguments.check_same_shape(2, similarities=similarities, is_positive=is_positive)
    similarities, is_positive = arguments.as_float(similarities), arguments.as_bool(is_positive=is_positive)
    is_pair = arguments.mask_like(where, similarities.shape) & (is_positive | (similarities != -jnp.inf))
    return jnp.where(is_pair, similarities, 0.0), is_pair & is_positive, is_pair & ~is_positive


def _circle(
    similarities: jax.Array, positive: jax.Array, negative: jax.Array, margin: ArrayLike, scale: ArrayLike
) -> jax.Array:
    margin, scale = arguments.as_scalar(margin=margin), arguments.as_scalar(scale=scale)
    fixed = jax.lax.stop_gradient(similarities)
    to_positive = jax.nn.relu(1.0 + margin - fixed) * (1.0 - margin - similarities)
    to_negative = jax.nn.relu(fixed + margin) * (similarities - margin)
    return _softplus(_logsumexp(scale * to_positive, positive) + _logsumexp(scale * to_negative, negative))


def _logsumexp(logits: jax.Array, where: jax.Array) -> jax.Array:
    """log-sum-exp over the last axis where the mask is True; -inf, with gradient 0, for a row where it never is."""
    any_left = jnp.any(where, axis=-1)
    logits = jnp.where(where | ~any_left[..., None], logits, -jnp.inf)
    return jnp.where(any_left, jax.nn.logsumexp(logits, axis=-1), -jnp.inf)


def _softplus(x: jax.Array) -> jax.Array:
    """`log(1 + exp(x))`; 0, with gradient 0, at -inf."""
    is_finite = x != -jnp.inf
    return jnp.where(is_finite, jax.nn.softplus(jnp.where(is_finite, x, 0.0)), 0.0)
