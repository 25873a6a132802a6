"""Learned names: a vector in the place of a class's name, in a prompt and before a tower that stay as they are."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import coop, csp, family
from zsl_jax.rules import Knob, one_of


@registry.method(
    start=Knob(
        "what a name's vector begins as: its name, the description of the class, or a vector drawn at random",
        one_of(("name", "description", "nothing")),
    ),
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
    scored as the hand-written prompt scores them. With `towers.by=texts` that is by the mean of
    tower("a photo of a NAME, which has TEXT.") over the texts of the class.

    Args:
      tower: the frozen text tower.
      start: `name`, the mean of the vectors of the name's tokens; for classes whose names say little `description`, the
        mean of the vectors of all tokens of its name and its texts, of `towers.by=texts`; or `nothing`, a vector drawn
        at random.
      learning_rate: of Adam, > 0.
      pull: >= 0, towards the texts of the template.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, inputs of another width than the texts, `start=description` without texts, or
        `start=name` for classes of several texts each.

    Reference: Parisot, Yang, McDonagh, "Learning to Name Classes for Vision and Language Models", CVPR 2023.
    """

    def init_params(key, weights, classes):
        if start == "description" and tower.options.by != "texts":
            raise errors.UserError(
                "config.method.start=description is of classes with texts: --config.towers.by=texts "
                "--config.towers.texts=FILE.json"
            )
        tower.check_length(1)
        ids = family.names(classes) if start == "name" else tokens(classes)
        vectors = csp.mean_words(tower, weights, ids)
        if start == "nothing":
            vectors = tower.spread * jax.random.normal(key, vectors.shape)
        return {"names": vectors}

    def describe(params, weights, classes, known, key):
        del key
        rows = family.rows_among(tokens(classes), known)
        words = params["names"][jnp.maximum(rows, 0)][:, None]
        named = tower.encode(weights, "prefix", tower.learned(words, len(rows)), "suffix")
        return jax.lax.cond(
            jnp.all(rows >= 0),
            lambda: named,
            lambda: jnp.where((rows >= 0)[:, None], named, family.hand_written(tower, weights, classes)),
        )

    return family.by_prompts(
        tower,
        init_params=init_params,
        known=tokens,
        describe=describe,
        penalty=lambda params, images, described, hand: 0.0 if hand is None else pull * coop.distance(described, hand),
        compares=not (isinstance(pull, int | float) and pull == 0),
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )


def tokens(classes) -> jax.Array:
    """Returns the token ids `[C, T l]` of all that is said of each class."""
    ids = family.texts(classes)
    return ids.reshape(len(ids), -1)
