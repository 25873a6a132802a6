"""CoCoOp: a context that depends on the image, before a frozen text tower."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from zsl_jax import arguments
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, mlp, registry
from zsl_jax.methods.prompts import coop, family

_TOKENS = 1024  # of the texts that are encoded at a time


@registry.method(
    length=coop.LENGTH,
    num_hidden=registry.NUM_HIDDEN,
    learning_rate=registry.LEARNING_RATE,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def cocoop(
    tower: prompts.PromptTower,
    *,
    length: int = 0,
    num_hidden: int = 80,
    learning_rate: float = 0.01,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Conditional context optimisation: a small network moves the context by what it sees in the image.

        text(x, c) = tower(v_1 + h(x), ..., v_n + h(x), NAME, ".")    h(x) = W_2 relu(W_1 x + b_1) + b_2
        F(x, c) = cos(x - m, text(x, c)),    l(x, y) = -log softmax_c(scale F(x, c))_y

    Every image has texts of its own for all classes, in training and in scoring: B images and C classes take B C texts,
    some at a time. Images get x - m at unit length; W_2 and b_2 begin at 0, so that training begins at the template.

    Args:
      tower: the frozen text tower.
      length: vectors of the context, drawn at random; 0 begins with the words of the template before the name.
      num_hidden: width of the hidden layer of h; the paper has a sixteenth of the image's.
      learning_rate: of Adam, > 0.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: as `coop` does.

    Reference: Zhou, Yang, Loy, Liu, "Conditional Prompt Learning for Vision-Language Models", CVPR 2022.
    """

    def init_params(key, weights, classes):
        keys = jax.random.split(key)
        context = coop.started(tower, keys[0], weights, classes, length)
        layers = mlp.init_layers(keys[1], (tower.image_width, num_hidden, context.shape[-1]))
        layers[-1] = jax.tree.map(jnp.zeros_like, layers[-1])
        return {"context": context, "network": layers}

    def scores(params, weights, images, described):
        def of_image(image):
            moved = mlp.apply_layers(params["network"], image[None], jax.nn.relu)
            return coop.text(tower, weights, params["context"] + moved, described) @ image

        return by_image(of_image, images, described, len(params["context"]))

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=lambda params, weights, classes, known, key: family.names(classes),
        scores=scores,
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )


def by_image(scores: Callable, images: jax.Array, ids: jax.Array, length: int) -> jax.Array:
    """Returns `[B, C]` where every image has texts of its own: as many images at a time as make some 1024 tokens.

    Args:
      scores: `image [F] -> [C]`, computed again in the backward pass.
      images: `[B, F]`.
      ids: `[N, l]`, the names in the texts of an image.
      length: vectors of the context.
    """
    tokens = len(ids) * (ids.shape[1] + length + 4)
    return arguments.map_rows(jax.checkpoint(scores), images, size=max(1, _TOKENS // tokens))
