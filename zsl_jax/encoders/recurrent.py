"""Encoders of text that read word after word, in both directions: tokens `[B, L]` to embeddings `[B, D]`.

    bilstm_attention    sum_l a_l h_l,      a = softmax_l w . tanh(W h_l + b)            a weight per word
    bilstm_max          max_l h_l                                                        the largest answer of each unit
    attentive_gru       sum_l a_l * h_l,    a = softmax_l V tanh(W h_l + b) + c          a weight per word and unit

h_l are the states of both directions at word l, side by side. Padding (token 0) stands at the end: it is neither read
nor pooled. Words are rows of a table that is learned, or of one that is given, see `text.vectors`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax.encoders import text


class BiLSTMAttention(nn.Module):
    """A weighted mean of the states of an LSTM in both directions.

    Args:
      hidden_width: entries of the state of each direction; D is twice that.
      attention_width: entries of the layer that the weights come from.
      vocabulary, embedding_width: of a table of words that is learned, as for `text.BagOfWords`.
      dropout: share of the entries of the embedding that a training step leaves out.

    >>> import jax, jax.numpy as jnp
    >>> module, tokens = BiLSTMAttention(hidden_width=3), jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), tokens, train=False)[0]).shape
    (2, 6)

    Reference: Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022, for texts on SNIPS; Yang
    et al., "Hierarchical Attention Networks for Document Classification", NAACL 2016.
    """

    hidden_width: int = 32
    attention_width: int = 20
    vocabulary: int = 4096
    embedding_width: int = 64
    dropout: float = 0.5

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        tokens = text.checked(inputs, "bilstm_attention")
        words, where = text.vectors(self, tokens, self.vocabulary, self.embedding_width)
        states = _both_ways(_LSTM, self.hidden_width, words, where)
        inner = nn.tanh(nn.Dense(self.attention_width, name="attention")(states))
        share = _shares(nn.Dense(1, name="weights")(inner), where)
        pooled = jnp.sum(share * states, axis=1)
        return nn.Dropout(self.dropout, deterministic=not train)(pooled)


class BiLSTMMax(nn.Module):
    """The largest value over the words of each entry of the states of an LSTM in both directions (InferSent).

    Args:
      hidden_width, vocabulary, embedding_width: as for `BiLSTMAttention`.
      dropout: share of the entries of the word vectors that a training step leaves out.

    >>> import jax, jax.numpy as jnp
    >>> module, tokens = BiLSTMMax(hidden_width=3), jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), tokens, train=False)[0]).shape
    (2, 6)

    Reference: Conneau, Kiela, Schwenk, Barrault, Bordes, "Supervised Learning of Universal Sentence Representations
    from Natural Language Inference Data", EMNLP 2017.
    """

    hidden_width: int = 64
    vocabulary: int = 4096
    embedding_width: int = 64
    dropout: float = 0.0

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        tokens = text.checked(inputs, "bilstm_max")
        words, where = text.vectors(self, tokens, self.vocabulary, self.embedding_width)
        words = nn.Dropout(self.dropout, deterministic=not train)(words)
        states = _both_ways(_LSTM, self.hidden_width, words, where)
        return text.masked_max(states, where)


class AttentiveGRU(nn.Module):
    """A mean of the states of a GRU in both directions, in which each entry has a weight of its own per word.

    Args:
      hidden_width, attention_width, vocabulary, embedding_width: as for `BiLSTMAttention`.
      dropout: share of the entries of the word vectors that a training step leaves out.

    >>> import jax, jax.numpy as jnp
    >>> module, tokens = AttentiveGRU(hidden_width=3), jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), tokens, train=False)[0]).shape
    (2, 6)

    Reference: Merkx, Frank, "Learning semantic sentence representations from visually grounded language without lexical
    knowledge", Natural Language Engineering 2019.
    """

    hidden_width: int = 64
    attention_width: int = 64
    vocabulary: int = 4096
    embedding_width: int = 64
    dropout: float = 0.0

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        tokens = text.checked(inputs, "attentive_gru")
        words, where = text.vectors(self, tokens, self.vocabulary, self.embedding_width)
        words = nn.Dropout(self.dropout, deterministic=not train)(words)
        states = _both_ways(_GRU, self.hidden_width, words, where)
        inner = nn.tanh(nn.Dense(self.attention_width, name="attention")(states))
        share = _shares(nn.Dense(states.shape[-1], name="weights")(inner), where)
        return jnp.sum(share * states, axis=1)


class _LSTM(nn.RNNCellBase):
    """A step of an LSTM, from what its gates read of the word: `z [B, 4H]`."""

    width: int
    gates = 4

    @nn.compact
    def __call__(self, carry, z):
        c, h = carry
        i, f, g, o = jnp.split(z + nn.Dense(4 * self.width, use_bias=False, name="state")(h), 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * nn.tanh(g)
        h = nn.sigmoid(o) * nn.tanh(c)
        return (c, h), h

    def initialize_carry(self, rng, input_shape):
        nothing = jnp.zeros((*input_shape[:-1], self.width))
        return nothing, nothing

    @property
    def num_feature_axes(self) -> int:
        return 1


class _GRU(nn.RNNCellBase):
    """A step of a GRU, from what its gates read of the word: `z [B, 3H]`."""

    width: int
    gates = 3

    @nn.compact
    def __call__(self, h, z):
        r, u, n = jnp.split(z, 3, axis=-1)
        of_r, of_u, of_n = jnp.split(nn.Dense(3 * self.width, name="state")(h), 3, axis=-1)
        keep = nn.sigmoid(u + of_u)
        h = (1 - keep) * nn.tanh(n + nn.sigmoid(r + of_r) * of_n) + keep * h
        return h, h

    def initialize_carry(self, rng, input_shape):
        return jnp.zeros((*input_shape[:-1], self.width))

    @property
    def num_feature_axes(self) -> int:
        return 1


def _both_ways(cell: Any, width: int, words: jax.Array, where: jax.Array) -> jax.Array:
    """The states of both directions at each word, `[B, L, 2 * width]`; those at padding say nothing.

    What the gates read of the words is one product for all of them: inside of the loop it would be most of the work.
    """
    lengths = jnp.sum(where, axis=1)
    found = []
    for name in ("forward", "backward"):
        read = nn.Dense(cell.gates * width, name=f"{name}_words")(words)
        backward = name == "backward"
        layer = nn.RNN(cell(width, name=name), reverse=backward, keep_order=backward)
        found.append(layer(read, seq_lengths=lengths))
    return jnp.concatenate(found, axis=-1)


def _shares(logits: jax.Array, where: jax.Array) -> jax.Array:
    """The softmax of `[B, L, K]` over the places in `where [B, L]`; 0 elsewhere, and where there is no place."""
    where = where[..., None]
    # A text without a word: all logits are 0, so that the gradient is finite.
    logits = jnp.where(where | ~jnp.any(where, axis=1, keepdims=True), logits, -jnp.inf)
    return jnp.where(where, jax.nn.softmax(logits, axis=1), 0.0)
