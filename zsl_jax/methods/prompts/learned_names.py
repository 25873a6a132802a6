"""Learned names: a vector in the place of a class's name, in a prompt and before a tower that stay as they are."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import coop, csp, family
from zsl_jax.rules import Knob, one_of


@registry.method(
    start=Knob("what a name's vector begins as: its name, or a vector drawn at random", one_of(("name", "nothing"))),
    learning_rate=registry.LEARNING_RATE,
    pull=coop.PULL,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def learned_names(
    tower: prompts.PromptTower,
    *,
    start: str = "name",
    learning_rate: float = 0.01,
    pull: float = 0.0,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Learning to name classes: each training class gets one new word; every other class keeps its name.

        text(c) = tower("a photo of a", e_c, ".") for a training class,   tower("a photo of a NAME.") for any other
        F(x, c) = cos(x - m, text(c))
        l(x, y) = -log softmax_c(scale F(x, c))_y + pull mean_c ||text(c) - hand(c)||^2

    A class is known by its name, so that classes that are added change nothing of those that were learned, and are
    scored as the hand-written prompt scores them.

    Args:
      tower: the frozen text tower.
      start: `name`, the mean of the vectors of the name's tokens, or `nothing`, a vector drawn at random, for classes
        whose names say nothing.
      learning_rate: of Adam, > 0.
      pull: >= 0, towards the texts of the template.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, inputs of another width than the texts.

    Reference: Parisot, Yang, McDonagh, "Learning to Name Classes for Vision and Language Models", CVPR 2023.
    """

    def init_params(key, weights, classes):
        tower.check_length(1)
        vectors = csp.mean_words(tower, weights, family.names(classes))
        if start == "nothing":
            vectors = tower.spread * jax.random.normal(key, vectors.shape)
        return {"names": vectors}

    def describe(params, weights, classes, known, key):
        del key
        ids = family.names(classes)
        rows = family.rows_among(ids, known)
        is_known = (rows >= 0)[:, None]
        new = tower.learned(params["names"][jnp.maximum(rows, 0)][:, None], len(ids))
        new = new._replace(ids=jnp.where(is_known, new.ids, prompts.NOTHING))
        old = tower.piece(weights, jnp.where(is_known, prompts.NOTHING, ids))
        return tower.encode(weights, "prefix", new, old, "suffix")

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        penalty=lambda params, images, described, hand: 0.0 if hand is None else pull * coop.distance(described, hand),
        compares=not (isinstance(pull, int | float) and pull == 0),
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )
