"""Contrastive losses that know how similar the examples' descriptions are, by a kernel between them.

    weights = (K + ridge * I)^{-1} K,      K_ij = k(attributes_i, attributes_j)

Column `i` of the weights says how much each example of the batch tells about an example described as `i` is (kernel
ridge regression). The caller makes the kernel, for instance from cosines of class attributes; no gradient reaches it.

The released code of Tsai et al. weighs pairs within a view beside those between the views, from both sides: `within`
says their scores. Without them all pairs are between an example and a description.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.scipy as jsp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch, _pairwise, redundancy

__all__: Sequence[str] = (
    "conditional_hard_negatives",
    "conditional_positives",
    "decoupled_uniformity",
)


def kernel_ridge_weights(kernel: ArrayLike, *, ridge: ArrayLike) -> jax.Array:
    """Weights of kernel ridge regression between the examples of a batch.

    `weights = (K + ridge * I)^{-1} K`

    Args:
      kernel: `[B, B]`, symmetric and positive semidefinite.
      ridge: scalar >= 0; above 0 where the kernel is singular.

    Returns:
      `[B, B]` weights, float32, without a gradient. They tend to 0 as `ridge` grows.

    Raises:
      ValueError: not a square matrix.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(kernel_ridge_weights(jnp.ones((2, 2)), ridge=0.5)).round(4))
    [[0.4 0.4]
     [0.4 0.4]]
    """
    kernel = jax.lax.stop_gradient(arguments.as_float(kernel))
    _check_square(kernel=kernel)
    ridge = jax.lax.stop_gradient(arguments.as_float(ridge))
    factor = jsp.linalg.cho_factor(kernel + ridge * jnp.eye(kernel.shape[0], dtype=kernel.dtype))
    return jsp.linalg.cho_solve(factor, kernel)


def conditional_hard_negatives(
    scores: ArrayLike,
    kernel: ArrayLike,
    *,
    ridge: ArrayLike = 0.01,
    within: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> jax.Array:
    """InfoNCE whose negatives are those that the examples' descriptions call likely.

    With `W` the weights of this module (0 on the diagonal and below 1e-6) and `M_ii = sum_k exp(s_ik) W_ki`,
    `M'_ii = sum_k exp(s_ki) W_ki`::

        loss_i = log(exp(s_ii) + (B - 1) * (M_ii + M'_ii)) - s_ii

    Use when: examples with like attributes should be told apart, so they make the hard negatives.

    Args:
      scores: `[B, B]` scaled scores; row `i` matches column `i`.
      kernel: `[B, B]` between the descriptions, symmetric, positive semidefinite, 1 on the diagonal.
      ridge: scalar >= 0; as it grows the weights and with them the loss tend to 0.
      within: `[2, B, B]`, scaled scores of the rows and of the columns of `scores` among themselves, whose diagonals
        are not looked at: with `s'_ik` for `s_ki` in `M'`, and the mean over both sides, it is the released form.
      where: bool, broadcastable to `[B]`: which examples count; `B` is then their number.

    Returns:
      `[B]` losses, float32; 0 for an example left out.

    Raises:
      ValueError: not two square matrices of one size.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(conditional_hard_negatives(jnp.zeros((2, 2)), jnp.ones((2, 2)), ridge=0.5)).round(4))
    [0.5878 0.5878]

    Reference: Tsai, Li, Ma, Zhao, Zhang, Morency, Salakhutdinov, "Conditional Contrastive Learning with Kernel",
    ICLR 2022.
    """
    scores, log_weights, mask = _scores_and_log_weights(scores, kernel, ridge, where)
    count = jnp.sum(mask, dtype=scores.dtype)

    def against(scores, others):
        log_sum = _pairwise.log_sum(jnp.concatenate([scores + log_weights, others + log_weights], axis=1))
        return _in_batch.loss_against(log_sum + jnp.log(jnp.maximum(count - 1.0, 1.0)), jnp.diagonal(scores))

    if within is None:
        return against(scores, scores.T)
    rows, columns = _of_views(within, mask)
    return (against(scores, rows) + against(scores.T, columns)) / 2


def conditional_positives(
    scores: ArrayLike,
    kernel: ArrayLike,
    *,
    ridge: ArrayLike = 0.01,
    within: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> jax.Array:
    """InfoNCE whose positives are the other examples with like descriptions.

    With `W` the weights of this module (0 on the diagonal and below 1e-6) and `M_ii = sum_k exp(s_ik) W_ki`::

        loss_i = -log(M_ii / (M_ii + sum_j exp(s_ij)))         (0 where all weights of i are 0)

    Use when: examples share attributes but not instances, so that likeness stands in for a label.

    Args:
      scores: `[B, B]` scaled scores.
      kernel: `[B, B]` between the descriptions, symmetric, positive semidefinite, 1 on the diagonal.
      ridge: scalar >= 0.
      within: `[2, B, B]`, scaled scores of the rows and of the columns of `scores` among themselves, whose diagonals
        are not looked at: `M` and the sum then go over them as well, and the loss is the mean over both sides, as in
        the released code.
      where: bool, broadcastable to `[B]`: which examples count.

    Returns:
      `[B]` losses, float32; 0 for an example left out.

    Raises:
      ValueError: not two square matrices of one size.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(conditional_positives(jnp.zeros((2, 2)), jnp.ones((2, 2)), ridge=0.5)).round(4))
    [1.7918 1.7918]

    Reference: Tsai, Li, Ma, Zhao, Zhang, Morency, Salakhutdinov, "Conditional Contrastive Learning with Kernel",
    ICLR 2022.
    """
    scores, log_weights, mask = _scores_and_log_weights(scores, kernel, ridge, where)

    def beside(scores, log_weights, counts):
        log_positive = _pairwise.log_sum(scores + log_weights)
        log_all = _pairwise.log_sum(jnp.where(counts, scores, -jnp.inf))
        loss = _in_batch.loss_against(log_all, log_positive)
        return jnp.where(log_positive == _pairwise.EMPTY, 0.0, loss)

    counts = jnp.broadcast_to(mask[None, :], scores.shape)
    if within is None:
        return beside(scores, log_weights, counts)
    both, others = jnp.concatenate([log_weights, log_weights], axis=1), counts & ~jnp.eye(len(mask), dtype=bool)
    sides = [
        beside(jnp.concatenate([between, own], axis=1), both, jnp.concatenate([counts, others], axis=1))
        for between, own in zip((scores, scores.T), _of_views(within, mask))
    ]
    return (sides[0] + sides[1]) / 2


def decoupled_uniformity(
    views: ArrayLike,
    kernel: ArrayLike | None = None,
    *,
    ridge: ArrayLike = 0.01,
    scale: ArrayLike = 2.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """`uniformity` of the examples' centroids, each smoothed over examples that a prior calls similar.

    With `mu_i` the mean of the views of example `i` (not normalised again), and with a kernel `mu <- W mu`, `W` the
    weights of this module::

        loss = log mean_{i != j} exp(-scale * ||mu_i - mu_j||^2)

    Views of one example draw together because a centroid is longer where they agree.

    Use when: several views per example and a prior on which examples are similar (attributes, generative features).

    Args:
      views: `[B, V, D]`, unit vectors, `V` views of each example.
      kernel: `[B, B]` between the examples' descriptions, or None: no prior. With `axis_name` it is that of the whole
        batch. With `where`, rows and columns outside it are taken out.
      ridge: scalar >= 0.
      scale: scalar >= 0.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      A float32 scalar; 0 with fewer than two examples.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> views = jnp.array([[[1.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [-1.0, 0.0]]])
    >>> print(decoupled_uniformity(views), decoupled_uniformity(views, jnp.eye(2), ridge=0.0))
    -8.0 -8.0

    Reference: Dufumier, Barbano, Louiset, Duchesnay, Gori, "Integrating Prior Knowledge in Contrastive Learning with
    Kernel", ICML 2023.
    """
    if jnp.ndim(views) != 3:
        raise ValueError(f"views must be [B, V, D], not {jnp.shape(views)}")
    mask = arguments.mask_like(where, jnp.shape(views)[:1])
    means = jnp.mean(jnp.where(mask[:, None, None], arguments.as_float(views), 0.0), axis=1)
    if kernel is not None:
        means = _smoothed(means, mask, arguments.as_float(kernel), ridge, axis_name)
    return redundancy.uniformity(means, scale=scale, where=mask, axis_name=axis_name, chunk=chunk)


def _smoothed(means: jax.Array, mask: jax.Array, kernel: jax.Array, ridge: ArrayLike, axis_name: str | None):
    num_rows = means.shape[0]
    means, mask = _pairwise.gather((means, mask), axis_name)
    if kernel.shape != 2 * mask.shape:
        raise ValueError(f"kernel must be [B, B] for a batch of {mask.shape[0]}, not {kernel.shape}")
    smoothed = kernel_ridge_weights(_alike_to_itself(kernel, mask), ridge=ridge) @ means
    if axis_name is None:
        return smoothed
    return jax.lax.dynamic_slice_in_dim(smoothed, num_rows * jax.lax.axis_index(axis_name), num_rows)


def _alike_to_itself(kernel: jax.Array, mask: jax.Array) -> jax.Array:
    """An example left out is made similar only to itself: the matrix stays regular and the others do not change."""
    return jnp.where(mask[:, None] & mask[None, :], kernel, jnp.eye(mask.shape[0], dtype=kernel.dtype))


def _scores_and_log_weights(
    scores: ArrayLike, kernel: ArrayLike, ridge: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores (0 where masked); `[i, k]` the log-weight of example `k` for example `i`, -inf where none; the mask."""
    scores = arguments.as_float(scores)
    _check_square(scores=scores, kernel=kernel)
    mask = arguments.mask_like(where, scores.shape[:1])
    scores = jnp.where(mask[:, None] & mask[None, :], scores, 0.0)
    weights = kernel_ridge_weights(_alike_to_itself(arguments.as_float(kernel), mask), ridge=ridge).T
    counts = ~(weights < 1e-6) & ~jnp.eye(scores.shape[0], dtype=bool)
    return scores, jnp.where(counts, jnp.log(jnp.where(counts, weights, 1.0)), -jnp.inf), mask


def _of_views(within: ArrayLike, mask: jax.Array) -> jax.Array:
    """Scores within each view, 0 where masked and on the diagonals."""
    within = arguments.as_float(within)
    if within.shape != (2, *mask.shape, *mask.shape):
        raise ValueError(f"within must be [2, B, B] for a batch of {mask.shape[0]}, not {within.shape}")
    counts = mask[:, None] & mask[None, :] & ~jnp.eye(len(mask), dtype=bool)
    return jnp.where(counts[None, :, :], within, 0.0)


def _check_square(**matrices: ArrayLike) -> None:
    arguments.check_same_shape(2, **matrices)
    shape = jnp.shape(next(iter(matrices.values())))
    if shape[0] != shape[1]:
        raise ValueError(f"{', '.join(matrices)} must be [B, B], not {shape}")
