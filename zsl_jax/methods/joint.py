"""Scores of any method, decided once more with all inputs at hand: the frame of transduction and hub corrections.

    scorer  --scores [N, C], vectors [N, D]-->  decide  -->  [N, C]

The wrapped method trains, embeds and describes as it is. What is decided does not depend on the order of the inputs:
they are brought into an order of their own, by their numbers, before anything is summed over them; a method whose
answers are about the order says how it arranges them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base
from zsl_jax.methods import labelled as labelled_lib

SPACES = ("inputs", "embeddings")
MOST_NEIGHBOURS = 16
SPACE = rules.Knob("where inputs are compared with each other: as they are, or embedded", rules.one_of(SPACES))
TEMPERATURE = rules.Knob(
    "of the softmax that makes probabilities of the scores, in units of their spread", rules.number(0)
)
SEEN_PENALTY = rules.Knob(
    "what is subtracted from scores of seen classes at first, in units of their spread",
    rules.number(0, ends="[)"),
)
NEIGHBOURS = rules.Knob(
    "nearest inputs that each listens to",
    rules.Rule(
        lambda x: rules.whole(0).holds(x) and x <= MOST_NEIGHBOURS, f"a whole number from 0 to {MOST_NEIGHBOURS}"
    ),
)


class Inputs(NamedTuple):
    """What a joint decision looks at.

    Fields:
      vectors: `[N, D]`, unit length (or 0): what neighbours are measured in.
      scores: `[N, C]` of the wrapped method; mean 0 per input and standard deviation 1 over all.
      where: `[N]` bool, False for rows that only fill up.
      is_seen: `[C]` bool.
      labelled: sums over the labelled training inputs of each candidate; None where they are not asked for.
    """

    vectors: jax.Array
    scores: jax.Array
    where: jax.Array
    is_seen: jax.Array
    labelled: labelled_lib.Sums | None = None


def around(
    scorer: base.Method,
    decide: Callable[[Inputs], jax.Array],
    *,
    space: str = "inputs",
    arrange: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    labelled: Any = 0.0,
) -> base.Method:
    """Returns the method whose scores of all inputs are decided together.

    Args:
      scorer: any method that scores input by input.
      decide: `Inputs -> [N, C]`; gets no label and trains nothing.
      space: of the vectors: `inputs` as they reach the method (scaled by `config.normalize`), or what the scorer
        `embeddings` of them are.
      arrange: `(vectors, where) -> [N]`, the rows in the order in which `decide` gets them, those that only fill up
        last; None: `own_order`.
      labelled: what a labelled training input counts for in `decide`; where it is not 0, `finish` keeps sums over them
        beside the state of the scorer.

    Raises:
      UserError: a scorer that decides together itself, an unknown space, inputs (in `init`) or embeddings (in `embed`)
        that are no vectors, or (in `describe`) a state that was finished without `labelled`.
    """
    if scorer.together is not None:
        raise errors.UserError("the wrapped method decides on all inputs together itself: name one that does not")
    if space not in SPACES:
        raise errors.unknown("space", space, SPACES)
    keeps = not isinstance(labelled, (int, float)) or labelled != 0

    def init(key, like, classes, weights):
        if space == "inputs":
            _vectors(like.inputs, space)
        return scorer.init(key, like, classes, weights)

    def finish(state, train, classes, key):
        inner = scorer.finish(state, train, classes, key)
        vectors = embed(inner, train.inputs)["vector"]
        sums = labelled_lib.sums(vectors, train.labels, len(classes))
        return labelled_lib.Kept(inner, labelled_lib.descriptions(classes), sums)

    def embed(state, inputs):
        images = scorer.embed(_inner(state), inputs)
        return {"images": images, "vector": _vectors(inputs if space == "inputs" else images, space)}

    def describe(state, classes):
        described = {"scorer": scorer.describe(_inner(state), classes), "is_seen": jnp.asarray(classes.is_seen)}
        if not keeps:
            return described
        if not isinstance(state, labelled_lib.Kept):
            raise errors.UserError(
                "labelled inputs are asked for, and config.method.labelled=0 kept none of them in training: set one "
                "above 0"
            )
        return described | {"labelled": labelled_lib.of_candidates(state, classes)}

    def scores(state, images, described):
        return scorer.scores(_inner(state), images["images"], described["scorer"])

    def together(state, images, where, described, key):
        del key
        order = (arrange or own_order)(images["vector"], where)
        images, where = jax.tree.map(lambda x: jnp.asarray(x)[order], (images, where))
        found = standardized(scores(state, images, described), where)
        vectors = similarity.l2_normalize(images["vector"]) * where[:, None]
        decided = decide(Inputs(vectors, found, where, described["is_seen"], described.get("labelled")))
        return jnp.zeros_like(decided).at[order].set(decided)

    return scorer._replace(
        init=init,
        embed=embed,
        describe=describe,
        scores=scores,
        together=together,
        attributes=scorer.attributes and (lambda state, images: scorer.attributes(_inner(state), images["images"])),
        **({"finish": finish} if keeps else {}),
    )


def _inner(state: Any) -> Any:
    """The state of the scorer, whether labelled inputs are kept beside it or not."""
    return state.inner if isinstance(state, labelled_lib.Kept) else state


def _vectors(images: Any, space: str) -> Any:
    vectors = base.vector(images)
    if isinstance(vectors, (tuple, list, dict)) or vectors.ndim != 2 or vectors.dtype.kind != "f":
        other = SPACES[space == SPACES[0]]
        raise errors.UserError(
            f"config.method.space={space}: these {space} are no vectors of numbers, in which neighbours are measured: "
            f"choose {other}"
        )
    return vectors


def own_order(vectors: jax.Array, where: jax.Array, seed: int = 0) -> jax.Array:
    """Returns `[N]` the rows in an order that follows from their numbers alone, those that only fill up last.

    Sorted by two hashes of the bits of each row: sums of whole numbers, which do not round. Each seed hashes anew.
    """
    bits = jax.lax.bitcast_convert_type(vectors.astype(jnp.float32), jnp.uint32)
    factors = jax.random.bits(jax.random.key(seed), (2, bits.shape[1]), jnp.uint32) | 1
    mixed = (bits ^ (bits >> 15)) * jnp.uint32(0x2C1B3C6D)
    hashes = [jnp.sum(mixed * factor[None, :], axis=1, dtype=jnp.uint32) for factor in factors]
    return jnp.lexsort((*hashes, ~where))


def standardized(scores: jax.Array, where: jax.Array) -> jax.Array:
    """Returns scores with mean 0 per input and standard deviation 1 over all that count, so that knobs carry over."""
    centred = scores - jnp.mean(scores, axis=1, keepdims=True)
    counted = where[:, None] & jnp.isfinite(centred)
    variance = jnp.sum(jnp.where(counted, centred, 0) ** 2) / jnp.maximum(jnp.sum(counted), 1)
    return centred / jnp.sqrt(jnp.maximum(variance, jnp.finfo(jnp.float32).tiny))


def log_prior(inputs: Inputs, temperature: Any, seen_penalty: Any) -> jax.Array:
    """Returns `[N, C]` log-probabilities of the classes by the scores alone."""
    return jax.nn.log_softmax((inputs.scores - seen_penalty * inputs.is_seen[None, :]) / temperature)


class Neighbours(NamedTuple):
    """`weights [k, N]` (0 where there is none) and `rows [k, N]` of the nearest inputs, the nearest first."""

    weights: jax.Array
    rows: jax.Array


def neighbours(inputs: Inputs, count: Any) -> Neighbours:
    """Returns the nearest inputs by their cosines, negative ones as 0.

    Args:
      inputs: of the decision.
      count: neighbours per input, from 0 to 16; where it is traced all 16 are found, and the others weigh nothing.
    """
    size = count if isinstance(count, int) else MOST_NEIGHBOURS
    cosines, rows = similarity.nearest(inputs.vectors, count=max(size, 1), where=inputs.where)
    weights = jnp.where(jnp.arange(max(size, 1))[:, None] < count, jnp.maximum(cosines.T, 0), 0)
    return Neighbours(weights, rows.T)


def spread(near: Neighbours, shares: jax.Array) -> jax.Array:
    """Returns `[N, C]` the weighted sums of the neighbours' `shares [N, C]`; one neighbour at a time."""

    def add(total, one):
        weights, rows = one
        return total + weights[:, None] * shares[rows], None

    return jax.lax.scan(add, jnp.zeros_like(shares), near)[0]
