"""What an image is compared with: wrong classes that are chosen anew for it, those that were found hard, or old images.

    all, hardest, semi_hard, random     wrong classes, by their scores at the step
    curriculum                          wrong classes from easy ones to the hardest, as training goes on
    dynamic                             the hardest of each class; one that has become easy is replaced
    swapped                             beside all classes, the image's own description with half of it another class's;
                                        of a pair its attribute, or its object
    queue, bank                         embeddings of earlier batches join the batch: the last of all, or of each class

Classes whose descriptions are nearly those of the image's class can be left out of the negatives, whatever the choice.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import errors, rules
from zsl_jax.methods.objectives import compared as compared_lib
from zsl_jax.methods.objectives import memory as memory_lib

if TYPE_CHECKING:
    from zsl_jax.methods.objectives import making


EASIEST = 0.3  # share of the wrong classes that are easier than the negatives of a curriculum at its start


def _hardest(scores, is_own, is_wrong, key, progress):
    del is_own, is_wrong, key, progress
    return scores


def _semi_hard(scores, is_own, is_wrong, key, progress):
    """Classes below the own one come first, the highest of them before the others; then those above it, easy first."""
    del is_wrong, key, progress
    own = jnp.sum(jnp.where(is_own, scores, 0.0), axis=1, keepdims=True)
    gap = own - scores
    return jnp.where(gap > 0, 1.0 / (1.0 + gap), gap - 1.0)


def _random(scores, is_own, is_wrong, key, progress):
    del is_own, is_wrong, progress
    return jax.random.uniform(key, scores.shape)


def _curriculum(scores, is_own, is_wrong, key, progress):
    """Classes around a percentile of the scores of the wrong ones."""
    del is_own, key
    easier = jnp.argsort(jnp.argsort(jnp.where(is_wrong, scores, -jnp.inf), axis=1), axis=1)
    count = jnp.sum(is_wrong, axis=1, keepdims=True)
    place = easier - (scores.shape[1] - count)
    return -jnp.abs(place - (EASIEST + (1 - EASIEST) * progress) * (count - 1))


class Choice(NamedTuple):
    """A choice of negatives.

    Fields:
      says: what it is.
      rank: what the negatives have more of than the classes that are left out; None where all classes are in.
      memory: `(options) -> Memory`, or None where nothing is remembered.
      divides: whether a device may choose for its own rows alone.
    """

    says: str
    rank: Callable[..., jax.Array] | None = None
    memory: Callable[["Options"], memory_lib.Memory] | None = None
    divides: bool = True


class Options(NamedTuple):
    """The knobs of the choices, see `KNOBS`."""

    num_negatives: int = 8
    similar: Any = 1.0
    ramp_steps: Any = 1000.0
    refresh_steps: Any = 10
    memory_momentum: Any = 0.99


def _embeddings(by_class: bool) -> Callable[[Options], memory_lib.Memory]:
    return lambda options: memory_lib.of_embeddings(options.num_negatives, options.memory_momentum, by_class=by_class)


CHOICES: dict[str, Choice] = {
    "all": Choice("all wrong classes"),
    "hardest": Choice("the wrong classes with the highest scores", _hardest),
    "semi_hard": Choice("the hardest of those that score below the own class", _semi_hard),
    "random": Choice("some at random", _random, divides=False),
    "curriculum": Choice(
        "those around a percentile of the scores, from the 30th to the hardest in the first `ramp_steps`",
        _curriculum,
        lambda options: memory_lib.counting(),
    ),
    "dynamic": Choice(
        "the hardest of each class by the mean over its images; every `refresh_steps` those that have become easy are "
        "replaced",
        None,
        lambda options: memory_lib.of_hard_classes(options.num_negatives, options.refresh_steps, options.similar),
        divides=False,
    ),
    "swapped": Choice(
        "beside all wrong classes, the description of the own one with half of its attributes, drawn anew, from the "
        "hardest wrong one; of a pair its attribute or its object, whole",
        divides=False,
    ),
    "queue": Choice("beside the batch, the last images of earlier ones", None, _embeddings(False), divides=False),
    "bank": Choice("beside the batch, the last images of each class", None, _embeddings(True), divides=False),
}
OF_IMAGES = ("queue", "bank")
KNOBS = {
    "negatives": rules.Knob("what an image is compared with", rules.one_of(tuple(CHOICES))),
    "num_negatives": rules.Knob(
        "how many of them, unless all; of a queue its length, of dynamic and bank per class", rules.whole(1)
    ),
    "similar": rules.Knob("cosine of descriptions above which a class is no negative", rules.number(-1, 1, ends="[]")),
    "ramp_steps": rules.Knob("steps in which a curriculum goes from easy to hard", rules.number(0)),
    "refresh_steps": rules.Knob("steps after which dynamic negatives are looked at again", rules.whole(1)),
    "memory_momentum": rules.Knob(
        "decay of the moving average of the parameters that fills a queue or bank", rules.number(0, 1, ends="[)")
    ),
}


def chosen(
    scores: jax.Array,
    is_own: jax.Array,
    relations: jax.Array,
    key: jax.Array,
    *,
    negatives: str,
    num_negatives: int,
    similar: ArrayLike,
    progress: ArrayLike = 1.0,
) -> jax.Array:
    """Returns `[B, S]` bool, the classes that count for each image: its own, and its negatives.

    Args:
      scores: `[B, S]`; no gradient reaches them.
      is_own: `[B, S]` bool.
      relations: `[B, S]` cosines of descriptions, of the own class and each class.
      key: PRNG key.
      negatives: a name in `CHOICES`.
      num_negatives: how many, unless `all`; ties at the last place are all taken.
      similar: scalar in [-1, 1]; a class with a higher cosine is no negative.
      progress: scalar in [0, 1], of a curriculum.

    Raises:
      UserError: an unknown choice.

    >>> scores, is_own = jnp.array([[3.0, 2.0, 9.0, 1.0]]), jnp.array([[True, False, False, False]])
    >>> of = {"num_negatives": 1, "similar": 1.0}
    >>> for name in ("hardest", "semi_hard"):
    ...     print(chosen(scores, is_own, jnp.zeros((1, 4)), jax.random.key(0), negatives=name, **of)[0])
    [ True False  True False]
    [ True  True False False]
    """
    is_wrong = ~is_own & (relations <= similar)
    rank = _choice(negatives).rank
    if rank is None:
        return is_own | is_wrong
    order = rank(jax.lax.stop_gradient(scores), is_own, is_wrong, key, progress)
    order = jnp.where(is_wrong, order, -jnp.inf)
    last = jax.lax.top_k(order, min(num_negatives, scores.shape[1]))[0][:, -1:]
    return is_own | (is_wrong & (order >= last))


def with_negatives(objective: "making.Objective", *, negatives: str, **knobs: Any) -> "making.Objective":
    """Returns the objective on some of the wrong classes, or with embeddings of earlier batches beside the batch's.

    In a sum, each term takes what it can: classes are chosen for those that compare an image with several classes,
    images of earlier batches join those that compare the images of a batch.

    Args:
      objective: what training asks.
      negatives: a name in `CHOICES`.
      **knobs: `Options`. All negatives, with `similar` 1, leave the objective as it is.

    Raises:
      UserError: an unknown choice, or one that no term of the loss can take.

    Reference: of a curriculum, Nagrani, Albanie, Zisserman, "Learnable PINs: Cross-Modal Embeddings for Person
    Identity", ECCV 2018; of dynamic negatives, Li et al., "Conan-embedding: General Text Embedding with More and Better
    Negative Samples", 2024, there of single documents; of a queue, He, Fan, Wu, Xie, Girshick, "Momentum Contrast for
    Unsupervised Visual Representation Learning", CVPR 2020; of a bank, Wu, Xiong, Yu, Lin, "Unsupervised Feature
    Learning via Non-Parametric Instance Discrimination", CVPR 2018, there with a place for each image; of swapped ones,
    Yuksekgonul, Bianchi, Kalluri, Jurafsky, Zou, "When and Why Vision-Language Models Behave like Bags-of-Words, and
    What to Do About It?", ICLR 2023, there words of captions.
    """
    choice, options = _choice(negatives), Options(**knobs)
    if negatives == "all" and isinstance(options.similar, float) and options.similar >= 1:
        return objective
    if negatives in OF_IMAGES and not objective.joins:
        raise errors.UserError(
            f"negatives={negatives} gives more images to losses that compare those of a batch, such as "
            "supervised_contrastive: this one compares an image with classes"
        )
    if negatives not in (*OF_IMAGES, "swapped") and not objective.chooses:
        raise errors.UserError(
            f"negatives={negatives}, similar={options.similar} choose among the classes that a loss such as info_nce "
            "compares an image with, and this one does not: say all and 1, or queue or bank where it compares images"
        )
    if negatives == "swapped" and not objective.swaps:
        raise errors.UserError(
            "negatives=swapped adds a wrong description to the classes that all terms of a loss compare an image with, "
            "as warp, class_sigmoid or hard_negative_clip do: this one has a term that does not"
        )
    memory = choice.memory and choice.memory(options)

    def loss(given, **learned):
        if negatives in OF_IMAGES:
            return objective.loss(_joined(given, given.notes), **learned)[..., : len(given.labels)]
        key, own_key = jax.random.split(given.key)
        if negatives == "swapped":
            return objective.loss(_with_swapped(given, own_key, key, options.similar), **learned)
        candidates = _candidates(objective, given, own_key, negatives, options)
        return objective.loss(dataclasses.replace(given, candidates=candidates, key=key), **learned)

    axes = objective.axes or negatives == "swapped"
    return objective._replace(loss=loss, divides=objective.divides and choice.divides, memory=memory, axes=axes)


def _choice(name: str) -> Choice:
    if name not in CHOICES:
        raise errors.unknown("choice of negatives", name, CHOICES)
    return CHOICES[name]


def _candidates(objective, given: compared_lib.Compared, key, negatives: str, options: Options) -> jax.Array:
    """`[B, S]` bool, the classes that count for each image."""
    relations = given.relations[given.labels]
    which = {"negatives": negatives, "num_negatives": options.num_negatives, "similar": options.similar}
    if negatives == "curriculum":
        which["progress"] = jnp.minimum(given.notes / options.ramp_steps, 1.0)
    scores = objective.scores(given.images, given.trained)
    found = chosen(scores, given.is_own, relations, key, **which)
    if negatives != "dynamic":
        return found
    return jnp.where(given.notes.step < options.refresh_steps, found, given.is_own | given.notes.chosen[given.labels])


def _with_swapped(given: compared_lib.Compared, key, next_key, similar) -> compared_lib.Compared:
    """The batch with a description for each image that is half its own and half that of the hardest wrong class."""
    is_wrong = ~given.is_own & (given.relations[given.labels] <= similar)
    row = jnp.argmax(jnp.where(is_wrong, given.scores, -jnp.inf), axis=1)
    hardest = given.trained[row]
    from_other = _of_a_part(given, row, key)
    if from_other is None:
        from_other = jax.random.bernoulli(key, shape=given.own.shape)
    swapped = jnp.where(from_other, hardest, given.own)
    # One that comes out as the class itself would be a negative of itself.
    swapped = jnp.where(jnp.all(swapped == given.own, axis=1, keepdims=True), hardest, swapped)
    candidates = jnp.concatenate([given.is_own | is_wrong, jnp.ones((len(given.labels), 1), bool)], axis=1)
    return dataclasses.replace(given, swapped=swapped, candidates=candidates, key=next_key)


def _of_a_part(given: compared_lib.Compared, other, key) -> jax.Array | None:
    """Where a pair takes the attribute of another one, or else its object, `[B, D]` bool.

    Of a part that both share nothing would be swapped, so that it is the other one. None where classes are no pairs, or
    are not described by their attribute and then their object.
    """
    parts, shared = given.classes.parts, given.classes.shared
    if parts is None or not isinstance(shared, dict) or not {"attributes", "objects"} <= shared.keys():
        return None
    widths = [shared[side].shape[-1] for side in ("attributes", "objects")]
    if sum(widths) != given.own.shape[1]:
        return None
    parts = jnp.asarray(parts)
    differs = parts[given.labels] != parts[other]
    coin = jax.random.bernoulli(key, shape=other.shape)
    of_attribute = differs[:, 0] & (coin | ~differs[:, 1])
    is_attribute = jnp.arange(sum(widths)) < widths[0]
    return of_attribute[:, None] == is_attribute[None, :]


def _joined(given: compared_lib.Compared, notes: memory_lib.Embeddings) -> compared_lib.Compared:
    """The batch and behind it what is remembered, which carries no gradient."""
    through = given.through and (jnp.pad(given.through[0], ((0, len(notes.labels)), (0, 0))), given.through[1])
    return dataclasses.replace(
        given,
        through=through,
        images=jnp.concatenate([given.images, notes.vectors[:, : given.images.shape[1]]]),
        labels=jnp.concatenate([given.labels, jnp.maximum(notes.labels, 0)]),
        where=jnp.concatenate([given.where, notes.labels >= 0]),
    )
