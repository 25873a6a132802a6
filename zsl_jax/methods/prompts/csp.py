"""CSP: a vector of each attribute and one of each object, learned before a frozen text tower."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry, two_heads
from zsl_jax.methods.prompts import family
from zsl_jax.rules import Knob, number

SIDES = ("attribute_tokens", "object_tokens")


@registry.method(
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
    dropout=Knob("share of the entries of the vectors left out in a step", number(0, 1, ends="[)")),
    scale=family.SCALE,
    centre=family.CENTRE,
)
def csp(
    tower: prompts.PromptTower,
    *,
    learning_rate: float = 0.01,
    weight_decay: float = 1e-5,
    dropout: float = 0.3,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Compositional soft prompting: attributes and objects are new words, and a pair is a prompt with two of them.

        text(a, o) = tower("a photo of a", t_a, t_o, ".")
        F(x, (a, o)) = cos(x - m, text(a, o)),   l(x, (a, o)) = -log softmax_(seen pairs)(scale F(x, .))_(a, o)

    t_a and t_o begin as the means of the vectors of the names' tokens; they are all that is trained, with dropout of
    their entries. A pair that was never seen is scored by the two vectors that pairs of the same parts have trained.
    Each training pair is encoded once per step.

    Args:
      tower: the frozen text tower.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0, added to the gradient, times the vectors.
      dropout: in [0, 1).
      scale: > 0; CLIP's towers were trained with 100.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, classes that are no pairs, a prompt longer than the tower reads, or inputs of another width
        than the texts.

    Reference: Nayak, Yu, Bach, "Learning to Compose Soft Prompts for Compositional Zero-Shot Learning", ICLR 2023.
    """

    def init_params(key, weights, classes):
        del key
        two_heads.check_pairs("csp", classes)
        tower.check_length(2)
        return {side: mean_words(tower, weights, jnp.asarray(classes.shared[side])) for side in SIDES}

    def describe(params, weights, classes, known, key):
        del known
        if key is not None:
            kept = [jax.random.bernoulli(k, 1 - dropout, params[s].shape) for s, k in zip(SIDES, jax.random.split(key))]
            params = {s: jnp.where(k, params[s] / (1 - dropout), 0.0) for s, k in zip(SIDES, kept)}
        two_heads.check_pairs("csp", classes)
        parts = jnp.asarray(classes.parts)
        words = jnp.stack([params[side][parts[:, i]] for i, side in enumerate(SIDES)], axis=1)
        return tower.encode(weights, "prefix", tower.learned(words, len(parts)), "suffix")

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        optimizer=optax.chain(optax.add_decayed_weights(weight_decay), optax.adam(learning_rate)),
        scale=scale,
        centre=centre,
    )


def mean_words(tower: prompts.PromptTower, weights, ids: jax.Array) -> jax.Array:
    """Returns the mean of the vectors of each name's tokens, `[N, D]`, for `ids [N, l]`."""
    is_there = (ids >= 0)[:, :, None]
    return jnp.sum(tower.words(weights, ids) * is_there, axis=1) / jnp.maximum(jnp.sum(is_there, axis=1), 1)
