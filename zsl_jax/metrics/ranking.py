"""How high the right class ranks among all classes.

rank_i = 1 + #{c: s_ic > s_iy} + #{c < y: s_ic = s_iy}          (of equal scores the lower index first, as argmax)
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("hits_at_k", "label_rank", "top_k")


def label_rank(scores: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Rank of the true class among all classes, 1 for the best; its reciprocal is what MRR averages.

    `rank_i = 1 + #{c: s_ic > s_iy} + #{c < y: s_ic = s_iy}`

    A score of NaN ranks above every other, so that a model that diverged is never right.

    Args:
      scores: `[N, C]`.
      labels: `[N]` int.

    Returns:
      `[N]` int32 in [1, C]; C + 1 where the score of the true class is NaN or the label is outside `[0, C)`.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(label_rank(jnp.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]), jnp.array([2, 0])))
    [2 1]
    """
    labels = arguments.score_labels(scores, labels)[:, None]
    scores, num_classes = arguments.as_float(scores), jnp.shape(scores)[1]
    own = jnp.take_along_axis(scores, jnp.maximum(labels, 0), axis=1)
    earlier = jnp.arange(num_classes)[None, :] < labels
    rank = 1 + jnp.sum(~(scores <= own) | ((scores == own) & earlier), axis=1)
    return jnp.where(labels[:, 0] >= 0, rank, num_classes + 1)


def hits_at_k(scores: ArrayLike, labels: ArrayLike, *, k: ArrayLike) -> jax.Array:
    """Whether the true class is among the k best: `rank_i <= k`.

    Args:
      scores: `[N, C]`.
      labels: `[N]` int; a label outside `[0, C)` is never among them.
      k: at least 1; may be traced. One beyond C is C.

    Returns:
      `[N]` bool. `top_k_accuracy` and `per_class_top_k_accuracy` average it.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(hits_at_k(jnp.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]), jnp.array([2, 2]), k=2))
    [ True False]
    """
    return label_rank(scores, labels) <= jnp.minimum(k, jnp.shape(scores)[1])


def top_k(scores: ArrayLike, *, k: ArrayLike) -> jax.Array:
    """The k best columns of every row as a mask; of equal scores the lower index first.

    Args:
      scores: `[N, A]`.
      k: at least 0; may be traced, but an int is faster. One beyond A is A.

    Returns:
      `[N, A]` bool, k True per row. A score of NaN takes one of the k places and is False.

    Raises:
      ValueError: not a matrix.

    >>> import jax.numpy as jnp
    >>> print(top_k(jnp.array([[0.1, 0.7, 0.7]]), k=1))
    [[False  True False]]
    """
    arguments.check_same_shape(2, scores=scores)
    scores = arguments.as_float(scores)
    is_nan = jnp.isnan(scores)
    scores = jnp.where(is_nan, jnp.inf, scores)
    if isinstance(k, int):
        k = min(k, scores.shape[1])
        # The minimum and not the last column: XLA would merge that slice with top_k's own and sort whole rows.
        worst = jnp.min(jax.lax.top_k(scores, max(k, 1))[0], axis=1, keepdims=True)
    else:
        k = jnp.minimum(k, scores.shape[1])
        worst = jnp.take(jnp.sort(scores, axis=1, descending=True), jnp.maximum(k, 1) - 1, axis=1)[:, None]
    is_above, is_equal = scores > worst, scores == worst
    places_left = k - jnp.sum(is_above, axis=1, keepdims=True)
    return (is_above | (is_equal & (jnp.cumsum(is_equal, axis=1) <= places_left))) & ~is_nan
