"""BERT as a sentence encoder: token ids in, the mean of the last layer's tokens out, of unit length.

    x = LN(word + position + type);   each layer: x = LN(x + attention(x)),  x = LN(x + W_2 gelu(W_1 x))
    e = sum_l m_l x_l / sum_l m_l,    e / ||e||

Modules and parameters carry the names of the published checkpoints, so that `encoders.weights` assigns them.

Reference: Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019; Reimers, Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", EMNLP
2019.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import similarity
from zsl_jax.encoders import transformer

POOLS = ("mean", "cls")


class Size(NamedTuple):
    """The numbers of a published `config.json`, under their names there.

    Fields:
      vocab_size: rows of the table of word vectors.
      hidden_size: D.
      num_hidden_layers, num_attention_heads, intermediate_size: of the layers.
      max_position_embeddings: tokens of the longest text.
      type_vocab_size: kinds of segment.
      layer_norm_eps: of the layer normalisations.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Bert(nn.Module):
    """The encoder of texts `[B, L]` token ids with their mask `[B, L]`; returns `[B, D]`, of unit length.

    `words [B, L, D]` take the place of the vectors that the ids have, for prompts that are learned.

    Args:
      size: of the model.
      pool: `mean` over the tokens, or `cls`, the first one; `layers` for the mean over the tokens of what each layer
        reads and of what the last one gives, `[B, layers + 1, D]`.
      dtype: of products; normalisations, softmax and what goes from layer to layer are float32.
      scan: whether the layers are one scanned program, their weights stacked by `transformer.stacked`.
      remat: whether the backward pass computes layers once more.
    """

    size: Size
    pool: str = "mean"
    dtype: str = "float32"
    scan: bool = False
    remat: bool = False

    @nn.compact
    def __call__(self, ids: jax.Array, mask: jax.Array, words: jax.Array | None = None) -> jax.Array:
        x = _Embeddings(self.size, name="embeddings")(ids, words)
        x, read = _Encoder(self.size, self.dtype, self.scan, self.remat, name="encoder")(x, mask)
        if self.pool == "cls":
            return similarity.l2_normalize(x[:, 0])
        share = mask.astype(x.dtype)[:, :, None]

        def mean(x):
            return similarity.l2_normalize(jnp.sum(x * share, axis=1) / jnp.maximum(jnp.sum(share, axis=1), 1.0))

        return jnp.stack([mean(each) for each in (*read, x)], axis=1) if self.pool == "layers" else mean(x)


class _Embeddings(nn.Module):
    size: Size

    @nn.compact
    def __call__(self, ids, words):
        size = self.size
        if words is None:
            words = transformer.Table(size.vocab_size, size.hidden_size, name="word_embeddings")(ids)
        places = transformer.Table(size.max_position_embeddings, size.hidden_size, name="position_embeddings")(
            jnp.arange(ids.shape[1])
        )
        kind = transformer.Table(size.type_vocab_size, size.hidden_size, name="token_type_embeddings")(
            jnp.zeros(1, jnp.int32)
        )
        return nn.LayerNorm(size.layer_norm_eps, name="LayerNorm")(words + places[None] + kind[None])


class _Encoder(nn.Module):
    size: Size
    dtype: str
    scan: bool
    remat: bool

    @nn.compact
    def __call__(self, x, mask):
        layer = nn.remat(_Layer) if self.remat else _Layer
        if self.scan:
            over = nn.scan(
                lambda module, x, mask: (module(x, mask), x),
                variable_axes={"params": 0},
                split_rngs={"params": True},
                in_axes=nn.broadcast,
                length=self.size.num_hidden_layers,
            )
            return over(layer(self.size, self.dtype, name="layer"), x, mask)
        read = []
        for number in range(self.size.num_hidden_layers):
            read.append(x)
            x = layer(self.size, self.dtype, name=f"layer_{number}")(x, mask)
        return x, read


class _Layer(nn.Module):
    size: Size
    dtype: str

    @nn.compact
    def __call__(self, x, mask):
        x = _Attention(self.size, self.dtype, name="attention")(x, mask)
        hidden = _Dense(self.size.intermediate_size, self.dtype, name="intermediate")(x)
        return _Residual(self.size, self.dtype, name="output")(jax.nn.gelu(hidden, approximate=False), x)


class _Attention(nn.Module):
    size: Size
    dtype: str

    @nn.compact
    def __call__(self, x, mask):
        attended = _SelfAttention(self.size, self.dtype, name="self")(x, mask)
        return _Residual(self.size, self.dtype, name="output")(attended, x)


class _SelfAttention(nn.Module):
    size: Size
    dtype: str

    @nn.compact
    def __call__(self, x, mask):
        heads = self.size.num_attention_heads
        shape = (*x.shape[:2], heads, self.size.hidden_size // heads)
        query, key, value = (
            nn.Dense(self.size.hidden_size, dtype=self.dtype, name=name)(x).reshape(shape)
            for name in ("query", "key", "value")
        )
        attended = jax.nn.dot_product_attention(query, key, value, mask=mask[:, None, None, :].astype(bool))
        return attended.reshape(x.shape)


class _Dense(nn.Module):
    width: int
    dtype: str

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.width, dtype=self.dtype, name="dense")(x)


class _Residual(nn.Module):
    """A dense layer, what came before it, and a normalisation of their sum."""

    size: Size
    dtype: str

    @nn.compact
    def __call__(self, x, before):
        x = nn.Dense(self.size.hidden_size, dtype=self.dtype, name="dense")(x).astype(before.dtype)
        return nn.LayerNorm(self.size.layer_norm_eps, name="LayerNorm")(x + before)
