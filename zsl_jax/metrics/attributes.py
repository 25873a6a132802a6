"""How well attributes are recognised: each is a yes-or-no question, and its label may be unknown.

An unknown label (`known` False) counts neither as right nor as wrong. `binary_counts` gives the numbers before the
division: add them over batches or devices, then `recall`, `f1` or `balanced_accuracy`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import ranking

__all__: Sequence[str] = (
    "BinaryCounts",
    "average_precision",
    "balanced_accuracy",
    "binary_counts",
    "f1",
    "mean_average_precision",
    "recall",
    "recall_at_k",
)


class BinaryCounts(NamedTuple):
    """Known labels of each attribute by outcome, `[A]` int32 each; add them over batches and devices."""

    true_positive: jax.Array
    false_positive: jax.Array
    false_negative: jax.Array
    true_negative: jax.Array


def average_precision(scores: ArrayLike, labels: ArrayLike, *, known: ArrayLike | None = None) -> jax.Array:
    """Average precision of every attribute over the examples whose label is known.

    `AP_a = (1 / |P_a|) sum_{i in P_a} #{j in P_a: s_ja >= s_ia} / #{j known: s_ja >= s_ia}`, P_a the positives

    Examples of equal score are one threshold, so their order does not matter.

    Args:
      scores: `[N, A]`.
      labels: `[N, A]` bool or 0/1.
      known: bool, broadcastable to `[N, A]`: the labels that count.

    Returns:
      `[A]` float32; 0 for an attribute without a known positive, NaN where a score of a known label is NaN.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([[0.9], [0.8], [0.7], [0.6]]), jnp.array([[1], [0], [1], [0]])
    >>> print(average_precision(scores, labels))
    [0.8333334]
    >>> print(average_precision(scores, labels, known=jnp.array([[True], [False], [True], [True]])))
    [1.]
    """
    scores, positive, known = _binary(scores, labels, known)
    # One sort carries both labels; along the last axis it is the fastest.
    key = jnp.where(known, -scores, jnp.inf).T
    label = (known.astype(jnp.int32) + positive.astype(jnp.int32)).T
    key, label = jax.lax.sort((key, label), dimension=1, num_keys=1, is_stable=False)
    places = jnp.broadcast_to(jnp.arange(key.shape[1])[None, :], key.shape)
    is_last = jnp.concatenate([key[:, 1:] != key[:, :-1], jnp.ones((len(key), 1), bool)], axis=1)
    last = jax.lax.cummin(jnp.where(is_last, places, key.shape[1] - 1), axis=1, reverse=True)
    above = jnp.take_along_axis(jnp.cumsum(label > 0, axis=1), last, axis=1)
    right = jnp.take_along_axis(jnp.cumsum(label == 2, axis=1), last, axis=1)
    precision = jnp.where(label == 2, right.astype(jnp.float32) / jnp.maximum(above, 1).astype(jnp.float32), 0.0)
    average = jnp.sum(precision, axis=1) / arguments.count(positive, 0)
    return jnp.where(jnp.any(known & jnp.isnan(scores), axis=0), jnp.nan, average)


def mean_average_precision(scores: ArrayLike, labels: ArrayLike, *, known: ArrayLike | None = None) -> jax.Array:
    """Mean of `average_precision` over the attributes with a known positive.

    Args:
      scores: `[N, A]`.
      labels: `[N, A]` bool or 0/1.
      known: bool, broadcastable to `[N, A]`: the labels that count.

    Returns:
      A float32 scalar; 0 if no attribute has a known positive.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(mean_average_precision(jnp.array([[0.9, 0.1], [0.8, 0.2]]), jnp.array([[0, 0], [1, 0]])))
    0.5
    """
    _, positive, _ = _binary(scores, labels, known)
    present = jnp.any(positive, axis=0)
    precision = average_precision(scores, labels, known=known)
    return jnp.sum(jnp.where(present | jnp.isnan(precision), precision, 0.0)) / arguments.count(present)


def binary_counts(predictions: ArrayLike, labels: ArrayLike, *, known: ArrayLike | None = None) -> BinaryCounts:
    """Outcomes of yes-or-no predictions, counted for every attribute over the known labels.

    Args:
      predictions: `[N, A]` bool, such as `scores > 0` or `top_k(scores, k=15)`.
      labels: `[N, A]` bool or 0/1.
      known: bool, broadcastable to `[N, A]`: the labels that count.

    Returns:
      `BinaryCounts` of `[A]` int32; `recall`, `f1` and `balanced_accuracy` take them.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> counts = binary_counts(jnp.array([[True], [True], [False]]), jnp.array([[1], [0], [1]]))
    >>> print(counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
    [1] [1] [1] [0]
    """
    arguments.check_same_shape(2, predictions=predictions, labels=labels)
    predicted, positive = arguments.as_bool(predictions=predictions), arguments.as_bool(labels=labels)
    known = arguments.mask_like(known, positive.shape)
    outcomes = (predicted & positive, predicted & ~positive, ~predicted & positive, ~predicted & ~positive)
    return BinaryCounts(*(jnp.sum(outcome & known, axis=0) for outcome in outcomes))


def recall(counts: BinaryCounts) -> jax.Array:
    """Share of an attribute's positives that are predicted: `TP / (TP + FN)`, 0 without positives.

    Args:
      counts: of `binary_counts`.

    Returns:
      `[A]` float32.

    >>> import jax.numpy as jnp
    >>> print(recall(BinaryCounts(*jnp.array([[3], [0], [1], [0]]))))
    [0.75]
    """
    return _ratio(counts.true_positive, counts.true_positive + counts.false_negative)


def f1(counts: BinaryCounts) -> jax.Array:
    """Harmonic mean of precision and recall: `2 TP / (2 TP + FP + FN)`, 0 without positives and predictions.

    Args:
      counts: of `binary_counts`.

    Returns:
      `[A]` float32.

    >>> import jax.numpy as jnp
    >>> print(f1(BinaryCounts(*jnp.array([[3], [1], [1], [0]]))))
    [0.75]
    """
    twice = 2 * counts.true_positive
    return _ratio(twice, twice + counts.false_positive + counts.false_negative)


def balanced_accuracy(counts: BinaryCounts) -> jax.Array:
    """Mean of the accuracy on an attribute's positives and on its negatives: `(TP / (TP + FN) + TN / (TN + FP)) / 2`.

    A constant prediction gets 0.5, however rare the attribute is. A side without examples counts 0.

    Args:
      counts: of `binary_counts`.

    Returns:
      `[A]` float32.

    >>> import jax.numpy as jnp
    >>> print(balanced_accuracy(BinaryCounts(*jnp.array([[0], [0], [1], [99]]))))
    [0.5]
    """
    negatives = counts.true_negative + counts.false_positive
    return (recall(counts) + _ratio(counts.true_negative, negatives)) / 2


def recall_at_k(scores: ArrayLike, labels: ArrayLike, *, k: ArrayLike, known: ArrayLike | None = None) -> jax.Array:
    """Share of every attribute's known positives that are among the k best attributes of their example.

    `R_a = #{i in P_a: a among the k best of s_i} / |P_a|`, P_a the known positives

    All attributes compete for the k places, those of unknown label too. The mean over attributes is VAW's mR@15.

    Args:
      scores: `[N, A]`.
      labels: `[N, A]` bool or 0/1.
      k: at least 1; may be traced.
      known: bool, broadcastable to `[N, A]`: the labels that count.

    Returns:
      `[A]` float32; 0 for an attribute without a known positive.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(recall_at_k(jnp.array([[0.9, 0.1], [0.2, 0.8]]), jnp.array([[1, 1], [0, 1]]), k=1))
    [1.  0.5]
    """
    return recall(binary_counts(ranking.top_k(scores, k=k), labels, known=known))


def _binary(scores: ArrayLike, labels: ArrayLike, known: ArrayLike | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Float scores, known positives, known labels; `[N, A]` each."""
    arguments.check_same_shape(2, scores=scores, labels=labels)
    known = arguments.mask_like(known, jnp.shape(scores))
    return arguments.as_float(scores), arguments.as_bool(labels=labels) & known, known


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    return arguments.as_float(part) / arguments.as_float(jnp.maximum(whole, 1))
