"""Encoders of text: tokens `[B, L]` to embeddings `[B, D]`. Token 0 is padding and changes nothing.

    bag              the mean of the vectors of words and n-grams of words, then dense layers
    deep_averaging   the same with pairs of words beside the words
    text_cnn         windows of a few words, the largest answer of each over the text
    transformer      self-attention between the words, their mean

Tokens are numbers of any size, such as the hashes of `class_encoders.tokens`, which each encoder folds into a table
that it learns; or rows of a table of word vectors that is given, see `vectors`. `recurrent` has encoders that read word
after word.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors

GIVEN = "words"  # the collection of variables with a table of words that is not trained


class BagOfWords(nn.Module):
    """`relu(... W_1 mean_l E[t_l] ...)` over the words and the n-grams of up to `ngrams` words.

    Args:
      widths: of the layers; the last is D.
      vocabulary: rows of the table, one of them for padding; tokens that fall together share a vector.
      embedding_width: of the table.
      ngrams: words in a row, at most, that have a vector of their own.
      dropout: share of the tokens that a training step leaves out.
      dtype: of the products of matrices; the mean is float32, and so is what comes out.
      remat: whether the backward pass computes the layers once more instead of keeping what is inside.

    >>> import jax, jax.numpy as jnp
    >>> tokens = jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> BagOfWords(widths=(4,)).init_with_output(jax.random.key(0), tokens, train=False)[0].shape
    (2, 4)

    Reference: Iyyer, Manjunatha, Boyd-Graber, Daume III, "Deep Unordered Composition Rivals Syntactic Methods for Text
    Classification", ACL 2015; n-grams: Joulin, Grave, Bojanowski, Mikolov, "Bag of Tricks for Efficient Text
    Classification", EACL 2017.
    """

    widths: tuple[int, ...] = (128, 64)
    vocabulary: int = 4096
    embedding_width: int = 64
    ngrams: int = 1
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        words = checked(inputs, "bag")
        tokens = ngram_tokens(words, self.ngrams)
        found, where = vectors(self, tokens, self.vocabulary, self.embedding_width, words=words.shape[1])
        if train and self.dropout:
            where &= jax.random.bernoulli(self.make_rng("dropout"), 1 - self.dropout, where.shape)
        x = masked_mean(found, where)

        def layer(module, x, number):
            return nn.Dense(self.widths[number], dtype=jnp.dtype(self.dtype))(nn.relu(x) if number else x)

        if self.remat:
            layer = nn.remat(layer, static_argnums=2)
        for number in range(len(self.widths)):
            x = layer(self, x, number)
        return x.astype(jnp.float32)


def deep_averaging(
    *,
    widths: tuple[int, ...] = (128, 64),
    vocabulary: int = 4096,
    embedding_width: int = 64,
    ngrams: int = 2,
    dropout: float = 0.0,
) -> BagOfWords:
    """Returns the `BagOfWords` of words and pairs of words: `W_2 relu(W_1 mean [E[t_l], ..., E[t_l t_(l+1)], ...])`.

    Where word vectors are given, those of pairs are learned beside them.

    Reference: Cer et al., "Universal Sentence Encoder", 2018; Iyyer, Manjunatha, Boyd-Graber, Daume III, "Deep
    Unordered Composition Rivals Syntactic Methods for Text Classification", ACL 2015.
    """
    return BagOfWords(widths, vocabulary, embedding_width, ngrams, dropout)


class TextCNN(nn.Module):
    """Windows of `windows` words, `max_l relu(W_n [E[t_l], ..., E[t_(l+n-1)]])`, the answers side by side and a layer.

    Args:
      width: D.
      vocabulary, embedding_width: as for `BagOfWords`.
      windows: numbers of words.
      channels: answers of each window.
      dtype: of the products of matrices; what comes out is float32.
      remat: whether the backward pass computes the windows once more instead of keeping what is inside.

    >>> import jax, jax.numpy as jnp
    >>> tokens = jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> TextCNN(width=4).init_with_output(jax.random.key(0), tokens, train=False)[0].shape
    (2, 4)

    Reference: Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014.
    """

    width: int = 64
    vocabulary: int = 4096
    embedding_width: int = 64
    windows: tuple[int, ...] = (1, 2, 3)
    channels: int = 64
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        del train
        words, where = vectors(self, checked(inputs, "text_cnn"), self.vocabulary, self.embedding_width)
        words = jnp.where(where[..., None], words, 0.0)
        length, dtype = words.shape[1], jnp.dtype(self.dtype)

        def answer(module, words, size):
            # A window may hang over the end, where it sees zeros, but must hold a word.
            padded = jnp.pad(words, ((0, 0), (0, size - 1), (0, 0)))
            window = jnp.concatenate([padded[:, i : i + length] for i in range(size)], axis=-1)
            answers = nn.relu(nn.Dense(self.channels, dtype=dtype)(window))
            return jnp.max(jnp.where(where[..., None], answers, 0.0), axis=1)

        if self.remat:
            answer = nn.remat(answer, static_argnums=2)
        answers = [answer(self, words, size) for size in self.windows]
        return nn.Dense(self.width, dtype=dtype)(jnp.concatenate(answers, axis=-1)).astype(jnp.float32)


class TextTransformer(nn.Module):
    """Blocks of self-attention and a dense layer of 4 times the width, each added to what it reads; the mean of words.

    `x + attention(LayerNorm(x))`, then `x + W_2 gelu(W_1 LayerNorm(x))`; padding is attended by no word.

    Args:
      width: D, a multiple of `heads`.
      vocabulary: as for `BagOfWords`.
      depth: blocks.
      heads: of the attention.
      positions: words that have a place of their own; a longer text is refused.
      dropout: share of the entries that a training step leaves out of what a block adds.
      dtype: of the products of matrices; normalisation and softmax are float32, and so is what comes out.
      remat: whether the backward pass computes the blocks once more instead of keeping what is inside.

    Raises:
      UserError: a text longer than `positions`, or a width that the heads do not divide.

    >>> import jax, jax.numpy as jnp
    >>> module, tokens = TextTransformer(width=8, depth=1, heads=2), jnp.array([[7, 9, 0], [9, 0, 0]])
    >>> jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), tokens, train=False)[0]).shape
    (2, 8)

    Reference: Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    width: int = 64
    vocabulary: int = 4096
    depth: int = 2
    heads: int = 4
    positions: int = 128
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        tokens = checked(inputs, "transformer")
        length = tokens.shape[1]
        if length > self.positions:
            raise errors.UserError(
                f"a text of {length} tokens is longer than positions={self.positions} of the encoder"
            )
        if self.width % self.heads:
            raise errors.UserError(f"width={self.width} of the transformer is not a multiple of heads={self.heads}")
        x, where = vectors(self, tokens, self.vocabulary, self.width)
        if x.shape[-1] != self.width:
            x = nn.Dense(self.width, name="words")(x)
        places = self.param("places", nn.initializers.normal(0.02), (self.positions, self.width))
        x = x + places[None, :length]
        drop = nn.Dropout(self.dropout, deterministic=not train)
        dtype = jnp.dtype(self.dtype)

        def block(module, x, where):
            attention = nn.MultiHeadDotProductAttention(self.heads, dtype=dtype, force_fp32_for_softmax=True)
            x = x + drop(attention(nn.LayerNorm()(x), mask=where[:, None, None, :]).astype(jnp.float32))
            y = nn.Dense(4 * self.width, dtype=dtype)(nn.LayerNorm()(x))
            return x + drop(nn.Dense(self.width, dtype=dtype)(nn.gelu(y)).astype(jnp.float32))

        if self.remat:
            block = nn.remat(block)
        for _ in range(self.depth):
            x = block(self, x, where)
        return masked_mean(nn.LayerNorm()(x), where)


