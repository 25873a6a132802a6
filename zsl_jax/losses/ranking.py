"""Ranking losses over class scores: the class of an example should score a margin above every other class.

    violation[b, c] = margin + scores[b, c] - scores[b, labels[b]]      for c != labels[b]

`rank_hinge` sums the positive violations, `structured_hinge` takes the largest, `warp` weighs their mean by the rank,
and the sampled forms look at one violating class an example.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("rank_hinge", "softmax_cross_entropy", "structured_hinge", "warp")


def warp(scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None) -> jax.Array:
    """Weighted approximate-rank pairwise loss with exact ranks.

    With `v_c = margin + s_c - s_y` for the other classes and `R` the number of them with `v_c > 0`::

        loss = (1 + 1/2 + ... + 1/R) / R * sum_c max(v_c, 0)         (0 where R = 0)

    The weight is a constant to the gradient. The harmonic sum makes an example that is far down the ranking count more,
    but less than in proportion to its rank. The margin is in units of the scores, so their scale matters.

    Args:
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[2.0, 1.5, 1.0, -3.0], [1.0, 2.0, -1.0, 1.0]])
    >>> print(warp(scores, jnp.array([0, 0])))
    [0.5  2.25]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016 (ALE);
    Weston, Bengio, Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation", IJCAI 2011.
    """
    violations, is_violated, _ = _violations(scores, labels, margin, where)
    rank = jnp.sum(is_violated, axis=1)
    weight = _harmonic(rank, violations) / jnp.maximum(rank, 1)
    return jax.lax.stop_gradient(weight) * jnp.sum(jnp.where(is_violated, violations, 0.0), axis=1)


def rank_hinge(
    scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Sum of the hinges of all other classes.

    `loss = sum_{c != y} max(0, margin + s_c - s_y)`

    Args:
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0 (DeViSE: 0.1 on unit vectors).
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(rank_hinge(jnp.array([[2.0, 1.5, 2.5, -3.0]]), jnp.array([0])))
    [2.]

    Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
    NeurIPS 2013.
    """
    violations, is_violated, _ = _violations(scores, labels, margin, where)
    return jnp.sum(jnp.where(is_violated, violations, 0.0), axis=1)


def structured_hinge(
    scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Hinge of the most violating class (structured SVM, Crammer-Singer).

    `loss = max(0, max_{c != y} margin + s_c - s_y)`; classes that tie for the maximum share its gradient.

    Args:
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(structured_hinge(jnp.array([[2.0, 1.5, 2.5, -3.0]]), jnp.array([0])))
    [1.5]

    Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image
    Classification", CVPR 2015 (SJE).
    """
    violations, is_violated, _ = _violations(scores, labels, margin, where)
    return jnp.max(jnp.where(is_violated, violations, 0.0), axis=1, initial=0.0)


def softmax_cross_entropy(
    scores: ArrayLike, labels: ArrayLike, *, scale: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Negative log-probability of the class of each example under a softmax over the candidate classes.

    `loss = log sum_c exp(scale * s_c) - scale * s_y`

    Args:
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([2])))
    [1.3862944]
    """
    scores, is_label, is_candidate = _candidates(scores, labels, where)
    logits = arguments.as_float(scale) * scores
    has_class = jnp.any(is_label, axis=1)
    # A row without a class sums over everything, so that nothing in it is infinite; its value is dropped below.
    kept = is_candidate | ~has_class[:, None]
    own = jnp.sum(jnp.where(is_label, logits, 0.0), axis=1)
    loss = jax.nn.logsumexp(jnp.where(kept, logits, -jnp.inf), axis=1) - own
    return jnp.where(has_class, loss, 0.0)


def _candidates(
    scores: ArrayLike, labels: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores in float32 (0 where masked), and `[B, C]` masks: the class of each example, and the candidate classes."""
    arguments.check_labels(scores, labels)
    scores = arguments.as_float(scores)
    is_candidate = arguments.mask_like(where, scores.shape)
    is_label = (jnp.asarray(labels)[:, None] == jnp.arange(scores.shape[1])[None, :]) & is_candidate
    return jnp.where(is_candidate, scores, 0.0), is_label, is_candidate


def _violations(
    scores: ArrayLike, labels: ArrayLike, margin: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`[B, C]` violations `margin + s_c - s_y`, which of them are positive, and which classes they are asked of."""
    scores, is_label, is_candidate = _candidates(scores, labels, where)
    own = jnp.sum(jnp.where(is_label, scores, 0.0), axis=1, keepdims=True)
    violations = arguments.as_float(margin) + scores - own
    is_other = is_candidate & ~is_label & jnp.any(is_label, axis=1, keepdims=True)
    return violations, is_other & (violations > 0), is_other


def _harmonic(n: jax.Array, scores: jax.Array) -> jax.Array:
    """`1 + 1/2 + ... + 1/n` for integers `n` up to the number of classes of the scores, in their dtype."""
    table = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, scores.shape[1] + 1))])
    return jnp.asarray(table, scores.dtype)[n]
