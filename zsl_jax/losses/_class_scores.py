"""What the losses over class scores share: whose class is which, who competes, and who violates the margin."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments


def candidates(scores: ArrayLike, labels: ArrayLike, where: ArrayLike | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores in float32 (0 where masked), and `[B, C]` masks: the class of each example, and the candidate classes.

    A class of score -inf is no candidate, as if masked, unless it is the class of the example.
    """
    labels = arguments.score_labels(scores, labels)
    scores = arguments.as_float(scores)
    is_label = labels[:, None] == jnp.arange(scores.shape[1])[None, :]
    is_candidate = arguments.mask_like(where, scores.shape) & (is_label | (scores != -jnp.inf))
    is_label &= is_candidate
    return jnp.where(is_candidate, scores, 0.0), is_label, is_candidate


def violations(
    scores: ArrayLike, labels: ArrayLike, margin: ArrayLike, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`[B, C]` violations `margin + s_c - s_y`, which of them are positive or NaN, and which classes compete."""
    scores, is_label, is_candidate = candidates(scores, labels, where)
    own = jnp.sum(jnp.where(is_label, scores, 0.0), axis=1, keepdims=True)
    violation = arguments.as_scalar(margin=margin) + scores - own
    is_other = is_candidate & ~is_label & jnp.any(is_label, axis=1, keepdims=True)
    return violation, is_other & ~(violation <= 0), is_other  # NaN is no violation avoided: it reaches the loss