def ngram_tokens(tokens: jax.Array, most: int) -> jax.Array:
    """Tokens `[B, L]`, followed by a token for every 2, ..., `most` of them in a row; 0 where one of them is padding.

    >>> import jax.numpy as jnp
    >>> ngram_tokens(jnp.array([[3, 4, 0]]), 2).tolist()
    [[3, 4, 0, 4003022, 0]]
    """
    grams, found = tokens, [tokens]
    for size in range(2, most + 1):
        later = tokens[:, size - 1 :]
        grams = jnp.where(
            (grams[:, :-1] > 0) & (later > 0), (grams[:, :-1] * 1000003 + later * 250753) % 16777213 + 1, 0
        )
        found.append(grams)
    return jnp.concatenate(found, axis=1)


def masked_max(found: jax.Array, where: jax.Array) -> jax.Array:
    """The largest of `[B, L, D]` over the places in `where [B, L]`; 0 where there is none.

    >>> import jax.numpy as jnp
    >>> print(masked_max(jnp.array([[[-2.0], [-4.0], [9.0]]]), jnp.array([[True, True, False]])))
    [[-2.]]
    """
    largest = jnp.max(jnp.where(where[..., None], found, -jnp.inf), axis=1)
    return jnp.where(jnp.any(where, axis=1, keepdims=True), largest, 0.0)


