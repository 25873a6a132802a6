"""The vision transformer: an image as a sequence of patches.

    x = [class token, W patch_1, W patch_2, ...] + positions
    x <- x + attention(norm(x));   x <- x + mlp(norm(x))         depth times
    embedding = norm(x)[class token], or the mean of norm(x) over the patches

References: Dosovitskiy, Beyer, Kolesnikov et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at
Scale", ICLR 2021; the sizes Ti and S as in Touvron, Cord, Douze et al., "Training data-efficient image transformers &
distillation through attention", ICML 2021. Modules carry the names that timm gives them.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.encoders import scaling as scaling_lib

POOLS = ("token", "mean")


class ViT(nn.Module):
    """A vision transformer without its classifier; the position embeddings fit one size of image.

    `zsl_jax.encoders.weights` interpolates those of a checkpoint to another size.

    Args:
      width: D.
      depth: blocks.
      num_heads: of the attention, a divisor of `width`.
      patch: height and width of a patch, pixels.
      pool: `token` for the class token, `mean` for the mean over the patches. The class token is there in both, so that
        the same checkpoints load.
      scaling: of the pixels, see `zsl_jax.encoders.scaling`; timm's weights of Dosovitskiy et al. want `symmetric`.
      dtype: of the products of matrices; normalisation and softmax are float32.
      remat: whether the backward pass computes the blocks once more instead of keeping what is inside them.
    """

    width: int
    depth: int
    num_heads: int
    patch: int
    pool: str
    scaling: str
    dtype: Any
    remat: bool

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool, local: bool = False):
        """Returns embeddings `[B, D]` of `images [B, H, W, 3]`, uint8 or float in [0, 1].

        With `local=True` also those of the patches, `[B, H*W / patch^2, D]`.

        Raises:
          UserError: height or width is no multiple of `patch`, or not that of the weights.
        """
        del train  # nothing in here is different then
        batch, height, width, _ = images.shape
        _check_size(height, width, self.patch)
        x = PatchEmbed(self.width, self.patch, dtype=self.dtype, name="patch_embed")(
            scaling_lib.scaled(images, self.scaling)
        )
        token = self.param("cls_token", nn.initializers.truncated_normal(0.02), (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(token, (batch, 1, self.width)), x.astype(jnp.float32)], axis=1)
        self._check_positions(x.shape[1], height, width)
        x = x + self.param("pos_embed", nn.initializers.truncated_normal(0.02), (1, x.shape[1], self.width))
        block = nn.remat(Block) if self.remat else Block
        for i in range(self.depth):
            x = block(self.num_heads, dtype=self.dtype, name=f"blocks_{i}")(x)
        x = layer_norm(name="norm")(x)
        token, patches = x[:, 0], x[:, 1:]
        embeddings = token if self.pool == "token" else jnp.mean(patches, axis=1)
        return (embeddings, patches) if local else embeddings

    def _check_positions(self, wanted: int, height: int, width: int) -> None:
        if not self.has_variable("params", "pos_embed"):
            return
        known = self.get_variable("params", "pos_embed").shape[1]
        if known != wanted:
            side = round((known - 1) ** 0.5) * self.patch
            raise errors.UserError(
                f"this ViT was made for images of {known - 1} patches ({side} x {side}), not of {wanted - 1} "
                f"({height} x {width})"
            )


class PatchEmbed(nn.Module):
    """Patches, each through the same linear map; `[B, H, W, 3] -> [B, patches, width]`."""

    width: int
    patch: int
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        size = (self.patch, self.patch)
        x = nn.Conv(self.width, size, size, padding="VALID", dtype=self.dtype, name="proj")(images)
        return x.reshape(x.shape[0], -1, self.width)


class Block(nn.Module):
    """Attention and a perceptron of width 4 D, each after a normalisation and added to its input; `[B, L, D]`."""

    num_heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = layer_norm(name="norm1")(x)
        x = x + Attention(self.num_heads, dtype=self.dtype, name="attn")(y).astype(x.dtype)
        y = layer_norm(name="norm2")(x)
        return x + Mlp(4 * x.shape[-1], dtype=self.dtype, name="mlp")(y).astype(x.dtype)


class Attention(nn.Module):
    """Self-attention, `softmax(q k^T / sqrt(D / heads)) v`; `[B, L, D] -> [B, L, D]`."""

    num_heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, length, width = x.shape
        qkv = nn.Dense(3 * width, dtype=self.dtype, name="qkv")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(batch, length, 3, self.num_heads, width // self.num_heads), 2, 0)
        x = jax.nn.dot_product_attention(q, k, v).reshape(batch, length, width)
        return nn.Dense(width, dtype=self.dtype, name="proj")(x)


class Mlp(nn.Module):
    """A hidden layer with GELU; `[B, L, D] -> [B, L, D]`."""

    num_hidden: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = nn.gelu(nn.Dense(self.num_hidden, dtype=self.dtype, name="fc1")(x), approximate=False)
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="fc2")(hidden)


def layer_norm(*, name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name=name)


def _of_size(name: str, width: int, num_heads: int) -> Callable[..., ViT]:
    """Returns what makes the ViT of a width from its other knobs."""

    def make(
        *,
        depth: int = 12,
        patch: int = 16,
        pool: str = "token",
        scaling: str = "symmetric",
        dtype: str = "float32",
        remat: bool = False,
    ) -> ViT:
        if pool not in POOLS:
            raise errors.unknown("pool", pool, POOLS)
        scaling_lib.check(scaling)
        return ViT(width, depth, num_heads, patch, pool, scaling, jnp.dtype(dtype), remat)

    make.__doc__ = f"ViT-{name}; D = {width}."
    return make


vit_tiny = _of_size("Ti", 192, 3)
vit_small = _of_size("S", 384, 6)
vit_base = _of_size("B", 768, 12)


def _check_size(height: int, width: int, patch: int) -> None:
    if height % patch or width % patch or not height or not width:
        near = max(patch, round(height / patch) * patch)
        raise errors.UserError(
            f"a ViT with patches of {patch} pixels takes images whose sides are multiples of {patch}, such as {near}, "
            f"not {height} x {width}"
        )
