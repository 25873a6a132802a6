"""Bounds on mutual information, and contrastive losses that come from them: any critic, Lipschitz."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch, _pairwise
from zsl_jax.similarity import euclidean

__all__: Sequence[str] = ("nce_bound", "nwj_bound", "wasserstein_dependency")


def nce_bound(scores: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Lower bound on mutual information by telling the true pair among `B`; to be made large.

    `bound_i = f_ii - log((1 / B) sum_j exp(f_ij))`

    Use when: the estimate itself is wanted, or a critic that is not an inner product; it never exceeds `log B`.

    Args:
      scores: `[B, B]` of a critic; the diagonal holds the pairs drawn together.
      where: bool, broadcastable to `[B]`: which examples count; `B` is then their number.

    Returns:
      `[B]`, float32, 0 for an example left out; the bound is the mean of the others.

    Raises:
      ValueError: not a square matrix.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(nce_bound(100.0 * jnp.eye(2))).round(4))
    [0.6931 0.6931]

    Reference: Tschannen, Djolonga, Rubenstein, Gelly, Lucic, "On Mutual Information Maximization for Representation
    Learning", ICLR 2020.
    """
    scores, mask = _square(scores, where)
    own, others = _own_and_others(scores, mask)
    count = jnp.maximum(jnp.sum(mask, dtype=scores.dtype), 1.0)
    return jnp.where(mask, jnp.log(count) - _in_batch.loss_against(others, own), 0.0)


