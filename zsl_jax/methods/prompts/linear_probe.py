"""A linear probe that begins at the texts: a vector per training class on the tower's images, for others the text."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import family


@registry.method(
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def linear_probe(
    tower: prompts.PromptTower,
    *,
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Logistic regression on images of a frozen tower, from the texts of the classes on: what a prompt has to beat.

        F(x, c) = w_c . unit(x - m),   w_c = text("a photo of a NAME.") at first, and always of a new class
        l(x, y) = -log softmax_c(scale F(x, c))_y + weight_decay mean_c ||w_c - text(c)||^2

    Nothing goes through the text tower in a step, so that a step costs what the products with w cost.

    Args:
      tower: the frozen text tower.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0, towards the texts.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, inputs of another width than the texts.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, from
    zero on; from the texts on: Xiao, Tang, Lin, et al., "Exploiting Category Names for Few-Shot Classification with
    Vision-Language Models", ICLR 2023 workshop on Multimodal Representation Learning.
    """

    def init_params(key, weights, classes):
        del key
        return {"vectors": family.hand_written(tower, weights, classes)}

    def describe(params, weights, classes, known, key):
        del key
        rows = family.rows_among(family.names(classes), known)
        return jax.lax.cond(
            jnp.all(rows >= 0),
            lambda: params["vectors"][rows],
            lambda: family.chosen(rows, params["vectors"], family.hand_written(tower, weights, classes)),
        )

    def penalty(params, images, described, hand):
        return 0.0 if hand is None else weight_decay * jnp.mean(jnp.sum((described - hand) ** 2, axis=1))

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        penalty=penalty,
        compares=not (isinstance(weight_decay, int | float) and weight_decay == 0),
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )
