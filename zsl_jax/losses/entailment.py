"""A loss for hierarchies in hyperbolic space: what is general should entail what is special."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity

__all__: Sequence[str] = ("entailment",)


def entailment(
    parents: ArrayLike,
    children: ArrayLike,
    *,
    curvature: ArrayLike = 1.0,
    min_radius: ArrayLike = 0.1,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Angle by which a child lies outside of the cone of its parent in the Lorentz model, 0 inside.

    `loss = max(0, exterior_angle(parent, child) - half_aperture(parent))`

    Use when: text or class embeddings should contain the images they describe, beside a contrastive loss on
    `similarity.lorentz` (weight 0.2 in MERU).

    Args:
      parents: `[B, D]` space parts of the general: class descriptions, texts.
      children: `[B, D]` space parts of the special: images.
      curvature: scalar > 0.
      min_radius: scalar > 0; nearer to the origin than `2 min_radius / sqrt(curvature)` a parent entails everything.
      where: bool, broadcastable to `[B]`: the pairs that count; the others give 0.

    Returns:
      `[B]` angles in radians, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> parents, children = jnp.array([[1.0, 0.0], [1.0, 0.0]]), jnp.array([[2.0, 0.0], [0.5, 0.0]])
    >>> print(entailment(parents, children).round(3))
    [0.   2.94]

    Reference: Desai, Nickel, Rajpurohit, Johnson, Vedantam, "Hyperbolic Image-Text Representations", ICML 2023 (MERU).
    """
    arguments.check_same_shape(2, parents=parents, children=children)
    is_pair = arguments.mask_like(where, jnp.shape(parents)[:1])
    parents, children = (jnp.where(is_pair[:, None], arguments.as_float(x), 0.0) for x in (parents, children))
    angle = similarity.lorentz_exterior_angle(parents, children, curvature=curvature)
    outside = angle - similarity.lorentz_half_aperture(parents, curvature=curvature, min_radius=min_radius)
    return jnp.where(is_pair & ~(outside <= 0), outside, 0.0)
