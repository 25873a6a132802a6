"""Ranking losses over class scores: the class of an example should score a margin above every other class.

    violation[b, c] = margin + scores[b, c] - scores[b, labels[b]]      for c != labels[b]

`rank_hinge` sums the positive violations, `structured_hinge` takes the largest, `warp` weighs their mean by the rank,
and the sampled forms look at one violating class per example.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _class_scores

__all__: Sequence[str] = ("rank_hinge", "sampled_rank_hinge", "sampled_warp", "structured_hinge", "warp")


def warp(scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None) -> jax.Array:
    """Weighted approximate-rank pairwise loss with exact ranks.

    With `v_c = margin + s_c - s_y` for the other classes and `R` the number of them with `v_c > 0`::

        loss = (1 + 1/2 + ... + 1/R) / R * sum_c max(v_c, 0)         (0 where R = 0)

    The weight is a constant to the gradient. The harmonic sum makes an example that is far down the ranking count more,
    but less than in proportion to its rank. The margin is in units of the scores, so their scale matters.

    Use when: the classes at the top of the ranking matter most and there are many of them (ALE).

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
    violation, is_violated, _ = _class_scores.violations(scores, labels, margin, where)
    rank = jnp.sum(is_violated, axis=1)
    weight = _harmonic(rank, scores) / jnp.maximum(rank, 1).astype(jnp.float32)
    return jax.lax.stop_gradient(weight) * jnp.sum(jnp.where(is_violated, violation, 0.0), axis=1)


def rank_hinge(
    scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Sum of the hinges of all other classes.

    `loss = sum_{c != y} max(0, margin + s_c - s_y)`

    Use when: every violating class should count, in proportion to its number (DeViSE); with many classes see `warp`.

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
    violation, is_violated, _ = _class_scores.violations(scores, labels, margin, where)
    return jnp.sum(jnp.where(is_violated, violation, 0.0), axis=1)


def structured_hinge(
    scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Hinge of the most violating class (structured SVM, Crammer-Singer).

    `loss = max(0, max_{c != y} margin + s_c - s_y)`; classes that tie for the maximum share its gradient.

    Use when: the best wrong class alone should count, so that easy classes cost nothing (SJE).

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
    violation, is_violated, _ = _class_scores.violations(scores, labels, margin, where)
    return jnp.max(jnp.where(is_violated, violation, 0.0), axis=1, initial=0.0)


def sampled_warp(
    key: jax.Array, scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Weighted approximate-rank pairwise loss with the rank estimated from a search for one violating class.

    The other classes (n of them) are tried in random order until one, c, violates the margin, at trial t::

        loss = (1 + 1/2 + ... + 1/floor(n / t)) * (margin + s_c - s_y)         (0 where none violates)

    The weight is a constant to the gradient. The classes are tried without replacement.

    Use when: the published stochastic form of WARP is wanted; `warp` has the exact rank and less variance.

    Args:
      key: PRNG key.
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax, jax.numpy as jnp
    >>> print(sampled_warp(jax.random.key(0), jnp.array([[1.0, 1.0], [3.0, 1.0]]), jnp.array([0, 0])))
    [1. 0.]

    Reference: Weston, Bengio, Usunier, "WSABIE: Scaling Up To Large Vocabulary Image Annotation", IJCAI 2011.
    """
    violation, trial, others = _first_violation(key, scores, labels, margin, where)
    return jax.lax.stop_gradient(_harmonic(others // trial, scores)) * violation


def sampled_rank_hinge(
    key: jax.Array, scores: ArrayLike, labels: ArrayLike, *, margin: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Hinge of the first violating class that is met when the classes are tried in random order.

    `loss = margin + s_c - s_y` for one class c drawn from those that violate the margin, 0 where none does.

    Use when: DeViSE should be trained as published, which stops at the first violation; `rank_hinge` sums all of them.

    Args:
      key: PRNG key.
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0 (DeViSE: 0.1 on unit vectors).
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax, jax.numpy as jnp
    >>> print(sampled_rank_hinge(jax.random.key(0), jnp.array([[2.0, 1.5, -3.0]]), jnp.array([0])))
    [0.5]

    Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
    NeurIPS 2013.
    """
    return _first_violation(key, scores, labels, margin, where)[0]


def _first_violation(
    key: jax.Array, scores: ArrayLike, labels: ArrayLike, margin: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`[B]`: the violation met first in a random order of the other classes, its place from 1, and their number."""
    violation, is_violated, is_other = _class_scores.violations(scores, labels, margin, where)
    draw = jax.random.uniform(key, violation.shape)
    first = jnp.argmin(jnp.where(is_violated, draw, jnp.inf), axis=1, keepdims=True)
    is_before = is_other & (draw <= jnp.take_along_axis(draw, first, axis=1))
    found = jnp.where(jnp.any(is_violated, axis=1), jnp.take_along_axis(violation, first, axis=1)[:, 0], 0.0)
    found = jnp.where(jnp.any(is_other & jnp.isnan(violation), axis=1), jnp.nan, found)
    return found, jnp.maximum(jnp.sum(is_before, axis=1), 1), jnp.sum(is_other, axis=1)


def _harmonic(n: jax.Array, scores: ArrayLike) -> jax.Array:
    """`1 + 1/2 + ... + 1/n` for integers `n` up to the number of classes of the scores."""
    table = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, jnp.shape(scores)[1] + 1))])
    return arguments.as_float(table)[n]