def masked_mean(vectors: jax.Array, where: jax.Array) -> jax.Array:
    """The mean of `[B, L, D]` over the places in `where [B, L]`; 0 where there is none.

    >>> import jax.numpy as jnp
    >>> print(masked_mean(jnp.array([[[2.0], [4.0], [9.0]]]), jnp.array([[True, True, False]])))
    [[3.]]
    """
    total = jnp.sum(jnp.where(where[..., None], vectors, 0.0), axis=1)
    return total / jnp.maximum(jnp.sum(where, axis=1, keepdims=True), 1)


def checked(inputs: jax.Array, encoder: str) -> jax.Array:
    if jnp.ndim(inputs) != 2 or not jnp.issubdtype(jnp.asarray(inputs).dtype, jnp.integer):
        found = f"{jnp.asarray(inputs).dtype} {list(jnp.shape(inputs))}"
        raise errors.UserError(
            f"the encoder {encoder} takes tokens [B, L] of integers, not {found}: a recipe on texts gives them, or "
            "data.semantics=names"
        )
    return jnp.asarray(inputs)


def vectors(
    module: nn.Module, tokens: jax.Array, vocabulary: int, width: int, *, words: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """The vectors of tokens `[B, L]`, `[B, L, D]`, and where there is a token, `[B, L]`.

    They are rows of the table that was given, see `with_words`, and else of one that is learned.

    Args:
      module: the encoder.
      tokens: with 0 for padding.
      vocabulary, width: of the table that is learned.
      words: of the tokens, the first that are words: what follows, n-grams, is never in a given table. None: all.
    """
    where = tokens > 0
    rows = jnp.where(where, 1 + (tokens - 1) % (vocabulary - 1), 0)
    if not module.has_variable(GIVEN, "vectors"):
        return nn.Embed(vocabulary, width)(rows), where
    table = module.get_variable(GIVEN, "vectors")
    found = table[tokens[:, :words]]
    if words is not None and words < tokens.shape[1]:
        # They begin at 0: at random they would drown the words, and those that training never meets would stay so.
        learned = nn.Embed(vocabulary, table.shape[1], embedding_init=nn.initializers.zeros)
        found = jnp.concatenate([found, learned(rows[:, words:])], axis=1)
    return found, where


def with_words(encoder: nn.Module, key: jax.Array, inputs: jax.Array, table: jax.Array) -> dict[str, Any]:
    """Returns the variables of an encoder of text that reads its words from a given table, which is not trained.

    Args:
      encoder: of this module or of `recurrent`.
      key: PRNG key.
      inputs: tokens `[B, L]`, rows of the table; row 0 stands for padding.
      table: `[V, D]`.

    >>> import jax, jax.numpy as jnp
    >>> table, tokens = jnp.array([[0.0], [2.0], [5.0]]), jnp.array([[1, 2, 0]])
    >>> variables = with_words(BagOfWords(widths=(1,)), jax.random.key(0), tokens, table)
    >>> sorted(variables), variables["params"]["Dense_0"]["kernel"].shape
    (['params', 'words'], (1, 1))
    """
    given = {GIVEN: {"vectors": jnp.asarray(table)}}
    _, made = encoder.apply(given, inputs, train=False, mutable=["params"], rngs={"params": key})
    return {**made, **given}
