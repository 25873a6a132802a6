"""ResNet, version 1.5: residual blocks whose 3x3 convolution, not the 1x1 before it, carries the stride.

    basic (18, 34)          x -> 3x3 -> 3x3                        -> + x
    bottleneck (50, 101)    x -> 1x1 narrower -> 3x3 -> 1x1 wider  -> + x       batch normalisation after each

References: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016; the stride as in Goyal,
Dollár, Girshick et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", arXiv 2017, and in torchvision;
version D (three 3x3 convolutions first, the mean of 2x2 places before a 1x1 convolution that skips some) in He, Zhang,
Zhang, Zhang, Xie, Li, "Bag of Tricks for Image Classification with Convolutional Neural Networks", CVPR 2019, with
timm's names.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax.encoders import scaling as scaling_lib
from zsl_jax.encoders.batch_norm import batch_norm

_EXPANSION = 4  # how much wider a bottleneck's output is than its inside


class ResNet(nn.Module):
    """A ResNet without its classifier; D is 8 `width`, or 32 `width` with bottlenecks.

    Args:
      blocks: in each of the four stages.
      bottleneck: which of the two blocks.
      width: channels of the first stage, 64 in the paper.
      version_d: whether it is version D, and not 1.5.
      scaling: of the pixels, see `zsl_jax.encoders.scaling`.
      dtype: of the convolutions; normalisation is float32.
      remat: whether the backward pass computes the blocks once more instead of keeping what is inside them.
    """

    blocks: tuple[int, ...]
    bottleneck: bool
    width: int
    version_d: bool
    scaling: str
    dtype: Any
    remat: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool, local: bool = False, stages: bool = False):
        """Returns embeddings `[B, D]` of `images [B, H, W, 3]`, uint8 or float in [0, 1].

        With `local=True` also those of the places before pooling, `[B, H*W / 32^2, D]`; with `stages=True` also what
        leaves each stage, a tuple of `[B, h, w, channels]`.
        """
        x = scaling_lib.scaled(images, self.scaling)
        if self.version_d:
            for place, (features, stride) in {0: (self.width // 2, 2), 3: (self.width // 2, 1)}.items():
                x = _conv(features, 3, stride=stride, dtype=self.dtype, name=f"conv1_{place}")(x)
                x = nn.relu(batch_norm(train, name=f"conv1_{place + 1}")(x))
            x = _conv(self.width, 3, dtype=self.dtype, name="conv1_6")(x)
        else:
            x = _conv(self.width, 7, stride=2, dtype=self.dtype, name="conv1")(x)
        x = nn.relu(batch_norm(train, name="bn1")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        block = Bottleneck if self.bottleneck else Basic
        if self.remat:
            block = nn.remat(block)
        maps = []
        for stage, blocks in enumerate(self.blocks):
            for i in range(blocks):
                x = block(
                    width=self.width * 2**stage,
                    stride=2 if stage > 0 and i == 0 else 1,
                    version_d=self.version_d,
                    train=train,
                    dtype=self.dtype,
                    name=f"layer{stage + 1}_{i}",
                )(x)
            maps.append(x)
        places = x.reshape(x.shape[0], -1, x.shape[-1])
        embeddings = jnp.mean(places, axis=1)
        if stages:
            return embeddings, tuple(maps)
        return (embeddings, places) if local else embeddings


class Basic(nn.Module):
    """Two 3x3 convolutions and the way around them; `[B, H, W, D] -> [B, H / stride, W / stride, width]`."""

    width: int
    stride: int
    version_d: bool
    train: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = _conv(self.width, 3, stride=self.stride, dtype=self.dtype, name="conv1")(x)
        y = nn.relu(batch_norm(self.train, name="bn1")(y))
        y = _conv(self.width, 3, dtype=self.dtype, name="conv2")(y)
        y = batch_norm(self.train, name="bn2")(y)
        return nn.relu(y + _shortcut(x, self.width, self))


class Bottleneck(nn.Module):
    """Narrows to `width`, filters 3x3, widens fourfold; `[B, H, W, D] -> [B, H / stride, W / stride, 4 width]`."""

    width: int
    stride: int
    version_d: bool
    train: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = _conv(self.width, 1, dtype=self.dtype, name="conv1")(x)
        y = nn.relu(batch_norm(self.train, name="bn1")(y))
        y = _conv(self.width, 3, stride=self.stride, dtype=self.dtype, name="conv2")(y)
        y = nn.relu(batch_norm(self.train, name="bn2")(y))
        y = _conv(_EXPANSION * self.width, 1, dtype=self.dtype, name="conv3")(y)
        y = batch_norm(self.train, name="bn3")(y)
        return nn.relu(y + _shortcut(x, _EXPANSION * self.width, self))


def resnet18(*, width: int = 64, scaling: str = "imagenet", dtype: str = "float32", remat: bool = False) -> ResNet:
    """ResNet-18; D = 512 at width 64."""
    return _resnet((2, 2, 2, 2), False, width, scaling, dtype, remat)


def resnet34(*, width: int = 64, scaling: str = "imagenet", dtype: str = "float32", remat: bool = False) -> ResNet:
    """ResNet-34; D = 512 at width 64."""
    return _resnet((3, 4, 6, 3), False, width, scaling, dtype, remat)


def resnet50(*, width: int = 64, scaling: str = "imagenet", dtype: str = "float32", remat: bool = False) -> ResNet:
    """ResNet-50; D = 2048 at width 64."""
    return _resnet((3, 4, 6, 3), True, width, scaling, dtype, remat)


def resnet50d(*, width: int = 64, scaling: str = "imagenet", dtype: str = "float32", remat: bool = False) -> ResNet:
    """ResNet-50, version D; D = 2048 at width 64."""
    return _resnet((3, 4, 6, 3), True, width, scaling, dtype, remat, version_d=True)


def resnet101(*, width: int = 64, scaling: str = "imagenet", dtype: str = "float32", remat: bool = False) -> ResNet:
    """ResNet-101; D = 2048 at width 64."""
    return _resnet((3, 4, 23, 3), True, width, scaling, dtype, remat)


def _resnet(
    blocks: tuple[int, ...],
    bottleneck: bool,
    width: int,
    scaling: str,
    dtype: str,
    remat: bool,
    *,
    version_d: bool = False,
) -> ResNet:
    scaling_lib.check(scaling)
    return ResNet(blocks, bottleneck, width, version_d, scaling, jnp.dtype(dtype), remat)


def _conv(features: int, side: int, *, stride: int = 1, dtype: Any, name: str) -> nn.Conv:
    return nn.Conv(
        features,
        (side, side),
        stride,
        padding=side // 2,
        use_bias=False,
        kernel_init=nn.initializers.variance_scaling(2.0, "fan_out", "truncated_normal"),
        dtype=dtype,
        name=name,
    )


def _shortcut(x: jax.Array, features: int, block: Basic | Bottleneck) -> jax.Array:
    """`x` itself, or brought to the shape that the block gives it."""
    if block.stride == 1 and x.shape[-1] == features:
        return x
    stride, place = block.stride, 0
    if block.version_d:
        if stride > 1:
            x = nn.avg_pool(x, (stride,) * 2, (stride,) * 2, "SAME", count_include_pad=False)
        stride, place = 1, 1
    x = _conv(features, 1, stride=stride, dtype=block.dtype, name=f"downsample_{place}")(x)
    return batch_norm(block.train, name=f"downsample_{place + 1}")(x)
