"""What word vectors are trained to tell: a loss per block of neighbouring words, on the rows of two tables.

    skip_gram      sum_j [-log s(u_j . v_i) - sum_n log s(-u_n . v_i)]        j near i, n noise words for each pair
    cbow           -log s(u_i . h_i) - sum_n log s(-u_n . h_i)                h_i the mean of v_j over all j near i
    sent2vec       the same, h_i the mean of all other words and bigrams of the text
    contrastive    -log exp(cos(v_i, u_j) / t) / sum_k exp(cos(v_i, u_k) / t)  one j near i, u_k of the batch

`v` are rows of the table of inputs, which is kept, `u` of the table of outputs, `s` is the logistic function. Noise
words are drawn once per batch and shared by all its words, with a weight that keeps the expectation of the sum.

An objective says which rows a batch reads, and the loss on them: what a step costs does not depend on the vocabulary.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import losses, similarity

_MULTIPLIER = 0x9E3779B1  # of the hash of bigrams: 2^32 over the golden ratio


class Batch(NamedTuple):
    """G blocks of b neighbouring words each, with a margin of m words on both sides: L = b + 2m.

    Fields:
      words: `[G, L]` int32.
      text_of: `[G, L]` int32, the text of each; -1 outside of all texts.
      is_centre: `[G, b]` bool, words that have something to tell.
      reach: `[G, b]` int32 in 1 to m, how far around a word others are near it.
      draws: `[G, b]` uint32, random bits.
      noise: `[S]` int32, noise words.
      negatives: how many of them a pair would have of its own.
      num_words: V.
      buckets: of bigrams, whose rows follow those of words.
      temperature: of `contrastive`.
    """

    words: jax.Array
    text_of: jax.Array
    is_centre: jax.Array
    reach: jax.Array
    draws: jax.Array
    noise: jax.Array
    negatives: int
    num_words: int
    buckets: int
    temperature: float

    @property
    def margin(self) -> int:
        return (self.words.shape[1] - self.is_centre.shape[1]) // 2

    @property
    def centres(self) -> jax.Array:
        """`[G, b]`."""
        return self._inner(self.words)

    def near(self) -> jax.Array:
        """Returns `[G, b, L]` bool, which words are near a centre: of its text, within its reach, not itself."""
        size, margin = self.is_centre.shape[1], self.margin
        distance = jnp.abs(jnp.arange(self.words.shape[1])[None, :] - margin - jnp.arange(size)[:, None])
        within = (distance > 0)[None] & (distance[None] <= self.reach[:, :, None])
        return within & (self.text_of[:, None, :] == self._inner(self.text_of)[:, :, None]) & self.is_centre[:, :, None]

    def _inner(self, rows: jax.Array) -> jax.Array:
        return rows[:, self.margin : rows.shape[1] - self.margin]


class Step(NamedTuple):
    """What a batch asks of the tables.

    Fields:
      inputs: rows of the table of inputs, of any shape.
      outputs: rows of the table of outputs.
      loss: `(vectors [..., D] of inputs, of outputs) -> scalar`, the sum over the batch.
    """

    inputs: jax.Array
    outputs: tuple[jax.Array, ...]
    loss: Callable[[jax.Array, tuple[jax.Array, ...]], jax.Array]


def skip_gram(batch: Batch) -> Step:
    near = batch.near()
    # A noise word that is near a centre is no noise for that pair.
    hits = jnp.einsum("gij,gjs->gis", near.astype(jnp.float32), _is_noise(batch.words, batch.noise))
    against = _share(batch) * (jnp.sum(near, axis=2, dtype=jnp.float32)[:, :, None] - hits)

    def loss(centres, outputs):
        words, noise = outputs
        pairs = jnp.einsum("gid,gjd->gij", centres, words)
        return jnp.sum(jnp.where(near, jax.nn.softplus(-pairs), 0)) + _noise_loss(centres, noise, against)

    return Step(batch.centres, (batch.words, batch.noise), loss)


def cbow(batch: Batch) -> Step:
    return _predicted(batch, batch.words, batch.near().astype(jnp.float32))


def sent2vec(batch: Batch) -> Step:
    """Bigrams that hold the word to be told are left out, too."""
    near = batch.near()
    # The bigram at a place is that of its word and the next one, of the same text.
    both = near & jnp.pad(near, ((0, 0), (0, 0), (0, 1)))[:, :, 1:]
    follows = jnp.roll(batch.words, -1, axis=1).astype(jnp.uint32)
    hashed = (batch.words.astype(jnp.uint32) * jnp.uint32(_MULTIPLIER) + follows) * jnp.uint32(_MULTIPLIER)
    bigrams = batch.num_words + ((hashed >> 8) % batch.buckets).astype(jnp.int32)
    rows = jnp.concatenate([batch.words, bigrams], axis=1)
    return _predicted(batch, rows, jnp.concatenate([near, both], axis=2).astype(jnp.float32))


def contrastive(batch: Batch) -> Step:
    """The word near a centre is as far from it as its reach; words equal to it are no negatives."""
    size = batch.is_centre.shape[1]
    step = jnp.where(batch.draws >> 31, 1, -1) * batch.reach
    place = batch.margin + jnp.arange(size)[None, :] + step
    beside, its_text = (jnp.take_along_axis(rows, place, axis=1) for rows in (batch.words, batch.text_of))
    is_pair = (batch.is_centre & (its_text == batch._inner(batch.text_of))).ravel()
    contexts = beside.ravel()
    others = (contexts[:, None] != contexts[None, :]) & is_pair[None, :]
    own = jnp.arange(len(contexts))

    def loss(centres, outputs):
        (words,) = outputs
        scores = similarity.cosine(centres, words)
        where = others | (own[:, None] == own[None, :])
        each = losses.softmax_cross_entropy(scores, own, scale=1 / batch.temperature, where=where)
        return jnp.sum(jnp.where(is_pair, each, 0))

    return Step(batch.centres.ravel(), (contexts,), loss)


class Objective(NamedTuple):
    """How word vectors are trained.

    Fields:
      step: what a batch asks of the tables.
      tells_each: whether the loss has a term for each word near a centre, not one per centre.
      is_cosine: whether directions alone count; vectors then end at unit length, or the mean of a text's vectors would
        be that of its most frequent words, which are the longest.
    """

    step: Callable[[Batch], Step]
    tells_each: bool = False
    is_cosine: bool = False


OBJECTIVES = {
    "cbow": Objective(cbow),
    "skip_gram": Objective(skip_gram, tells_each=True),
    "sent2vec": Objective(sent2vec),
    "contrastive": Objective(contrastive, is_cosine=True),
}


def _predicted(batch: Batch, rows: jax.Array, weights: jax.Array) -> Step:
    """The mean of rows predicts the centre; `weights [G, b, rows]`."""
    total = jnp.sum(weights, axis=2, keepdims=True)
    weights, has_any = weights / jnp.maximum(total, 1), total[:, :, 0] > 0
    against = _share(batch) * (1 - _is_noise(batch.centres, batch.noise)) * has_any[:, :, None]

    def loss(inputs, outputs):
        centres, noise = outputs
        means = jnp.einsum("gij,gjd->gid", weights, inputs)
        each = jax.nn.softplus(-jnp.sum(means * centres, axis=2))
        return jnp.sum(jnp.where(has_any, each, 0)) + _noise_loss(means, noise, against)

    return Step(rows, (batch.centres, batch.noise), loss)


def _noise_loss(vectors: jax.Array, noise: jax.Array, weights: jax.Array) -> jax.Array:
    scores = vectors.reshape(-1, vectors.shape[-1]) @ noise.T
    return jnp.sum(weights.reshape(scores.shape) * jax.nn.softplus(scores))


def _share(batch: Batch) -> float:
    return batch.negatives / len(batch.noise)


def _is_noise(words: jax.Array, noise: jax.Array) -> jax.Array:
    return (words[:, :, None] == noise[None, None, :]).astype(jnp.float32)
