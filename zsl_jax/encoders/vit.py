"""The vision transformer: an image as a sequence of patches.

    x = [class token, W patch_1, W patch_2, ...] + positions
    x <- x + attention(norm(x));   x <- x + mlp(norm(x))         depth times
    embedding = norm(x)[class token], or the mean of norm(x) over the patches

Public weights differ in a few parts, listed in `VARIANTS`: two tokens (DeiT distilled), a factor per channel on what a
block adds (DINOv2), a normalisation before the blocks (CLIP), no token and attention pooling (SigLIP).

A frozen ViT learns by memory: M tokens of each block and one token that reads them, which all others do not see,

    task <- task + attention(task; norm([x, task, memory])),    embedding = norm(task)

so that what the ViT says of its own tokens and patches stays as it is.

References: Dosovitskiy, Beyer, Kolesnikov et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at
Scale", ICLR 2021; the sizes Ti and S as in Touvron, Cord, Douze et al., "Training data-efficient image transformers &
distillation through attention", ICML 2021; Oquab, Darcet, Moutakanni et al., "DINOv2: Learning Robust Visual Features
without Supervision", TMLR 2024; Radford, Kim, Hallacy et al., "Learning Transferable Visual Models From Natural
Language Supervision", ICML 2021; Zhai, Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training",
ICCV 2023; of memory, Sandler, Zhmoginov, Vladymyrov, Jackson, "Fine-tuning Image Transformers using Learnable Memory",
CVPR 2022. Modules carry the names that timm gives them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax import errors
from zsl_jax.encoders import scaling as scaling_lib
from zsl_jax.encoders import transformer

POOLS = ("token", "mean")


class Variant(NamedTuple):
    """What a family of public weights has beside the parts of the first vision transformer.

    Fields:
      tokens: learned tokens before the patches; without one, a learned query attends to all places instead.
      norm_before: whether tokens and patches are normalised before the first block; the patches have no bias then.
      layer_scale: whether what a block adds is multiplied by a learned factor per channel.
      epsilon: of the normalisations.
      activation: a name in `transformer.ACTIVATIONS`.
    """

    tokens: tuple[str, ...] = ("cls_token",)
    norm_before: bool = False
    layer_scale: bool = False
    epsilon: float = 1e-6
    activation: str = "gelu"


VARIANTS = {
    "plain": Variant(),
    "distilled": Variant(tokens=("cls_token", "dist_token")),
    "dinov2": Variant(layer_scale=True),
    "clip": Variant(norm_before=True, epsilon=1e-5),
    "clip_quickgelu": Variant(norm_before=True, epsilon=1e-5, activation="quick_gelu"),
    "siglip": Variant(tokens=()),
}


class ViT(nn.Module):
    """A vision transformer without its classifier; the position embeddings fit one size of image.

    `zsl_jax.encoders.weights` interpolates those of a checkpoint to another size.

    Args:
      width: D.
      depth: blocks.
      num_heads: of the attention, a divisor of `width`.
      patch: height and width of a patch, pixels.
      pool: `token` for the class token (the mean of both tokens, or the attention pooling, where the variant has
        these), `mean` for the mean over the patches. The parameters are the same, so that the same checkpoints load.
      variant: see `VARIANTS`.
      scaling: of the pixels, see `zsl_jax.encoders.scaling`; timm's weights of Dosovitskiy et al. want `symmetric`.
      dtype: of the products of matrices; normalisation and softmax are float32.
      remat: whether the backward pass computes the blocks once more instead of keeping what is inside them.
      memory: learned tokens of each block, in a collection of variables of that name; 0 for none. With any the
        embedding is that of the token that reads them.
    """

    width: int
    depth: int
    num_heads: int
    patch: int
    pool: str
    variant: Variant
    scaling: str
    dtype: Any
    remat: bool
    memory: int = 0

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool, local: bool = False, stages: bool = False):
        """Returns embeddings `[B, D]` of `images [B, H, W, 3]`, uint8 or float in [0, 1].

        With `local=True` also those of the patches, `[B, H*W / patch^2, D]`; with `stages=True` also the patches that
        leave each block, a tuple of `[B, H / patch, W / patch, D]`.

        Raises:
          UserError: height or width is no multiple of `patch`, or not that of the weights.
        """
        del train  # nothing in here is different then
        batch, height, width, _ = images.shape
        _check_size(height, width, self.patch)
        variant = self.variant
        x = PatchEmbed(self.width, self.patch, not variant.norm_before, dtype=self.dtype, name="patch_embed")(
            scaling_lib.scaled(images, self.scaling)
        ).astype(jnp.float32)
        tokens = [
            jnp.broadcast_to(
                self.param(name, nn.initializers.truncated_normal(0.02), (1, 1, self.width)), (batch, 1, self.width)
            )
            for name in variant.tokens
        ]
        x = jnp.concatenate([*tokens, x], axis=1)
        self._check_positions(x.shape[1], height, width)
        x = x + self.param("pos_embed", nn.initializers.truncated_normal(0.02), (1, x.shape[1], self.width))
        if variant.norm_before:
            x = layer_norm(variant, name="norm_pre")(x)
        num_places = x.shape[1]
        if self.memory:
            x = jnp.concatenate([x, jnp.broadcast_to(self._memory("task_token", 1), (batch, 1, self.width))], axis=1)
        block = nn.remat(Block) if self.remat else Block
        maps = []
        for i in range(self.depth):
            memory = self._memory(f"memory_{i}", self.memory) if self.memory else None
            x = block(self.num_heads, variant, dtype=self.dtype, name=f"blocks_{i}")(x, memory)
            patches = x[:, len(tokens) : num_places]
            maps.append(patches.reshape(batch, height // self.patch, width // self.patch, self.width))
        x = layer_norm(variant, name="norm")(x)
        patches = x[:, len(tokens) : num_places]
        if self.memory:
            embeddings = x[:, num_places]
        elif tokens:
            embeddings = jnp.mean(x[:, : len(tokens)], axis=1)
        else:
            embeddings = AttentionPool(self.num_heads, variant, dtype=self.dtype, name="attn_pool")(x)
        if self.pool == "mean":
            embeddings = jnp.mean(patches, axis=1)
        if stages:
            return embeddings, tuple(maps)
        return (embeddings, patches) if local else embeddings

    def _memory(self, name: str, count: int) -> jax.Array:
        """Learned tokens `[1, count, D]`, beside the parameters."""

        def start():
            shape = (1, count, self.width)
            return nn.initializers.truncated_normal(0.02)(self.make_rng("params"), shape)

        return self.variable("memory", name, start).value

    def _check_positions(self, wanted: int, height: int, width: int) -> None:
        if not self.has_variable("params", "pos_embed"):
            return
        known = self.get_variable("params", "pos_embed").shape[1]
        if known != wanted:
            tokens = len(self.variant.tokens)
            side = round((known - tokens) ** 0.5) * self.patch
            raise errors.UserError(
                f"this ViT was made for images of {known - tokens} patches ({side} x {side}), not of {wanted - tokens} "
                f"({height} x {width})"
            )


class PatchEmbed(nn.Module):
    """Patches, each through the same linear map; `[B, H, W, 3] -> [B, patches, width]`."""

    width: int
    patch: int
    bias: bool
    dtype: Any

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        size = (self.patch, self.patch)
        proj = nn.Conv(self.width, size, size, padding="VALID", use_bias=self.bias, dtype=self.dtype, name="proj")
        x = proj(images)
        return x.reshape(x.shape[0], -1, self.width)


class Block(nn.Module):
    """Attention and a perceptron of width 4 D, each after a normalisation and added to its input; `[B, L, D]`.

    With `memory [1, M, D]` the last of the L places reads it, and is seen by no other.
    """

    num_heads: int
    variant: Variant
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, memory: jax.Array | None = None) -> jax.Array:
        variant, dtype = self.variant, self.dtype
        scaled = LayerScale if variant.layer_scale else lambda name: lambda y: y
        y = x
        if memory is not None:
            y = jnp.concatenate([x, jnp.broadcast_to(memory, (len(x), *memory.shape[1:]))], axis=1)
        y = layer_norm(variant, name="norm1")(y)
        y = Attention(self.num_heads, dtype=dtype, name="attn")(y, y.shape[1] - x.shape[1]).astype(x.dtype)
        x = x + scaled(name="ls1")(y)
        y = layer_norm(variant, name="norm2")(x)
        y = Mlp(4 * x.shape[-1], variant.activation, dtype=dtype, name="mlp")(y).astype(x.dtype)
        return x + scaled(name="ls2")(y)


class LayerScale(nn.Module):
    """A learned factor per channel, small at first; `[B, L, D] -> [B, L, D]`."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        gamma = self.param("gamma", nn.initializers.constant(1e-5), (x.shape[-1],))
        return x * gamma.reshape(1, 1, -1)


