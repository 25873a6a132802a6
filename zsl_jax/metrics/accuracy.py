"""Accuracy of class predictions: per class, per image, and within the best k.

    per class   mean over the classes of (right predictions of the class) / (examples of the class)
    micro       (right predictions) / (examples)

`per_class_counts` gives the numbers before the division: add them over batches or devices, then `mean_per_class`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import ranking

__all__: Sequence[str] = (
    "best_class",
    "harmonic_mean",
    "harmonic_of_means",
    "mean_of_harmonics",
    "mean_per_class",
    "micro_accuracy",
    "per_class_accuracy",
    "per_class_counts",
    "per_class_top_k_accuracy",
    "top_k_accuracy",
)


def best_class(scores: ArrayLike) -> jax.Array:
    """Class of the highest score, the lowest of equal ones: `argmax` in two passes that suit vector units.

    Args:
      scores: `[N, C]`.

    Returns:
      `[N]` int32 in [0, C); -1, which is never right, for a row that holds NaN.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(best_class(jnp.array([[1.0, 3.0, 3.0], [0.0, -1.0, -2.0]])))
    [1 0]
    """
    scores = jnp.asarray(scores)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f"scores must be [N, C] with at least one class, not {scores.shape}")
    highest = jnp.max(scores, axis=1, keepdims=True)
    classes = jnp.arange(scores.shape[1], dtype=jnp.int32)
    best = jnp.min(jnp.where(scores == highest, classes[None, :], scores.shape[1] - 1), axis=1)
    return jnp.where(jnp.isnan(highest[:, 0]), -1, best)


def per_class_accuracy(
    predictions: ArrayLike, labels: ArrayLike, *, num_classes: int, where: ArrayLike | None = None
) -> jax.Array:
    """Mean over the classes present of the share of their examples that are predicted right.

        (1 / |P|) sum_{c in P} #{i: y_i = c, yhat_i = c} / #{i: y_i = c},   P the classes with an example

    The metric of zero-shot learning. It differs from `micro_accuracy` if classes have different sizes.

    Args:
      predictions: `[N]` int, the predicted class.
      labels: `[N]` int, the true class; a label outside `[0, num_classes)` counts nowhere.
      num_classes: length of the class table, static.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar in [0, 1]; 0 if no example counts.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> labels = jnp.array([0, 0, 0, 1])
    >>> print(per_class_accuracy(jnp.array([0, 0, 0, 0]), labels, num_classes=2))
    0.5

    Reference: Xian, Lampert, Schiele, Akata, "Zero-Shot Learning: A Comprehensive Evaluation of the Good, the Bad and
    the Ugly", TPAMI, 2018.
    """
    return mean_per_class(*per_class_counts(predictions, labels, num_classes=num_classes, where=where))


def per_class_counts(
    predictions: ArrayLike, labels: ArrayLike, *, num_classes: int, where: ArrayLike | None = None
) -> tuple[jax.Array, jax.Array]:
    """Number of right predictions and number of examples of every class, to be added over batches and devices.

    Args:
      predictions: `[N]` int, the predicted class.
      labels: `[N]` int, the true class; a label outside `[0, num_classes)` counts nowhere.
      num_classes: length of the class table, static.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      `(correct [C], total [C])`, int32.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> correct, total = per_class_counts(jnp.array([0, 1, 1]), jnp.array([0, 0, 1]), num_classes=3)
    >>> print(correct, total)
    [1 1 0] [2 1 0]
    """
    return _class_counts(_hits(predictions, labels), labels, num_classes, where)


def mean_per_class(correct: ArrayLike, total: ArrayLike) -> jax.Array:
    """Mean over the classes present of `correct / total`: `per_class_accuracy` from counts.

    Args:
      correct: `[C]`, right predictions per class.
      total: `[C]`, examples per class; a class of 0 examples is left out.

    Returns:
      A float32 scalar in [0, 1]; 0 if every class is empty.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> print(mean_per_class(jnp.array([1, 3, 0]), jnp.array([2, 3, 0])))
    0.75
    """
    arguments.check_same_shape(1, correct=correct, total=total)
    correct, total = arguments.as_float(correct), jnp.asarray(total)
    # A mean over the present classes of exact ratios is exactly 1 where all of them are.
    is_present = ~(total <= 0)
    accuracy = jnp.where(is_present, correct / arguments.as_float(jnp.maximum(total, 1)), 0.0)
    return jnp.sum(accuracy) / arguments.count(is_present)


def micro_accuracy(predictions: ArrayLike, labels: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Share of the examples that are predicted right, whatever their class.

    Args:
      predictions: `[N]` int, the predicted class.
      labels: `[N]` int, the true class; a negative label counts nowhere.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar in [0, 1]; 0 if no example counts.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> print(micro_accuracy(jnp.array([0, 0, 0, 0]), jnp.array([0, 0, 0, 1])))
    0.75
    """
    labels = arguments.class_labels(labels)
    return _share(_hits(predictions, labels), labels >= 0, where)


