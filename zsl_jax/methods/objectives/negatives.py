"""Which wrong classes an image is compared with: all, the hardest, the hardest below its own class, or some at random.

Classes whose descriptions are nearly those of the image's class can be left out of the negatives, whatever the choice.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import errors, rules

if TYPE_CHECKING:
    from zsl_jax.methods.objectives import making


def _hardest(scores, is_own, key):
    del is_own, key
    return scores


def _semi_hard(scores, is_own, key):
    """Classes below the own one come first, the highest of them before the others; then those above it, easy first."""
    del key
    own = jnp.sum(jnp.where(is_own, scores, 0.0), axis=1, keepdims=True)
    gap = own - scores
    return jnp.where(gap > 0, 1.0 / (1.0 + gap), gap - 1.0)


def _random(scores, is_own, key):
    del is_own
    return jax.random.uniform(key, scores.shape)


# For each choice what the negatives have more of than the classes that are left out.
CHOICES: dict[str, Callable[..., jax.Array] | None] = {
    "all": None,
    "hardest": _hardest,
    "semi_hard": _semi_hard,
    "random": _random,
}
KNOBS = {
    "negatives": rules.Knob("wrong classes that an image is compared with", rules.one_of(tuple(CHOICES))),
    "num_negatives": rules.Knob("how many of them, unless all", rules.whole(1)),
    "similar": rules.Knob("cosine of descriptions above which a class is no negative", rules.number(-1, 1, ends="[]")),
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

    Raises:
      UserError: an unknown choice.

    >>> scores, is_own = jnp.array([[3.0, 2.0, 9.0, 1.0]]), jnp.array([[True, False, False, False]])
    >>> of = {"num_negatives": 1, "similar": 1.0}
    >>> for name in ("hardest", "semi_hard"):
    ...     print(chosen(scores, is_own, jnp.zeros((1, 4)), jax.random.key(0), negatives=name, **of)[0])
    [ True False  True False]
    [ True  True False False]
    """
    if negatives not in CHOICES:
        raise errors.unknown("choice of negatives", negatives, CHOICES)
    is_wrong = ~is_own & (relations <= similar)
    rank = CHOICES[negatives]
    if rank is None:
        return is_own | is_wrong
    order = jnp.where(is_wrong, jax.lax.stop_gradient(rank(scores, is_own, key)), -jnp.inf)
    last = jax.lax.top_k(order, min(num_negatives, scores.shape[1]))[0][:, -1:]
    return is_own | (is_wrong & (order >= last))


def with_negatives(
    objective: "making.Objective", *, negatives: str, num_negatives: int, similar: ArrayLike
) -> "making.Objective":
    """Returns the objective on some of the wrong classes; losses that compare the rows of a batch are as they were.

    Args:
      objective: what training asks.
      negatives, num_negatives, similar: see `chosen`. All of them, with `similar` 1, leave the objective as it is.
    """
    if negatives not in CHOICES:
        raise errors.unknown("choice of negatives", negatives, CHOICES)
    if negatives == "all" and isinstance(similar, float) and similar >= 1:
        return objective

    def loss(given, **learned):
        key, own_key = jax.random.split(given.key)
        options = {"negatives": negatives, "num_negatives": num_negatives, "similar": similar}
        relations = given.relations[given.labels]
        candidates = chosen(objective.scores(given.images, given.trained), given.is_own, relations, own_key, **options)
        return objective.loss(dataclasses.replace(given, candidates=candidates, key=key), **learned)

    return objective._replace(loss=loss, divides=objective.divides and negatives != "random")
