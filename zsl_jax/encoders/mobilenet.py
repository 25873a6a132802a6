"""MobileNetV2: inverted residual blocks, which filter each channel for itself in a wide space between narrow ones.

    x -> 1x1 wider, ReLU6 -> 3x3 on each channel, ReLU6 -> 1x1 narrower -> + x where the shape is the same

Reference: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.encoders import scaling as scaling_lib
from zsl_jax.encoders.batch_norm import batch_norm

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
PADDINGS = {"same": "SAME", "symmetric": ((1, 1), (1, 1))}


class MobileNetV2(nn.Module):
    """MobileNetV2 without its classifier.

    Args:
      stages: (expansion, channels, blocks, stride) of each stage.
      stem: channels of the first convolution.
      num_features: D, channels of the last one.
      padding: at stride 2, `same` for weights from Keras (one row more at the far side when the size is even) or
        `symmetric` for those from torchvision.
      scaling: of the pixels, see `zsl_jax.encoders.scaling`.
      dtype: of the convolutions; normalisation is float32.
      remat: whether the backward pass computes the blocks once more instead of keeping what is inside them.
    """

    stages: tuple[tuple[int, int, int, int], ...]
    stem: int
    num_features: int
    padding: str
    scaling: str
    dtype: Any
    remat: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool, local: bool = False, stages: bool = False):
        """Returns embeddings `[B, D]` of `images [B, H, W, 3]`, uint8 or float in [0, 1].

        With `local=True` also those of the places before pooling, `[B, H*W / 32^2, D]`; with `stages=True` also what
        leaves each stage, a tuple of `[B, h, w, channels]`.
        """
        x, padding = scaling_lib.scaled(images, self.scaling), PADDINGS[self.padding]
        x = nn.Conv(self.stem, (3, 3), 2, padding, use_bias=False, dtype=self.dtype, name="features_0_0")(x)
        x = nn.relu6(batch_norm(train, name="features_0_1")(x))
        block = nn.remat(InvertedResidual) if self.remat else InvertedResidual
        index, maps = 0, []
        for expansion, channels, blocks, stride in self.stages:
            for i in range(blocks):
                index += 1
                x = block(
                    expansion=expansion,
                    channels=channels,
                    stride=stride if i == 0 else 1,
                    padding=self.padding,
                    train=train,
                    dtype=self.dtype,
                    name=f"features_{index}",
                )(x)
            maps.append(x)
        x = Pointwise(self.num_features, dtype=self.dtype, name=f"features_{index + 1}_0")(x)
        x = nn.relu6(batch_norm(train, name=f"features_{index + 1}_1")(x))
        places = x.reshape(x.shape[0], -1, self.num_features)
        embeddings = jnp.mean(places, axis=1)
        if stages:
            return embeddings, tuple(maps)
        return (embeddings, places) if local else embeddings


class InvertedResidual(nn.Module):
    """Widens by `expansion`, filters each channel, narrows to `channels`; height and width are divided by `stride`."""

    expansion: int
    channels: int
    stride: int
    padding: str
    train: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y, i = x, 0
        if self.expansion != 1:
            y = Pointwise(self.expansion * x.shape[-1], dtype=self.dtype, name="conv_0_0")(y)
            y = nn.relu6(batch_norm(self.train, name="conv_0_1")(y))
            i = 1
        y = Depthwise(self.stride, PADDINGS[self.padding], dtype=self.dtype, name=f"conv_{i}_0")(y)
        y = nn.relu6(batch_norm(self.train, name=f"conv_{i}_1")(y))
        y = Pointwise(self.channels, dtype=self.dtype, name=f"conv_{i + 1}")(y)
        y = batch_norm(self.train, name=f"conv_{i + 2}")(y)
        return x + y if y.shape == x.shape else y


class Pointwise(nn.Module):
    """A 1x1 convolution, as the product of matrices that it is; kernel `[1, 1, in, features]`."""

    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", nn.initializers.he_normal(), (1, 1, x.shape[-1], self.features))
        return jnp.einsum("bhwi,io->bhwo", x.astype(self.dtype), kernel[0, 0].astype(self.dtype))


class Depthwise(nn.Module):
    """A 3x3 convolution of each channel for itself, `y = sum_ij shift_ij(x) * kernel[i, j]`.

    The kernel is `[3, 3, 1, channels]`. The nine shifted products fuse into one pass over memory; on CPU, where XLA has
    no fast path for grouped convolutions, a whole MobileNetV2 is several times faster with them
    (`benchmarks/bench_encoders.py`).
    """

    stride: int
    padding: Any
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, *size, channels = x.shape
        kernel = self.param("kernel", nn.initializers.he_normal(in_axis=(0, 1), out_axis=3), (3, 3, 1, channels))
        kernel, x = kernel.astype(self.dtype), x.astype(self.dtype)
        padding = self.padding
        if isinstance(padding, str):
            padding = jax.lax.padtype_to_pads(size, (3, 3), (self.stride,) * 2, padding)
        x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
        last = [(n - 3) // self.stride * self.stride for n in x.shape[1:3]]
        strides = (1, self.stride, self.stride, 1)
        products = [
            jax.lax.slice(x, (0, i, j, 0), (batch, i + last[0] + 1, j + last[1] + 1, channels), strides)
            * kernel[i, j].reshape(1, 1, 1, channels)
            for i in range(3)
            for j in range(3)
        ]
        return sum(products[1:], products[0])


def mobilenet_v2(
    *,
    width_multiplier: float = 1.0,
    padding: str = "symmetric",
    scaling: str = "imagenet",
    dtype: str = "float32",
    remat: bool = False,
) -> MobileNetV2:
    """A `MobileNetV2` with `width_multiplier` times the paper's channels, in multiples of 8; D is at least 1280."""
    scaling_lib.check(scaling)
    if padding not in PADDINGS:
        raise errors.unknown("padding", padding, PADDINGS)
    return MobileNetV2(
        stages=tuple((t, _multiple_of_8(width_multiplier * c), n, s) for t, c, n, s in STAGES),
        stem=_multiple_of_8(width_multiplier * 32),
        num_features=_multiple_of_8(max(1.0, width_multiplier) * 1280),
        padding=padding,
        scaling=scaling,
        dtype=jnp.dtype(dtype),
        remat=remat,
    )


def _multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below, at least 8."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
