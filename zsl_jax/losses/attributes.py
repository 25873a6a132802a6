"""Losses on predicted attributes: their values, or whether each is there.

A label may be unknown; `where` is False there, and what is not known contributes nothing, whatever it holds.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("attribute_regression", "federated_bce", "multilabel_bce")


def attribute_regression(
    predictions: ArrayLike, attributes: ArrayLike, *, weights: ArrayLike | None = None, where: ArrayLike | None = None
) -> jax.Array:
    """Weighted mean over the attributes of the squared error.

    `loss_b = sum_a w_a (a_ba - phi_ba)^2 / sum_a w_a`

    Use when: attribute values are predicted from an image, beside or before the class scores.

    Args:
      predictions: `[B, A]`.
      attributes: `[B, A]`, the row of the class table of each example.
      weights: `[A]`, at least 0; None for 1.
      where: bool, broadcastable to `[B, A]`: the attributes that count.

    Returns:
      `[B]` losses, float32; 0 for an example of which no attribute counts. A times it is the squared distance.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(attribute_regression(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]])))
    [2.5]
    >>> print(attribute_regression(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]), weights=jnp.array([3.0, 1.0])))
    [1.75]
    """
    arguments.check_same_shape(2, predictions=predictions, attributes=attributes)
    known = arguments.mask_like(where, jnp.shape(predictions))
    error = jnp.where(known, arguments.as_float(predictions) - arguments.as_float(attributes), 0.0)
    return _mean(error**2, jnp.where(known, _per_attribute(weights, predictions, "weights"), 0.0))


def multilabel_bce(
    logits: ArrayLike, labels: ArrayLike, *, positive_weight: ArrayLike | None = None, where: ArrayLike | None = None
) -> jax.Array:
    """Mean over the known attributes of an example of the binary cross-entropy.

    `loss_b = mean_{a known} -[v_a y_ba log sigmoid(s_ba) + (1 - y_ba) log sigmoid(-s_ba)]`

    Use when: every attribute is a yes-or-no question and most of them are labelled for every image.

    Args:
      logits: `[B, A]`.
      labels: `[B, A]` in [0, 1].
      positive_weight: `[A]`, at least 0: v, for rare attributes such as negatives / positives; None for 1.
      where: bool, broadcastable to `[B, A]`: the known labels.

    Returns:
      `[B]` losses, float32; 0 for an example without a known label.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(multilabel_bce(jnp.zeros((1, 3)), jnp.array([[1, 0, 1]])))
    [0.6931472]
    """
    losses, known = _bce(logits, labels, _per_attribute(positive_weight, logits, "positive_weight"), where)
    return _mean(losses, known.astype(losses.dtype))


def federated_bce(
    logits: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, where: ArrayLike | None = None
) -> jax.Array:
    """Weighted sum over the known attributes of an example of the binary cross-entropy.

    `loss_b = -sum_{a known} w_a [y_ba log sigmoid(s_ba) + (1 - y_ba) log sigmoid(-s_ba)]`

    Use when: data sets with different vocabularies are joined, so that each image has labels for few attributes.

    A sum and not a mean: every known label has the same weight, whether its image has few or many.
    Divide the sum over the batch by the number of known labels in it.

    Args:
      logits: `[B, A]`.
      labels: `[B, A]` in [0, 1].
      weights: `[A]`, at least 0, such as the inverse of the attribute's frequency; None for 1.
      where: bool, broadcastable to `[B, A]`: the known labels.

    Returns:
      `[B]` losses, float32; 0 for an example without a known label.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(federated_bce(jnp.zeros((1, 3)), jnp.array([[1, 0, 1]]), where=jnp.array([[True, False, True]])))
    [1.3862944]

    Reference: Chen, Jiang, Hu, Tang, Gao, Chen, Xie, "OvarNet: Towards Open-Vocabulary Object Attribute Recognition",
    CVPR 2023.
    """
    losses, known = _bce(logits, labels, 1.0, where)
    return jnp.sum(jnp.where(known, _per_attribute(weights, logits, "weights") * losses, 0.0), axis=1)


def _per_attribute(values: ArrayLike | None, like: ArrayLike, name: str) -> jax.Array:
    """`[1, A]`, or 1 for None."""
    if values is None:
        return jnp.ones((1, 1), jnp.float32)
    if jnp.shape(values) != jnp.shape(like)[1:]:
        raise ValueError(f"{name} must be [A] for [B, A] = {jnp.shape(like)}, not {jnp.shape(values)}")
    return arguments.as_float(values)[None, :]


def _mean(losses: jax.Array, weights: jax.Array) -> jax.Array:
    total = jnp.sum(weights, axis=1)
    return jnp.sum(weights * losses, axis=1) / jnp.where(total > 0, total, 1.0)


def _bce(
    logits: ArrayLike, labels: ArrayLike, positive_weight: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array]:
    """`[B, A]` binary cross-entropies, and which of them are of a known label."""
    arguments.check_same_shape(2, logits=logits, labels=labels)
    known = jnp.asarray(arguments.mask_like(where, jnp.shape(logits)))
    s = jnp.where(known, arguments.as_float(logits), 0.0)
    y = jnp.where(known, arguments.as_float(labels), 0.0)
    return -(jnp.asarray(positive_weight) * y * jax.nn.log_sigmoid(s) + (1 - y) * jax.nn.log_sigmoid(-s)), known
