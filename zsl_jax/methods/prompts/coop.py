"""CoOp: the words around a class's name as learned vectors, before a frozen text tower."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry, two_heads
from zsl_jax.methods.prompts import family
from zsl_jax.rules import Knob, number, one_of, whole

LENGTH = Knob(
    "vectors of the context, drawn at random; 0: one per word of the template before the name, and these to begin with",
    whole(0),
)
PULL = Knob("weight of the squared distance from the texts of the template (KgCoOp)", number(0, ends="[)"))
CONTEXTS = ("unified", "class", "parts")
POSITIONS = ("end", "middle", "front")


@registry.method(
    context=Knob("whose context it is: of all classes, of each, or of the parts of a pair", one_of(CONTEXTS)),
    length=LENGTH,
    position=Knob("where the name stands among the vectors", one_of(POSITIONS)),
    learning_rate=registry.LEARNING_RATE,
    pull=PULL,
    scale=family.SCALE,
    centre=family.CENTRE,
)
def coop(
    tower: prompts.PromptTower,
    *,
    context: str = "unified",
    length: int = 0,
    position: str = "end",
    learning_rate: float = 0.01,
    pull: float = 0.0,
    scale: float = 20.0,
    centre: str = "training",
) -> base.Method:
    """Context optimisation: the words around a name are vectors that are learned; the tower stays as it is.

        text(c) = tower(v_1, ..., v_n, NAME, ".")                  v the context
        F(x, c) = cos(x - m, text(c))
        l(x, y) = -log softmax_c(scale F(x, c))_y + pull mean_c ||text(c) - hand(c)||^2

    hand(c) is the text of the template, so that `pull` holds learned texts near the hand-written ones (KgCoOp has 8).
    With a context of its own per class, a class that was not trained on gets the mean of the learned ones. In pairs,
    `parts` is v + a_attribute + o_object: a context that a pair shares with others of its attribute and its object.

    Args:
      tower: the frozen text tower.
      context: `unified`, one for all classes; `class`, one for each; `parts`, a sum over the parts of a pair.
      length: vectors of the context, drawn at random; 0 begins with the words of the template before the name.
      position: of the name among the vectors: at their `end`, in the `middle`, in `front`.
      learning_rate: of Adam, > 0.
      pull: >= 0.
      scale: > 0; CLIP's towers were trained with 100.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0.

    Raises:
      UserError: in `init`, a prompt longer than the tower reads, no word to begin with, inputs of another width than
        the texts, or `context=parts` for classes that are no pairs.

    Reference: Zhou, Yang, Loy, Liu, "Learning to Prompt for Vision-Language Models", IJCV 2022; Yao, Zhang, Xu,
    "Visual-Language Prompt Tuning with Knowledge-guided Context Optimization", CVPR 2023.
    """

    def init_params(key, weights, classes):
        start = started(tower, key, weights, classes, length)
        if context == "class":
            return {"context": jnp.tile(start[None], (len(classes), 1, 1))}
        if context == "parts":
            two_heads.check_pairs("coop with context=parts", classes)
            sides = {side: len(classes.shared[side]) for side in two_heads.SIDES}
            return {"context": start, **{side: jnp.zeros((n, *start.shape)) for side, n in sides.items()}}
        return {"context": start}

    def describe(params, weights, classes, known, key):
        del key
        ids, vectors = family.names(classes), params["context"]
        if context == "class":
            vectors = family.chosen(family.rows_among(ids, known), vectors, jnp.mean(vectors, axis=0)[None])
        if context == "parts":
            two_heads.check_pairs("coop with context=parts", classes)
            parts = jnp.asarray(classes.parts)
            vectors = vectors[None] + sum(params[side][parts[:, i]] for i, side in enumerate(two_heads.SIDES))
        return text(tower, weights, vectors, ids, position)

    return family.by_prompts(
        tower,
        init_params=init_params,
        describe=describe,
        penalty=lambda params, images, described, hand: 0.0 if hand is None else pull * distance(described, hand),
        compares=not (isinstance(pull, int | float) and pull == 0),
        optimizer=optax.adam(learning_rate),
        scale=scale,
        centre=centre,
    )


def started(tower: prompts.PromptTower, key, weights, classes, length: int) -> jax.Array:
    """Returns the context `[n, D]` to begin with.

    Raises:
      UserError: there is no word before the name, or a prompt is longer than the tower reads.
    """
    prefix = tower.fixed["prefix"]
    if not length and not len(prefix):
        raise errors.UserError(
            f"config.towers.template={tower.template!r} has no word before the name to begin a context with: "
            "--config.method.length=4 draws vectors"
        )
    tower.check_length(family.texts(classes).shape[-1], context=length or len(prefix))
    if not length:
        return tower.words(weights, jnp.asarray(prefix))
    spread = tower.spread
    return spread * jax.random.normal(key, (length, tower.words(weights, jnp.zeros(1, jnp.int32)).shape[-1]))


def text(tower: prompts.PromptTower, weights, vectors: jax.Array, ids: jax.Array, position: str = "end") -> jax.Array:
    """Returns `[C, F]` the texts of names `ids [C, l]` among `vectors [n, D]`, or `[C, n, D]`."""
    length = vectors.shape[-2]
    before = {"end": length, "middle": length // 2, "front": 0}[position]
    parts = (vectors[..., :before, :], vectors[..., before:, :])
    left, right = (tower.learned(part, len(ids)) for part in parts)
    return tower.encode(weights, left, tower.piece(weights, ids), right, "suffix")


def distance(described: jax.Array, hand: jax.Array) -> jax.Array:
    """Returns the mean squared distance of the texts of classes from those of the hand-written prompt."""
    return jnp.mean(jnp.sum((described - hand) ** 2, axis=-1))