def nwj_bound(scores: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Lower bound on mutual information of Nguyen, Wainwright and Jordan; to be made large.

    `bound_i = f_ii - exp(-1) * mean_{j != i} exp(f_ij)`

    Use when: the bound should not stop at `log B`; it varies far more than `nce_bound`.

    Args:
      scores: `[B, B]` of a critic, `B >= 2`; the diagonal holds the pairs drawn together.
      where: bool, broadcastable to `[B]`: which examples count.

    Returns:
      `[B]`, float32, 0 for an example left out or without another; the bound is the mean of the others.

    Raises:
      ValueError: not a square matrix of at least two rows.

    >>> import jax.numpy as jnp
    >>> print(nwj_bound(jnp.ones((3, 3))))
    [0. 0. 0.]

    Reference: Tschannen, Djolonga, Rubenstein, Gelly, Lucic, "On Mutual Information Maximization for Representation
    Learning", ICLR 2020.
    """
    scores, mask = _square(scores, where)
    if scores.shape[0] < 2:
        raise ValueError(
            f"scores must have at least two rows, for pairs that were not drawn together, not {scores.shape}"
        )
    own, others = _own_and_others(scores, mask)
    count = jnp.sum(mask, dtype=scores.dtype)
    bound = own - jnp.exp(others - jnp.log(jnp.maximum(count - 1.0, 1.0)) - 1.0)
    return jnp.where(mask & (count > 1), bound, 0.0)


def wasserstein_dependency(
    key: jax.Array,
    critic: Callable[[jax.Array, jax.Array], jax.Array],
    x: ArrayLike,
    y: ArrayLike,
    *,
    penalty: ArrayLike = 10.0,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """InfoNCE of a critic that is kept near slope 1, which makes it a bound on the Wasserstein dependency.

    With `f` the critic and `(x, y)^` a random point between a true pair and one that was not drawn together::

        loss_i = log sum_j exp(f(x_i, y_j)) - f(x_i, y_i) + penalty * (||grad f((x, y)^)|| - 1)^2

    Use when: the mutual information is large, where the bounds of the Kullback-Leibler kind need exponentially many
    examples.

    Args:
      key: PRNG key of the points between.
      critic: `(x [...], y [...]) -> scalar` for one pair; it may close over parameters that are differentiated.
      x: `[B, ...]`.
      y: `[B, ...]`.
      penalty: scalar >= 0.
      where: bool, broadcastable to `[B]`: which pairs count.
      axis_name: mapped axis over which the batch is divided; fold the device's index into `key`.
      chunk: rows of the `B x B` critic values at a time; None: all at once.

    Returns:
      `[B]` losses, float32; 0 for a pair left out.

    Raises:
      ValueError: batches that differ in size.

    >>> import jax, jax.numpy as jnp
    >>> slope_one = lambda x, y: (x[0] + y[0]) / jnp.sqrt(2.0)
    >>> x = jnp.array([[0.0], [1.0]])
    >>> print(wasserstein_dependency(jax.random.key(0), slope_one, x, jnp.zeros((2, 1))))
    [0.6931472 0.6931472]

    Reference: Ozair, Lynch, Bengio, van den Oord, Levine, Sermanet, "Wasserstein Dependency Measure for Representation
    Learning", NeurIPS 2019.
    """
    x, y = arguments.as_float(x), arguments.as_float(y)
    if x.ndim < 1 or y.ndim < 1 or x.shape[0] != y.shape[0]:
        raise ValueError(f"x and y must be batches of the same size, not {x.shape} and {y.shape}")
    mask = arguments.mask_like(where, x.shape[:1])
    x, y = (jnp.where(mask.reshape(-1, *[1] * (z.ndim - 1)), z, 0.0) for z in (x, y))
    candidates, is_candidate = _pairwise.gather((y, mask), axis_name)

    def others(x_one: jax.Array) -> jax.Array:
        return jax.vmap(lambda y_one: arguments.as_float(critic(x_one, y_one)))(candidates)

    num_rows = x.shape[0]
    scores = jax.vmap(others)(x) if chunk is None else _pairwise.map_rows(others, x, row_bytes=1, chunk=chunk)
    first = 0 if axis_name is None else num_rows * jax.lax.axis_index(axis_name)
    own, log_sum = _own_and_others(scores, is_candidate, first)
    loss = _in_batch.loss_against(log_sum, own) + penalty * _slope_penalty(key, critic, x, y, mask)
    return jnp.where(mask, loss, 0.0)


def _slope_penalty(key: jax.Array, critic: Callable, x: jax.Array, y: jax.Array, mask: jax.Array) -> jax.Array:
    num_rows, count = x.shape[0], jnp.sum(mask)
    shift_key, mix_key = jax.random.split(key)
    # Turning the pairs that count by a random step, never by a whole turn, gives every x a y it was not drawn with.
    step = jax.random.randint(shift_key, (), 1, jnp.maximum(count, 2))
    place, those_first = jnp.cumsum(mask) - 1, jnp.argsort(~mask, stable=True)
    other = y[those_first[(place - step) % jnp.maximum(count, 1)]]
    mix = jax.random.uniform(mix_key, (num_rows,), x.dtype).reshape(-1, *[1] * (y.ndim - 1))
    to_x, to_y = jax.vmap(jax.grad(lambda a, b: arguments.as_float(critic(a, b)), argnums=(0, 1)))(
        x, mix * y + (1 - mix) * other
    )
    squared = sum(jnp.sum(jnp.square(g), axis=range(1, g.ndim)) for g in (to_x, to_y))
    return (euclidean.safe_sqrt(jnp.asarray(squared)) - 1.0) ** 2


def _own_and_others(scores: jax.Array, is_column: jax.Array, first: ArrayLike = 0) -> tuple[jax.Array, jax.Array]:
    """The score of each row's own column (`first` for row 0), and the log-sum-exp of the others that count."""
    columns = first + jnp.arange(scores.shape[0])
    own = jnp.take_along_axis(scores, columns[:, None], axis=1)[:, 0]
    is_other = is_column[None, :] & (jnp.arange(scores.shape[1])[None, :] != columns[:, None])
    return own, _pairwise.log_sum(jnp.where(is_other, scores, -jnp.inf))


def _square(scores: ArrayLike, where: ArrayLike | None) -> tuple[jax.Array, jax.Array]:
    """The matrix, 0 in the rows and columns of the examples left out, and `[B]` those that are not."""
    scores = arguments.as_float(scores)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"scores must be [B, B], not {scores.shape}")
    mask = arguments.mask_like(where, scores.shape[:1])
    return jnp.where(mask[:, None] & mask[None, :], scores, 0.0), mask
