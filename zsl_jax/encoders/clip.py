"""CLIP and SigLIP: an image tower and a text tower that meet in one space, with a learned scale.

    CLIP     image   class token and patches -> norm -> transformer -> norm -> the token -> projection
             text    tokens, causal -> norm -> the place of the end-of-text token -> projection
    SigLIP   image   patches -> transformer -> norm -> attention of a probe to all places
             text    tokens -> norm -> the last place -> a dense layer
    score    exp(scale) cos(image, text) + bias                  CLIP has no bias

Modules carry the names of the published checkpoints of Hugging Face; `clip_files` brings others to them.

Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai,
Mustafa, Kolesnikov, Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zsl_jax.encoders import scaling as scaling_lib
from zsl_jax.encoders import transformer


class VisionSize(NamedTuple):
    """The image tower: its transformer, sides of image and patch in pixels, and the width of the common space."""

    shape: transformer.Shape
    image_size: int
    patch_size: int
    projection: int
    siglip: bool = False


class TextSize(NamedTuple):
    """The text tower: its transformer, its vocabulary, the longest text in tokens, and the width of the common space.

    `end` is the token whose place is read (CLIP); None reads the place of the largest id, as OpenAI's do.
    """

    shape: transformer.Shape
    vocabulary: int
    positions: int
    projection: int
    end: int | None = None
    siglip: bool = False


class ImageTower(nn.Module):
    """`images [B, S, S, 3]`, uint8 or float in [0, 1], to `[B, D]`, not normalised."""

    size: VisionSize

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> jax.Array:
        del train
        scaled = scaling_lib.scaled(images, "symmetric" if self.size.siglip else "clip")
        x = _Vision(self.size, name="vision_model")(scaled)
        if self.size.siglip:
            return x
        dtype = self.size.shape.dtype
        return nn.Dense(self.size.projection, use_bias=False, dtype=dtype, name="visual_projection")(x)


class TextTower(nn.Module):
    """Token ids `[B, L]` to `[B, D]`, not normalised; `words [B, L, D]` take the place of the vectors of the ids."""

    size: TextSize

    @nn.compact
    def __call__(self, ids: jax.Array, mask: jax.Array | None = None, words: jax.Array | None = None) -> jax.Array:
        del mask  # what fills up a text comes after its end, where nothing looks
        x = _Text(self.size, name="text_model")(ids, words)
        if self.size.siglip:
            return x
        dtype = self.size.shape.dtype
        return nn.Dense(self.size.projection, use_bias=False, dtype=dtype, name="text_projection")(x)


class _Patches(nn.Module):
    size: VisionSize

    @nn.compact
    def __call__(self, images):
        size, width = self.size, self.size.shape.width
        steps = (size.patch_size, size.patch_size)
        patches = nn.Conv(
            width, steps, steps, padding="VALID", use_bias=size.siglip, dtype=size.shape.dtype, name="patch_embedding"
        )(images)
        x = patches.reshape(images.shape[0], -1, width).astype(jnp.float32)
        if not size.siglip:
            token = self.param("class_embedding", nn.initializers.normal(0.02), (width,))
            x = jnp.concatenate([jnp.broadcast_to(token[None, None], (x.shape[0], 1, width)), x], axis=1)
        places = (size.image_size // size.patch_size) ** 2 + (not size.siglip)
        return x + transformer.Table(places, width, name="position_embedding")(jnp.arange(x.shape[1]))[None]


class _Vision(nn.Module):
    size: VisionSize

    @nn.compact
    def __call__(self, images):
        shape = self.size.shape
        x = _Patches(self.size, name="embeddings")(images)
        if self.size.siglip:
            x = transformer.Transformer(shape, name="encoder")(x)
            return _Probe(shape, name="head")(transformer.layer_norm(shape, name="post_layernorm")(x))
        x = transformer.layer_norm(shape, name="pre_layrnorm")(x)
        x = transformer.Transformer(shape, name="encoder")(x)
        return transformer.layer_norm(shape, name="post_layernorm")(x[:, 0])


class _Probe(nn.Module):
    """Attention of one learned query to all places, then a perceptron: SigLIP's pooling."""

    shape: transformer.Shape

    @nn.compact
    def __call__(self, x):
        probe = self.param("probe", nn.initializers.normal(0.02), (1, 1, self.shape.width))
        query = jnp.broadcast_to(probe, (x.shape[0], 1, self.shape.width))
        attended = _CrossAttention(self.shape, name="attention")(query, x).astype(jnp.float32)
        y = transformer.layer_norm(self.shape, name="layernorm")(attended)
        return (attended + transformer.Mlp(self.shape, name="mlp")(y).astype(jnp.float32))[:, 0]


class _CrossAttention(nn.Module):
    """Attention with one matrix for query, key and value, as torch's module keeps it."""

    shape: transformer.Shape

    @nn.compact
    def __call__(self, query, x):
        width, heads, dtype = self.shape.width, self.shape.heads, self.shape.dtype
        matrix = self.param("in_proj_weight", nn.initializers.lecun_normal(), (3 * width, width))
        bias = self.param("in_proj_bias", nn.initializers.zeros, (3 * width,))
        parts = []
        for number, given in enumerate((query, x, x)):
            rows = slice(number * width, (number + 1) * width)
            made = given.astype(dtype) @ matrix[rows].T.astype(dtype) + bias[rows].astype(dtype)[None, None]
            parts.append(made.reshape(*given.shape[:2], heads, -1))
        attended = jax.nn.dot_product_attention(*parts).reshape(query.shape)
        return nn.Dense(width, dtype=dtype, name="out_proj")(attended)


class _Text(nn.Module):
    size: TextSize

    @nn.compact
    def __call__(self, ids, words):
        size, shape = self.size, self.size.shape
        x = _Tokens(size, name="embeddings")(ids, words)
        x = transformer.Transformer(shape, causal=not size.siglip, name="encoder")(x)
        x = transformer.layer_norm(shape, name="final_layer_norm")(x)
        if size.siglip:
            return nn.Dense(size.projection, dtype=shape.dtype, name="head")(x[:, -1])
        ends = jnp.argmax(ids if size.end is None else ids == size.end, axis=1)
        return jnp.take_along_axis(x, ends[:, None, None], axis=1)[:, 0]


class _Tokens(nn.Module):
    size: TextSize

    @nn.compact
    def __call__(self, ids, words):
        width = self.size.shape.width
        if words is None:
            words = transformer.Table(self.size.vocabulary, width, name="token_embedding")(ids)
        places = transformer.Table(self.size.positions, width, name="position_embedding")(jnp.arange(ids.shape[1]))
        return words + places[None]
