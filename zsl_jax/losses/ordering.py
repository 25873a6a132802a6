"""Losses on the order of similarities: what is more alike should score higher, whatever the scores themselves are."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("cosent",)

_NONE = -1e30  # the logarithm of a sum over nothing


def cosent(
    cosines: ArrayLike, relations: ArrayLike, *, scale: ArrayLike = 20.0, where: ArrayLike | None = None
) -> jax.Array:
    """Log-sum-exp of the differences of all pairs of a row of which the less related one should score lower.

    `loss = log(1 + sum_{j, k: r_j > r_k} exp(scale * (s_k - s_j)))`

    The time is that of a sort of the relations, not that of all pairs.

    Use when: graded similarities are known (of class descriptions, of sentences), and only their order is trusted. With
    relations of 0 and 1 it is `lsep`.

    Args:
      cosines: `[B, C]`.
      relations: `[B, C]`, how alike they should be, in any unit.
      scale: scalar > 0.
      where: bool, broadcastable to `[B, C]`: the scores that count; one of -inf does not.

    Returns:
      `[B]` losses, float32; 0 where all relations of a row are equal.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(cosent(jnp.zeros((1, 3)), jnp.array([[1.0, 0.5, 0.0]])))
    [1.3862944]

    Reference: Huang, Peng, Zou, Liu, Li, Liu, Wu, Su, Yu, "CoSENT: Consistent Sentence Embedding via Similarity
    Ranking", IEEE/ACM TASLP 2024.
    """
    arguments.check_same_shape(2, cosines=cosines, relations=relations)
    known = arguments.mask_like(where, jnp.shape(cosines)) & (arguments.as_float(cosines) != -jnp.inf)
    scores = arguments.as_scalar(scale=scale) * jnp.where(known, arguments.as_float(cosines), 0.0)
    return jax.vmap(_row)(scores, jnp.where(known, arguments.as_float(relations), 0.0), known)


def _row(scores: jax.Array, relations: jax.Array, known: jax.Array) -> jax.Array:
    order = jnp.argsort(jnp.where(known, relations, jnp.inf))
    scores, known = scores[order], known[order]
    relations = jnp.where(known, relations[order], jnp.inf)
    below = jax.lax.cumlogsumexp(jnp.where(known, scores, _NONE))
    count = jnp.searchsorted(relations, relations, side="left")  # of those with a relation that is really lower
    has_pair = known & (count > 0)
    pairs = jnp.where(has_pair, below[jnp.maximum(count - 1, 0)] - scores, _NONE)
    undefined = jnp.any(jnp.isnan(relations))
    return jnp.where(undefined, jnp.nan, jax.nn.softplus(jax.nn.logsumexp(pairs)))
