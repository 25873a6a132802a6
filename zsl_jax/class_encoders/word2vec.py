"""Word vectors trained on texts of your own, by one compiled program per pass over them.

    read = corpora.corpus(texts)
    vectors = word2vec.train(read, by="skip_gram")       [V, D], the vector of each of read.words

    1. Words are left out at random, frequent ones more often: kept with min(1, sqrt(t/f) + t/f), f the word's share.
    2. The text left is cut into blocks of neighbouring words, which come in random order, some of them in each step.
    3. A step draws how far a window reaches, and noise words in proportion to count^0.75; see `word_objectives`.
    4. The rows that it read move by the gradient of the summed loss, at a rate that falls linearly to 0. Where n terms
       of the sum are expected to pull at a row, its rate is rate / (1 + rate n / 4), as of an implicit step.

All draws are functions of (seed, pass, step). A step reads and writes the rows that it needs and no others.

Reference: Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed Representations of Words and Phrases and their
Compositionality", NeurIPS 2013; Mikolov, Chen, Corrado, Dean, "Efficient Estimation of Word Representations in Vector
Space", ICLR Workshop 2013; Pagliardini, Gupta, Jaggi, "Unsupervised Learning of Sentence Embeddings using Compositional
n-Gram Features", NAACL 2018; van den Oord, Li, Vinyals, "Representation Learning with Contrastive Predictive Coding",
2018; Ji, Satish, Li, Dubey, "Parallelizing Word2Vec in Shared and Distributed Memory", 2016, for shared noise words.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, rules
from zsl_jax.class_encoders import corpora
from zsl_jax.class_encoders.word_objectives import OBJECTIVES, Batch

BY = tuple(OBJECTIVES)
# Default of each knob, of all objectives or of each; an objective that has none does not have the knob.
KNOBS: dict[str, rules.Knob] = {
    "dimensions": rules.Knob("numbers of a vector", rules.whole(1)),
    "window": rules.Knob("words on each side of a word that are near it at most", rules.whole(1)),
    "negatives": rules.Knob("noise words for each pair", rules.whole(1)),
    "sample": rules.Knob(
        "share of the text above which a word is left out at random; 0: none is", rules.number(0, ends="[)")
    ),
    "epochs": rules.Knob("passes over the texts", rules.whole(1)),
    "rate": rules.Knob("of the first step", rules.number(0)),
    "buckets": rules.Knob("rows that all bigrams share", rules.whole(1)),
    "temperature": rules.Knob("of the softmax over cosines", rules.number(0)),
    "seed": rules.Knob("of the start and of all draws", rules.whole(0, bits=32)),
}
_ALL = {"dimensions": 100, "sample": 1e-3, "epochs": 5, "seed": 0}
DEFAULTS: dict[str, dict[str, float]] = {
    "cbow": {**_ALL, "window": 5, "negatives": 5, "rate": 0.05},
    "skip_gram": {**_ALL, "window": 5, "negatives": 5, "rate": 0.025},
    "sent2vec": {**_ALL, "negatives": 10, "rate": 0.2, "buckets": 2**17},
    "contrastive": {**_ALL, "window": 5, "rate": 0.05, "temperature": 0.1},
}
_BLOCK, _BLOCKS, _NOISE = 32, 8, 32  # words of a block, blocks of a step, noise words of a step
_LONGEST = 64  # words of a text that sent2vec takes at a time


class Tables(NamedTuple):
    """Fields: `inputs [V + buckets, D]`, `outputs [V, D]`."""

    inputs: jax.Array
    outputs: jax.Array


class Plan(NamedTuple):
    """What is compiled for.

    Fields:
      by: the objective.
      margin: m, words around a block that it may see.
      is_whole_text: whether a word is near all others of its text.
      negatives, buckets, temperature: see `KNOBS`.
      groups: blocks of a step.
    """

    by: str
    margin: int
    is_whole_text: bool
    negatives: int
    buckets: int
    temperature: float
    groups: int


def settings(by: str, **given: float) -> dict[str, float]:
    """Returns the knobs of an objective: what is given, and defaults for what is not.

    Raises:
      UserError: an unknown objective or knob, one that the objective does not have, or a value that it cannot have.

    >>> settings("skip_gram", window=3)["window"], settings("cbow")["rate"]
    (3, 0.05)
    """
    if by not in DEFAULTS:
        raise errors.unknown("way to train word vectors", by, DEFAULTS)
    for name, value in given.items():
        if name not in KNOBS:
            raise errors.unknown("knob", name, DEFAULTS[by])
        if name not in DEFAULTS[by]:
            others = " and ".join(other for other, knobs in DEFAULTS.items() if name in knobs)
            raise errors.UserError(f"{name}={value:g} is a knob of {others}, {by} has none")
        if not KNOBS[name].rule.holds(value):
            raise errors.UserError(f"{name}={value!r} is not {KNOBS[name].rule.words}")
    return {**DEFAULTS[by], **given}


def train(
    corpus: corpora.Corpus,
    by: str = "skip_gram",
    *,
    progress: Callable[[int, float], None] | None = None,
    **knobs: float,
) -> np.ndarray:
    """Returns the vector of each word of a corpus.

    Args:
      corpus: from `corpora.corpus`.
      by: `cbow`, `skip_gram`, `sent2vec` or `contrastive`.
      progress: called after each pass with its number from 1 and the mean loss per word.
      knobs: see `KNOBS` for what they are, and `DEFAULTS`.

    Returns:
      `[V, D]` float32, of unit length by `contrastive`. The same corpus, knobs and device give the same bits.

    Raises:
      UserError: a knob that `settings` refuses, a window that is not smaller than the longest text, or texts of single
        words.
      Diverged: a loss that is not finite.

    >>> read = corpora.corpus(["a red bird sings", "a blue bird sings", "a grey fox runs"] * 20, min_count=2)
    >>> vectors = train(read, by="cbow", dimensions=8, window=2, epochs=2)
    >>> vectors.shape, read.words[:2]
    ((8, 8), ('a', 'bird'))
    """
    chosen = settings(by, **knobs)
    plan, text_of = _plan(corpus, by, chosen)
    key = jax.random.key(int(chosen["seed"]))
    count, size = len(corpus.words), int(chosen["dimensions"])
    tables = _start(jax.random.fold_in(key, 0), count, plan.buckets, size, by)
    share = corpus.counts / corpus.counts.sum()
    keep = np.ones(count) if not chosen["sample"] else _kept_share(share, chosen["sample"])
    text = (jnp.asarray(corpus.tokens), jnp.asarray(text_of))
    noise = corpus.counts**0.75
    odds = (jnp.asarray(keep, jnp.float32), jnp.asarray(_cumulative(noise)))
    pulls, epochs = _pulls(share * keep, noise, plan), int(chosen["epochs"])
    for number in range(epochs):
        rates = (chosen["rate"], number / epochs, 1 / epochs, pulls)
        tables, loss = _pass(tables, jax.random.fold_in(key, 1 + number), text, odds, rates, plan=plan)
        if not np.isfinite(loss):
            raise errors.Diverged(f"the loss of pass {number + 1} is not finite: take a rate below {chosen['rate']:g}")
        if progress is not None:
            progress(number + 1, float(loss))
    vectors = np.asarray(tables.inputs[:count])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if OBJECTIVES[by].is_cosine else vectors


def _plan(corpus: corpora.Corpus, by: str, chosen: dict[str, float]) -> tuple[Plan, np.ndarray]:
    text_of = corpus.text_of
    longest = int(np.max(np.bincount(text_of)))
    if longest < 2:
        raise errors.UserError("every text has one known word: a word is told by others beside it")
    is_whole_text = "window" not in chosen
    if is_whole_text:  # a text that is too long goes on as another one
        begins = np.r_[True, text_of[1:] != text_of[:-1]]
        place = np.arange(len(text_of)) - np.maximum.accumulate(np.where(begins, np.arange(len(text_of)), 0))
        text_of = np.cumsum(begins | (place % _LONGEST == 0), dtype=np.int32)
    elif chosen["window"] >= longest:
        raise errors.UserError(
            f"window={chosen['window']}: the longest text has {longest} known words, a smaller window is wanted"
        )
    plan = Plan(
        by=by,
        margin=min(longest, _LONGEST) - 1 if is_whole_text else int(chosen["window"]),
        is_whole_text=is_whole_text,
        negatives=int(chosen.get("negatives", 0)),
        buckets=int(chosen.get("buckets", 0)),
        temperature=float(chosen.get("temperature", 1)),
        groups=_BLOCKS,
    )
    return plan, text_of


def _kept_share(share: np.ndarray, sample: float) -> np.ndarray:
    """How often a word stays, by its share of the text."""
    return np.minimum(1, np.sqrt(sample / share) + sample / share)


def _pulls(told: np.ndarray, noise: np.ndarray, plan: Plan) -> Tables:
    """How many terms of the loss of a step each row is expected to be in.

    Words that are in every block would otherwise move a hundred times in one direction at once: a vocabulary of some
    hundred words, or the rate of sent2vec, would diverge.
    """
    if OBJECTIVES[plan.by].is_cosine:  # vectors that move far get longer, and move less
        return Tables(jnp.zeros(len(told)), jnp.zeros(len(told)))
    told, noise = told / told.sum(), noise / noise.sum()
    pairs = plan.groups * _BLOCK * (plan.margin + 1 if OBJECTIVES[plan.by].tells_each else 1)
    inputs = np.pad((1 + plan.negatives) * pairs * told, (0, plan.buckets))
    outputs = pairs * (told + plan.negatives * noise)
    return Tables(jnp.asarray(inputs, jnp.float32), jnp.asarray(outputs, jnp.float32))


def _cumulative(weights: np.ndarray) -> np.ndarray:
    """Sums of weights as uint32, so that a rare word among millions is drawn as often as it should be."""
    total = np.cumsum(weights)
    return (total / total[-1] * (2**32 - 1)).astype(np.uint32)


def _start(key: jax.Array, count: int, buckets: int, size: int, by: str) -> Tables:
    of_inputs, of_outputs = jax.random.split(key)
    if OBJECTIVES[by].is_cosine:  # cosines have no gradient at 0
        inputs = jax.random.normal(of_inputs, (count, size)) / np.sqrt(size)
        return Tables(inputs, jax.random.normal(of_outputs, (count, size)) / np.sqrt(size))
    inputs = jax.random.uniform(of_inputs, (count + buckets, size), minval=-0.5 / size, maxval=0.5 / size)
    return Tables(inputs, jnp.zeros((count, size)))


@functools.partial(jax.jit, static_argnames="plan", donate_argnames="tables")
def _pass(tables, key, text, odds, rates, *, plan):
    """Returns the tables after a pass over the text, and the mean loss per word."""
    (keep, noise_odds), (rate, done, share, pulls) = odds, rates
    of_keep, of_order, of_steps = jax.random.split(key, 3)
    tokens, text_of, is_centre = _thinned(of_keep, *text, keep, plan)
    blocks = len(text[0]) // _BLOCK + 1
    used = _last(is_centre) // _BLOCK + 1
    drawn = jax.random.uniform(of_order, (blocks,))
    order = jnp.argsort(jnp.where(jnp.arange(blocks) < used, drawn, 2)).astype(jnp.int32)
    order = jnp.concatenate([order, jnp.full(plan.groups, blocks, jnp.int32)])  # a block without words
    steps = (used + plan.groups - 1) // plan.groups

    def step(at, carried):
        tables, total = carried
        rows = jax.lax.dynamic_slice(order, (at * plan.groups,), (plan.groups,))
        bits = jax.random.bits(jax.random.fold_in(of_steps, at), (plan.groups * _BLOCK + _NOISE,))
        batch = _batch(rows, bits, (tokens, text_of, is_centre), noise_odds, plan, tables)
        left = jnp.maximum(1 - done - share * at / steps, 1e-4)
        tables, loss = _moved(tables, OBJECTIVES[plan.by].step(batch), rate * left, pulls)
        return tables, total + loss

    tables, total = jax.lax.fori_loop(0, steps, step, (tables, jnp.zeros(())))
    return tables, total / jnp.maximum(jnp.sum(is_centre), 1)


def _thinned(key, tokens, text_of, keep, plan):
    """The text with a margin on both sides, frequent words left out; of whole texts they are no centres, no more."""
    count = len(tokens)
    is_kept = jax.random.uniform(key, (count,)) < keep[tokens]
    if not plan.is_whole_text:
        place = jnp.where(is_kept, jnp.cumsum(is_kept) - 1, count)
        tokens, text_of = (
            jnp.full(count, nothing, jnp.int32).at[place].set(rows, mode="drop")
            for rows, nothing in ((tokens, 0), (text_of, -1))
        )
        is_kept = jnp.arange(count) < jnp.sum(is_kept)
    around = (plan.margin, plan.margin + 2 * _BLOCK)
    tokens, is_kept = jnp.pad(tokens, around), jnp.pad(is_kept, (0, 2 * _BLOCK))
    return tokens, jnp.pad(text_of, around, constant_values=-1), is_kept


def _last(is_any):
    return jnp.max(jnp.where(is_any, jnp.arange(len(is_any)), 0))


def _batch(rows, bits, text, noise_odds, plan, tables) -> Batch:
    tokens, text_of, is_centre = text
    begin = rows * _BLOCK

    def cut(array, size):
        return jax.vmap(lambda at: jax.lax.dynamic_slice(array, (at,), (size,)))(begin)

    draws, for_noise = bits[: plan.groups * _BLOCK].reshape(plan.groups, _BLOCK), bits[plan.groups * _BLOCK :]
    reach = jnp.full_like(draws, plan.margin) if plan.is_whole_text else 1 + draws % plan.margin
    return Batch(
        words=cut(tokens, _BLOCK + 2 * plan.margin),
        text_of=cut(text_of, _BLOCK + 2 * plan.margin),
        is_centre=cut(is_centre, _BLOCK),
        reach=reach.astype(jnp.int32),
        draws=draws,
        noise=jnp.searchsorted(noise_odds, for_noise).astype(jnp.int32),
        negatives=plan.negatives,
        num_words=len(tables.outputs),
        buckets=plan.buckets,
        temperature=plan.temperature,
    )


def _moved(tables, step, rate, pulls):
    """The rows that a step reads, moved by its gradient; a row that it reads twice moves by both."""
    read = tables.inputs[step.inputs], tuple(tables.outputs[rows] for rows in step.outputs)
    loss, (of_inputs, of_outputs) = jax.value_and_grad(step.loss, argnums=(0, 1))(*read)
    size = tables.outputs.shape[1]
    rows = jnp.concatenate([rows.ravel() for rows in step.outputs])
    moves = jnp.concatenate([found.reshape(-1, size) for found in of_outputs])

    def add(table, rows, moves, pulls):
        return table.at[rows].add(-(rate / (1 + rate * pulls[rows] / 4))[..., None] * moves)

    inputs = add(tables.inputs, step.inputs, of_inputs, pulls.inputs)
    return Tables(inputs, add(tables.outputs, rows, moves, pulls.outputs)), loss