def top_k_accuracy(scores: ArrayLike, labels: ArrayLike, *, k: ArrayLike, where: ArrayLike | None = None) -> jax.Array:
    """Share of the examples whose true class is among the k best (`hits_at_k`), whatever their class.

    Args:
      scores: `[N, C]`.
      labels: `[N]` int; a label outside `[0, C)` counts nowhere.
      k: at least 1; may be traced.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar in [0, 1]; 0 if no example counts.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> print(top_k_accuracy(jnp.array([[.1, .7, .2], [.5, .3, .2]]), jnp.array([2, 2]), k=2))
    0.5
    """
    labels = arguments.score_labels(scores, labels)
    return _share(ranking.hits_at_k(scores, labels, k=k), labels >= 0, where)


def per_class_top_k_accuracy(
    scores: ArrayLike, labels: ArrayLike, *, k: ArrayLike, num_classes: int, where: ArrayLike | None = None
) -> jax.Array:
    """Mean over the classes present of the share of their examples whose true class is among the k best.

    Args:
      scores: `[N, C]`.
      labels: `[N]` int; a label outside `[0, num_classes)` counts nowhere.
      k: at least 1; may be traced.
      num_classes: length of the class table, static.
      where: `[N]` bool, the examples that count; None for all.

    Returns:
      A float32 scalar in [0, 1]; 0 if no example counts.

    Raises:
      ValueError: shapes that do not match.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[.1, .7, .2], [.5, .3, .2], [.5, .3, .2]])
    >>> print(per_class_top_k_accuracy(scores, jnp.array([2, 1, 2]), k=2, num_classes=3))
    0.75
    """
    return mean_per_class(*_class_counts(ranking.hits_at_k(scores, labels, k=k), labels, num_classes, where))


def harmonic_mean(a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Harmonic mean, the single figure of generalised zero-shot learning.

        H = 2 a b / (a + b),   0 where a + b = 0

    Args:
      a, b: of one shape, or one of them a scalar; at least 0.

    Returns:
      Float32 of that shape.

    Raises:
      ValueError: shapes that do not match.

    >>> print(harmonic_mean(0.25, 0.75))
    0.375
    """
    a, b = jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)
    if a.ndim and b.ndim and a.shape != b.shape:
        raise ValueError(f"a and b must have the same shape, or one be a scalar, not {a.shape} and {b.shape}")
    total = a + b
    empty = total <= 0
    return jnp.where(empty, 0.0, 2 * a * b / jnp.where(empty, 1.0, total))


def harmonic_of_means(a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Harmonic mean of the two averages over datasets: the convention of most base-to-new tables.

    `H(mean_t a_t, mean_t b_t)`, which is at least `mean_of_harmonics(a, b)`. Say which of the two a table holds.

    Args:
      a, b: `[T]` accuracies on T datasets, such as on base and on new classes.

    Returns:
      A float32 scalar.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(harmonic_of_means(jnp.array([1.0, 0.5]), jnp.array([0.5, 1.0])))
    0.75
    """
    arguments.check_same_shape(1, a=a, b=b)
    return harmonic_mean(jnp.mean(arguments.as_float(a)), jnp.mean(arguments.as_float(b)))


def mean_of_harmonics(a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Average over datasets of each dataset's harmonic mean.

    `mean_t H(a_t, b_t)`, which is at most `harmonic_of_means(a, b)`. Say which of the two a table holds.

    Args:
      a, b: `[T]` accuracies on T datasets, such as on base and on new classes.

    Returns:
      A float32 scalar.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(mean_of_harmonics(jnp.array([1.0, 0.5]), jnp.array([0.5, 1.0])))
    0.6666667
    """
    arguments.check_same_shape(1, a=a, b=b)
    return jnp.mean(harmonic_mean(a, b))


def _hits(predictions: ArrayLike, labels: ArrayLike) -> jax.Array:
    predictions, labels = arguments.class_labels(predictions, name="predictions"), arguments.class_labels(labels)
    arguments.check_same_shape(1, predictions=predictions, labels=labels)
    return predictions == labels


def _class_counts(
    hits: jax.Array, labels: ArrayLike, num_classes: int, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    labels = arguments.class_labels(labels, num_classes)
    counts = arguments.mask_like(where, labels.shape) & (labels >= 0)
    # A negative index would wrap around; an index past the end is dropped.
    rows = jnp.where(counts, labels, num_classes)
    empty = jnp.zeros(num_classes, jnp.int32)
    return empty.at[rows].add(hits.astype(jnp.int32), mode="drop"), empty.at[rows].add(1, mode="drop")


def _share(hits: jax.Array, has_class: jax.Array, where: ArrayLike | None) -> jax.Array:
    counts = arguments.mask_like(where, hits.shape) & has_class
    return jnp.sum(hits & counts).astype(jnp.float32) / arguments.count(counts)
