"""What is put around any objective: short embeddings that do as well, and margins that differ from pair to pair.

prefixes=16,64      the mean of the loss at the first 16, the first 64 and all entries of the embeddings (Matryoshka)
margins=described   loss.margin times d(phi_y, phi_c) / mean d: classes with near descriptions may come closer

Both go around a sum, around chosen negatives and around each other.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from zsl_jax import errors, losses, rules
from zsl_jax.methods.objectives import compared as compared_lib

if TYPE_CHECKING:
    from zsl_jax.methods.objectives import making

MARGINS = ("equal", "described")
KNOBS = {
    "prefixes": rules.Knob("lengths at which the first entries alone are trained as well", rules.wholes(1)),
    "score_width": rules.Knob("first entries of the embeddings that scores use; 0 for all", rules.whole(0)),
    "margins": rules.Knob(
        "whether all wrong classes have one margin, or one by their descriptions", rules.one_of(MARGINS)
    ),
}


def at_prefixes(
    objective: "making.Objective", prefixes: Sequence[int] = (), score_width: int = 0, *, normalize: bool = False
) -> "making.Objective":
    """Returns the objective on the first entries of images and classes as well as on all of them, and their mean.

        loss = mean_m loss(x[:, :m], phi[:, :m], ...),   m in prefixes and D

    Args:
      objective: what training asks.
      prefixes: lengths m below D; those of all entries, D, come by themselves.
      score_width: entries that scores use; 0 for all.
      normalize: whether every prefix is divided by its length.

    Reference: Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
    """
    if not (prefixes or score_width or normalize):
        return objective

    def loss(given, **learned):
        def at(images, described):
            through = given.through and (given.through[0], given.through[1][:, : images.shape[1]])
            cut = dataclasses.replace(given, images=images, described=described, through=through)
            return objective.loss(cut, **learned)

        width = given.images.shape[1]
        dims = (*(prefix for prefix in prefixes if prefix != width), width)
        found = losses.matryoshka(at, given.images, given.described, dims=dims, normalize=normalize)
        return found / len(dims)

    return objective._replace(loss=loss, prefixes=tuple(prefixes), score_width=score_width)


def check_lengths(objective: "making.Objective", width: int) -> None:
    """Raises a UserError where prefixes or the width of scores go beyond embeddings of that many entries."""
    for name, value in [("prefixes", m) for m in objective.prefixes] + [("score_width", objective.score_width)]:
        if not 0 <= value <= width or (name == "prefixes" and value == 0):
            raise errors.UserError(f"method.{name}: {value} is not a length of embeddings of {width} entries")


def with_margins(objective: "making.Objective", margins: str) -> "making.Objective":
    """Returns the objective with a margin for each pair of classes.

        m_yc = m d(phi_y, phi_c) / mean d,   d the distance of two descriptions of unit length

    The mean is that over pairs of different training classes. Terms without a margin between two classes stay as they
    are.

    Args:
      objective: what training asks.
      margins: `equal` leaves it as it is; `described` for the above.

    Raises:
      UserError: an unknown choice, or no term with such a margin.

    Reference: Tsochantaridis, Joachims, Hofmann, Altun, "Large Margin Methods for Structured and Interdependent Output
    Variables", JMLR 2005, of margins by the distance of two labels.
    """
    if margins not in MARGINS:
        raise errors.unknown("margins", margins, MARGINS)
    if margins == "equal":
        return objective
    if not objective.margins:
        raise errors.UserError(
            f"margins={margins} gives each wrong class a margin of its own, for losses such as warp, rank_hinge, "
            "cosface or triplet_margin: this one has no margin between two classes"
        )

    def loss(given, **learned):
        return objective.loss(dataclasses.replace(given, apart=apart(given)), **learned)

    return objective._replace(loss=loss)


def apart(given: compared_lib.Compared) -> jax.Array:
    """Returns `[S, S]` distances of the training classes' descriptions at unit length, as shares of their mean.

    1 everywhere where all of them are the same; 0 for a class and itself.
    """
    squared = jnp.maximum(2.0 - 2.0 * given.relations, 0.0)
    different = ~jnp.eye(len(squared), dtype=bool)
    distances = jnp.where(different, jnp.sqrt(squared), 0.0)
    mean = jnp.sum(distances) / max(len(squared) * (len(squared) - 1), 1)
    shares = jnp.where(mean > 0, distances / jnp.where(mean > 0, mean, 1.0), 1.0)
    return jax.lax.stop_gradient(jnp.where(different, shares, 0.0))