class AttentionPool(nn.Module):
    """What one learned query finds in all places, and a perceptron added to it; `[B, L, D] -> [B, D]`."""

    num_heads: int
    variant: Variant
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, length, width = x.shape
        sizes = (self.num_heads, width // self.num_heads)
        latent = self.param("latent", nn.initializers.truncated_normal(0.02), (1, 1, width))
        q = nn.Dense(width, dtype=self.dtype, name="q")(latent).reshape(1, 1, *sizes)
        k, v = jnp.moveaxis(nn.Dense(2 * width, dtype=self.dtype, name="kv")(x).reshape(batch, length, 2, *sizes), 2, 0)
        y = jax.nn.dot_product_attention(jnp.broadcast_to(q, (batch, 1, *sizes)), k, v).reshape(batch, 1, width)
        y = nn.Dense(width, dtype=self.dtype, name="proj")(y).astype(jnp.float32)
        hidden = layer_norm(self.variant, name="norm")(y)
        y = y + Mlp(4 * width, self.variant.activation, dtype=self.dtype, name="mlp")(hidden).astype(jnp.float32)
        return y[:, 0]


class Attention(nn.Module):
    """Self-attention, `softmax(q k^T / sqrt(D / heads)) v`; `[B, L, D] -> [B, L - memory, D]`.

    The last `memory` places only answer, and only to the last place before them, which the others do not see either.
    """

    num_heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, memory: int = 0) -> jax.Array:
        batch, length, width = x.shape
        qkv = nn.Dense(3 * width, dtype=self.dtype, name="qkv")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(batch, length, 3, self.num_heads, width // self.num_heads), 2, 0)
        mask = None
        if memory:
            asked = length - memory
            q, places = q[:, :asked], jnp.arange(length)
            mask = ((jnp.arange(asked)[:, None] == asked - 1) | (places < asked - 1)[None])[None, None]
        x = jax.nn.dot_product_attention(q, k, v, mask=mask).reshape(batch, -1, width)
        return nn.Dense(width, dtype=self.dtype, name="proj")(x)


class Mlp(nn.Module):
    """A hidden layer; `[B, L, D] -> [B, L, D]`."""

    num_hidden: int
    activation: str
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        activation = transformer.ACTIVATIONS[self.activation]
        hidden = activation(nn.Dense(self.num_hidden, dtype=self.dtype, name="fc1")(x))
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="fc2")(hidden)


def layer_norm(variant: Variant, *, name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=variant.epsilon, dtype=jnp.float32, name=name)


def _of_size(name: str, width: int, num_heads: int) -> Callable[..., ViT]:
    """Returns what makes the ViT of a width from its other knobs."""

    def make(
        *,
        depth: int = 12,
        patch: int = 16,
        pool: str = "token",
        variant: str = "plain",
        scaling: str = "symmetric",
        dtype: str = "float32",
        remat: bool = False,
        memory: int = 0,
    ) -> ViT:
        if memory and pool != "token":
            raise errors.UserError(f"memory={memory} is read by a token: pool should be token, not {pool}")
        if pool not in POOLS:
            raise errors.unknown("pool", pool, POOLS)
        if variant not in VARIANTS:
            raise errors.unknown("variant", variant, VARIANTS)
        scaling_lib.check(scaling)
        return ViT(width, depth, num_heads, patch, pool, VARIANTS[variant], scaling, jnp.dtype(dtype), remat, memory)

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
