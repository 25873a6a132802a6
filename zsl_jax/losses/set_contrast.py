"""A contrastive loss between sets: examples may be anywhere, as long as they are away from other sets."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch

__all__: Sequence[str] = ("inter_set",)


def inter_set(
    embeddings: ArrayLike, labels: ArrayLike, *, temperature: ArrayLike, where: ArrayLike | None = None
) -> jax.Array:
    """Log-sum-exp of the similarities between a set and all others, shared among the examples of the set.

    With `S_i` the examples of the set of `i`::

        loss_i = log(sum_{m in S_i, n not in S_i} exp(z_m . z_n / t)) / |S_i|

    The sum over a batch is that over its sets.

    Use when: sets of examples stand for meanings, which must be told apart, and found by `similarity.set_query`;
    nothing pulls a set together.

    Args:
      embeddings: `[B, D]` unit vectors.
      labels: `[B]` int, the set of each.
      temperature: scalar > 0 (0.05).
      where: bool, broadcastable to `[B]`: which rows are examples.

    Returns:
      `[B]` losses, float32; 0 where there is one set alone.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> print(np.array(inter_set(jnp.eye(3), jnp.array([0, 0, 1]), temperature=1.0)).round(4))
    [0.3466 0.3466 0.6931]

    Reference: Liu, "SetCSE: Set Operations using Contrastive Learning of Sentence Embeddings", ICLR 2024.
    """
    labels = _in_batch.checked_labels(embeddings=embeddings, labels=labels)
    z = arguments.as_float(embeddings)
    mask = arguments.mask_like(where, z.shape[:1])
    z = jnp.where(mask[:, None], z, 0.0)
    both, same = mask[:, None] & mask[None, :], labels[:, None] == labels[None, :]
    logits = jnp.where(both & ~same, z @ z.T / arguments.as_scalar(temperature=temperature), -1e30)
    of_row = jax.nn.logsumexp(logits, axis=1)
    of_set = jax.nn.logsumexp(jnp.where(both & same, of_row[None, :], -1e30), axis=1)
    has_other = mask & jnp.any(both & ~same, axis=1)
    return jnp.where(has_other, of_set / arguments.count(both & same, axis=1), 0.0)
