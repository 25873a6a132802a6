"""Pixels as the encoders take them."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import errors


def as_float(images: ArrayLike) -> jax.Array:
    """Images in [0, 1], float32: uint8 divided by 255, floating ones as they are.

    >>> import numpy as np
    >>> print(as_float(np.array([0, 255], np.uint8)))
    [0. 1.]
    """
    images = jnp.asarray(images)
    return images.astype(jnp.float32) / 255 if images.dtype == jnp.uint8 else images.astype(jnp.float32)


def check_size(images: ArrayLike, divisor: int, encoder: str) -> None:
    """Raises a UserError unless `images` is `[B, H, W, C]` with H and W multiples of `divisor`."""
    shape = jnp.shape(images)
    if len(shape) != 4:
        raise errors.UserError(f"{encoder} takes images [B, H, W, C], not inputs {list(shape)}: data.inputs=pixels")
    height, width = shape[1:3]
    if height % divisor or width % divisor or not height * width:
        near = [max(1, round(side / divisor)) * divisor for side in (height, width)]
        raise errors.UserError(
            f"{encoder} cannot take images of {height}x{width} pixels: both must be multiples of {divisor}, "
            f"the nearest is {near[0]}x{near[1]}"
        )
