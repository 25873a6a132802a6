"""Scores that should be distributed over the classes as a teacher's are."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("teacher_divergence",)


def teacher_divergence(
    scores: ArrayLike,
    teacher: ArrayLike,
    *,
    scale: ArrayLike = 1.0,
    teacher_scale: ArrayLike = 1.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Divergence of a model's distribution over the classes from that of a teacher.

    `loss = KL(p || q)`, p = softmax(teacher_scale * teacher), q = softmax(scale * scores)

    Use when: a second stage of training should sharpen a model on hard negatives and not forget what a teacher knows of
    classes that are near each other.

    Args:
      scores: `[B, C]`.
      teacher: `[B, C]`, constant to the gradient.
      scale, teacher_scale: scalars > 0, of either's scores: 1 / temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes.

    Returns:
      `[B]` losses, float32; 0 without a candidate.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> own, other = teacher_divergence(jnp.array([[2.0, 0.0], [0.0, 2.0]]), jnp.array([[2.0, 0.0], [2.0, 0.0]]))
    >>> print(f"{own:.4f} {other:.4f}")
    0.0000 1.5232

    Reference: Wang, Yang, Huang, Jiao, Yang, Jiang, Majumder, Wei, "Text Embeddings by Weakly-Supervised Contrastive
    Pre-training", 2022 (E5), for its second stage.
    """
    arguments.check_same_shape(2, scores=scores, teacher=teacher)
    mask = arguments.mask_like(where, jnp.shape(scores))
    counts = mask | ~jnp.any(mask, axis=1, keepdims=True)  # a softmax of nothing has no value

    def log_softmax(x, scale):
        x = arguments.as_float(scale) * jnp.where(mask, arguments.as_float(x), 0.0)
        return jnp.where(counts, jax.nn.log_softmax(jnp.where(counts, x, -jnp.inf), axis=1), 0.0)

    log_p, log_q = log_softmax(jax.lax.stop_gradient(teacher), teacher_scale), log_softmax(scores, scale)
    return jnp.sum(jnp.where(mask, jnp.exp(log_p) * (log_p - log_q), 0.0), axis=1)
