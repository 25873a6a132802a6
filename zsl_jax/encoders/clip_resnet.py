"""The ResNet of CLIP: three convolutions at the start, averages before strides, and attention in place of a mean.

    stem         3x3 stride 2, 3x3, 3x3, mean of 2x2
    bottleneck   1x1 -> 3x3 -> mean of stride x stride -> 1x1,  + mean -> 1x1 of the input
    pooling      attention of the mean place to all places, with positions

Modules carry the names of OpenAI's checkpoints.

Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhang,
"Making Convolutional Networks Shift-Invariant Again", ICML 2019.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax.encoders import batch_norm
from zsl_jax.encoders import scaling as scaling_lib


class ResNetSize(NamedTuple):
    """The numbers of the tower: blocks of each stage, channels of the first, heads, side of an image, common space."""

    blocks: tuple[int, ...]
    width: int
    heads: int
    image_size: int
    projection: int
    dtype: str = "float32"


class ResNetTower(nn.Module):
    """`images [B, S, S, 3]`, uint8 or float in [0, 1], to `[B, D]`, not normalised."""

    size: ResNetSize

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        return _Visual(self.size, name="visual")(scaling_lib.scaled(images, "clip"), train)


class _Visual(nn.Module):
    size: ResNetSize

    @nn.compact
    def __call__(self, x, train):
        size = self.size
        for number, (channels, stride) in enumerate(((size.width // 2, 2), (size.width // 2, 1), (size.width, 1)), 1):
            x = _conv(channels, 3, size.dtype, stride=stride, name=f"conv{number}")(x)
            x = nn.relu(batch_norm.batch_norm(train, name=f"bn{number}")(x))
        x = nn.avg_pool(x, (2, 2), (2, 2))
        for stage, blocks in enumerate(size.blocks):
            for number in range(blocks):
                stride = 2 if stage and not number else 1
                block = _Bottleneck(size.width * 2**stage, stride, size.dtype, name=f"layer{stage + 1}_{number}")
                x = block(x, train)
        return _Pool(size, name="attnpool")(x)


class _Bottleneck(nn.Module):
    width: int
    stride: int
    dtype: str

    @nn.compact
    def __call__(self, x, train):
        def mean(x):
            return nn.avg_pool(x, (self.stride, self.stride), (self.stride, self.stride)) if self.stride > 1 else x

        y = nn.relu(batch_norm.batch_norm(train, name="bn1")(_conv(self.width, 1, self.dtype, name="conv1")(x)))
        y = nn.relu(batch_norm.batch_norm(train, name="bn2")(_conv(self.width, 3, self.dtype, name="conv2")(y)))
        y = batch_norm.batch_norm(train, name="bn3")(_conv(4 * self.width, 1, self.dtype, name="conv3")(mean(y)))
        if self.stride > 1 or x.shape[-1] != 4 * self.width:
            x = _conv(4 * self.width, 1, self.dtype, name="downsample_0")(mean(x))
            x = batch_norm.batch_norm(train, name="downsample_1")(x)
        return nn.relu(x + y)


class _Pool(nn.Module):
    size: ResNetSize

    @nn.compact
    def __call__(self, x):
        batch, width, dtype = x.shape[0], x.shape[-1], self.size.dtype
        places = x.reshape(batch, -1, width)
        places = jnp.concatenate([jnp.mean(places, axis=1, keepdims=True), places], axis=1)
        count = (self.size.image_size // 32) ** 2 + 1
        places = places + self.param("positional_embedding", nn.initializers.normal(0.02), (count, width))[None]
        query, key, value = (
            nn.Dense(width, dtype=dtype, name=f"{name}_proj")(given).reshape(
                batch, -1, self.size.heads, width // self.size.heads
            )
            for name, given in (("q", places[:, :1]), ("k", places), ("v", places))
        )
        attended = jax.nn.dot_product_attention(query, key, value).reshape(batch, width)
        return nn.Dense(self.size.projection, dtype=dtype, name="c_proj")(attended)


def _conv(channels: int, side: int, dtype: str, *, name: str, stride: int = 1) -> nn.Conv:
    padding = [(side // 2, side // 2)] * 2
    return nn.Conv(channels, (side, side), stride, padding=padding, use_bias=False, dtype=dtype, name=name)
