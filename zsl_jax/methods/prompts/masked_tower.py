"""A masked tower: nothing is added to a frozen text tower, and learning finds the weights that it can do without."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import traverse_util

from zsl_jax import errors
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.methods.prompts import family
from zsl_jax.rules import Knob, whole


@registry.method(
    layers=Knob("layers of the tower whose matrices are masked, from its top down", whole(1)),
    learning_rate=registry.LEARNING_RATE,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def masked_tower(
    tower: prompts.PromptTower,
    *,
    layers: int = 1,
    learning_rate: float = 0.01,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Masking: the matrices of the top layers keep some of their weights; those weights stay as they are.

        W'_ij = W_ij 1[s_ij > 0],   s_ij ~ U(0, 1) at first, so that the tower begins whole
        dl/ds_ij = W_ij dl/dW'_ij                       straight through the step
        text(c) = tower with W'("a photo of a NAME.")
        F(x, c) = cos(x - m, text(c)),    l(x, y) = -log softmax_c(scale F(x, c))_y

    One bit per weight is learned, and the same prompt is read by a tower of fewer weights, for new classes too. Adam
    moves a score by about `learning_rate` per step: after t steps that agree, t times that share of weights is gone.
    The paper draws scores of which 5 % are below the threshold, so that it begins without these.

    Args:
      tower: the frozen text tower.
      layers: >= 1; those that the tower has are its most.
      learning_rate: of Adam, > 0.
      scale: > 0.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, a tower of fewer layers, or inputs of another width than the texts.

    Reference: Zhao, Lin, Mi, Jaggi, Schütze, "Masking as an Efficient Alternative to Finetuning for Pretrained Language
    Models", EMNLP 2020.
    """

    def init_params(key, weights, classes):
        del classes
        found = matrices(weights["tower"], layers)
        keys = jax.random.split(key, len(found))
        return {name: jax.random.uniform(k, found[name].shape) for k, name in zip(keys, sorted(found))}

    def describe(params, weights, classes, known, key):
        del known, key
        return family.hand_written(tower, weights | {"tower": masked(weights["tower"], params)}, classes)

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )


def matrices(variables: Any, layers: int) -> dict[str, Any]:
    """Returns the matrices of the top layers of a tower, by their path.

    Raises:
      UserError: the tower has fewer layers.
    """
    flat = traverse_util.flatten_dict(variables, sep="/")
    found = {name: (int(number[1]), x) for name, x in flat.items() if (number := re.search(r"_(\d+)/", name))}
    depth = 1 + max((number for number, _ in found.values()), default=-1)
    if layers > depth:
        raise errors.UserError(f"config.method.layers={layers} is more than the tower has: {depth}")
    return {name: x for name, (number, x) in found.items() if number >= depth - layers and jnp.ndim(x) == 2}


def masked(variables: Any, scores: dict[str, jax.Array]) -> Any:
    """Returns the variables of a tower without the weights whose score is 0 or less; gradients go straight through.

    >>> variables = {"layer_0": {"kernel": jnp.array([[1.0, 2.0]])}}
    >>> masked(variables, {"layer_0/kernel": jnp.array([[0.5, -0.5]])})["layer_0"]["kernel"]
    Array([[1., 0.]], dtype=float32)
    """
    flat = traverse_util.flatten_dict(variables, sep="/")
    for name, score in scores.items():
        kept = jnp.where(score > 0, 1.0, 0.0)
        flat[name] = flat[name] * (kept + (score - jax.lax.stop_gradient(score)))
    return traverse_util.unflatten_dict(flat, sep="/")
