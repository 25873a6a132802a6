"""A small convolutional network for small images, without batch statistics.

stage    merge k x k pixels into one (Dense) -> x + Conv3x3(relu(LayerNorm(x)))
stages   one per width, each of which halves height and width where k = 2
pooling  the mean over places, or all places in a row where attributes have a place
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors
from zsl_jax.encoders import convolution, pixels

POOLS = {
    "mean": lambda x: jnp.mean(x, axis=(1, 2)),
    "max": lambda x: jnp.max(x, axis=(1, 2)),
    "flatten": lambda x: x.reshape(x.shape[0], -1),
}


class ConvNet(nn.Module):
    """Residual stages on merged pixels; 141 thousand parameters as it stands, on images of three channels.

    Args:
      widths: channels of the stages.
      merges: sides of the squares that become one place at the start of each stage; 1 keeps the resolution.
      pool: `mean`, `max` or `flatten`.
      dtype: of the products of matrices; normalisation is float32, and so is what comes out.
      remat: whether the backward pass computes the stages once more instead of keeping what is inside.

    Called with images `[B, H, W, C]`, uint8 or float in [0, 1], it returns `[B, D]`, D = widths[-1], times h * w for
    `flatten`; with `local=True` also the features of the places before pooling, `[B, h * w, widths[-1]]`; with
    `stages=True` also what leaves each stage, a tuple of `[B, h, w, width]`.

    Raises:
      UserError: height or width that the merges do not divide, or an unknown pool.

    >>> import jax, numpy as np
    >>> images = np.zeros((2, 32, 32, 3), np.uint8)
    >>> jax.eval_shape(lambda: ConvNet().init_with_output(jax.random.key(0), images, train=False)[0]).shape
    (2, 96)
    """

    widths: tuple[int, ...] = (32, 48, 96)
    merges: tuple[int, ...] = (2, 2, 2)
    pool: str = "mean"
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool, local: bool = False, stages: bool = False):
        del train  # nothing here is different in training
        if len(self.merges) != len(self.widths):
            raise errors.UserError(f"encoder.merges={self.merges} needs one entry for each of widths={self.widths}")
        if self.pool not in POOLS:
            raise errors.unknown("pool", self.pool, POOLS)
        divisor = 1
        for side in self.merges:
            divisor *= side
        pixels.check_size(inputs, divisor, "convnet")
        x = pixels.as_float(inputs) - 0.5
        dtype = jnp.dtype(self.dtype)

        def stage(module, x, width, side):
            x = nn.Dense(width, dtype=dtype)(merge(x, side)).astype(jnp.float32)
            y = nn.relu(nn.LayerNorm()(x))
            conv = nn.Conv(width, (3, 3), conv_general_dilated=convolution.by_matmul, dtype=dtype)
            return x + conv(y).astype(jnp.float32)

        if self.remat:
            stage = nn.remat(stage, static_argnums=(2, 3))
        maps = []
        for width, side in zip(self.widths, self.merges):
            x = stage(self, x, width, side)
            maps.append(x)
        x = nn.relu(nn.LayerNorm()(x))
        embeddings = POOLS[self.pool](x)
        if stages:
            return embeddings, tuple(maps)
        return (embeddings, x.reshape(x.shape[0], -1, x.shape[-1])) if local else embeddings


def merge(x: jax.Array, side: int) -> jax.Array:
    """Squares of `side` x `side` places as one place each: `[B, H, W, C] -> [B, H / side, W / side, side^2 C]`.

    >>> import jax.numpy as jnp
    >>> merge(jnp.arange(4.0).reshape(1, 2, 2, 1), 2).tolist()
    [[[[0.0, 1.0, 2.0, 3.0]]]]
    """
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // side, side, width // side, side, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height // side, width // side, side * side * channels)
