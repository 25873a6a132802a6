"""Tip-Adapter: the training images as a cache beside the hand-written prompt; nothing is trained."""

import jax
import jax.numpy as jnp

from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import family
from zsl_jax.rules import Knob, number


@registry.method(
    alpha=Knob("weight of the cache, in units of the cosine with the prompt", number(0, ends="[)")),
    beta=Knob("how fast the weight of a cached image falls with its distance", number(0)),
    centre=family.CENTRE,
)
def tip_adapter(
    tower: prompts.PromptTower, *, alpha: float = 1.0, beta: float = 5.5, centre: str = "training"
) -> base.Method:
    """A cache of training images beside the prompt: a kernel regression of the labels, added to the cosine.

        F(x, c) = cos(x - m, text(c)) + alpha mean_(i of class c) exp(-beta (1 - cos(x - m, x_i - m)))

    The paper has the sum over the images of a class, a multiple of their mean where all classes have as many. A class
    without a training image has only the first term: it is behind wherever the cache says anything, and what is
    subtracted from the scores of seen classes has to make up for that.

    Args:
      tower: the frozen text tower.
      alpha: >= 0.
      beta: > 0; the paper has 5.5.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: inputs of another width than the texts.

    Reference: Zhang, Zhang, Fang, Gao, Li, Dai, Qiao, Li, "Tip-Adapter: Training-free Adaption of CLIP for Few-shot
    Classification", ECCV 2022.
    """
    written = family.by_prompts(
        tower,
        describe=lambda params, weights, classes, known, key: family.hand_written(tower, weights, classes),
        centre=centre,
    )

    def finish(state, train, classes, key):
        state = written.finish(state, train, classes, key)
        return state | {"images": written.embed(state, train.inputs), "labels": train.labels}

    def describe(state, classes):
        return {
            "texts": written.describe(state, classes),
            "row": family.rows_among(family.names(classes), state["names"]),
        }

    def scores(state, images, described):
        nearness = jnp.exp(beta * (images @ state["images"].T - 1))
        of_class = jax.nn.one_hot(state["labels"], len(state["names"]))
        cached = nearness @ (of_class / jnp.maximum(jnp.sum(of_class, axis=0, keepdims=True), 1))
        rows = described["row"]
        cached = jnp.where(rows[None] >= 0, cached[:, jnp.maximum(rows, 0)], 0.0)
        return images @ described["texts"].T + alpha * cached

    return written._replace(finish=finish, describe=describe, scores=scores)
