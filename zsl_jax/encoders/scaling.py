"""Pixels as the weights of an encoder expect them, `(x - mean) / deviation` for each channel of x in [0, 1]."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import errors
from zsl_jax.encoders import pixels

# Mean and standard deviation of red, green and blue: those of ImageNet (torchvision), to [-1, 1],
# those of CLIP, and as they are.
SCALINGS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def scaled(images: ArrayLike, scaling: str) -> jax.Array:
    """Images `[B, H, W, 3]`, uint8 or float in [0, 1], as float32 of the scaling by that name in `SCALINGS`.

    >>> import numpy as np
    >>> scaled(np.full((1, 1, 1, 3), 255, np.uint8), "symmetric").ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    shape = jnp.shape(images)
    if len(shape) != 4 or shape[-1] != 3:
        raise errors.UserError(f"images [B, H, W, 3] are wanted, not {list(shape)}")
    mean, deviation = (jnp.array(values, jnp.float32).reshape(1, 1, 1, 3) for values in SCALINGS[scaling])
    return (pixels.as_float(images) - mean) / deviation


def check(scaling: str) -> None:
    """Raises a UserError unless `scaling` is a name in `SCALINGS`."""
    if scaling not in SCALINGS:
        raise errors.unknown("scaling", scaling, SCALINGS)
