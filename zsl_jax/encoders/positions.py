"""Position embeddings of a vision transformer for images of another size than those that its weights come from."""

import math

import jax
import jax.numpy as jnp
import numpy as np


def resized(positions: np.ndarray | jax.Array, length: int, *, tokens: int = 1) -> jax.Array | None:
    """Returns the embeddings of another square grid of patches, by bicubic interpolation between the patches.

    The kernel is Keys' with a = -1/2, widened where the grid shrinks, as timm's `resample_abs_pos_embed` has it by
    default. The tokens keep their own.

    Args:
      positions: `[1, tokens + n^2, D]`, the tokens first; may be traced.
      length: tokens + m^2.
      tokens: how many stand before the patches, >= 0.

    Returns:
      `[1, length, D]`, or None where either is not the tokens and a square.

    >>> resized(np.ones((1, 5, 3), np.float32), 10).shape
    (1, 10, 3)

    Reference: Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing, 1981.
    """
    if positions.ndim != 3 or positions.shape[0] != 1 or not positions.shape[1] > tokens < length:
        return None
    old, new = (math.isqrt(count - tokens) for count in (positions.shape[1], length))
    if old**2 + tokens != positions.shape[1] or new**2 + tokens != length:
        return None
    width = positions.shape[-1]
    grid = positions[0, tokens:].reshape(old, old, width)
    moved = jax.image.resize(grid, (new, new, width), "cubic", antialias=True)
    return jnp.concatenate([positions[:, :tokens], moved.reshape(1, -1, width)], axis=1)
