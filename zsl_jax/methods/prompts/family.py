"""What all prompts share: an image around the training mean, texts through a frozen tower, their cosine, one step.

    F(x, c) = cos(x - m, text(c)),    l(x, y) = -log softmax_c(scale F(x, c))_y

In a step the text of each training class is encoded once, for all images of the batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, similarity
from zsl_jax.encoders import prompts
from zsl_jax.methods import base, registry
from zsl_jax.rules import Knob, number, one_of

SCALE = Knob("what cosines are multiplied by in the softmax", number(0))
CENTRE = Knob("the mean that is subtracted from inputs: of the training inputs, or none", one_of(("training", "none")))


@registry.method(centre=CENTRE)
def hand_prompt(tower: prompts.PromptTower, *, centre: str = "training") -> base.Method:
    """The prompt that a person wrote, `towers.template`, with nothing learned: where learned prompts start from.

        F(x, c) = cos(x - m, text("a photo of a NAME."))

    With `towers.by=texts` a class is the mean of its texts in the template, of unit length.

    Args:
      tower: the frozen text tower.
      centre: `training`, m is the mean of the training inputs, or `none`, m = 0, for towers trained together.

    Raises:
      UserError: inputs of another width than the texts; classes without token ids.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
    """

    def describe(params, weights, classes, known, key):
        return hand_written(tower, weights, classes)

    return by_prompts(tower, describe=describe, known=lambda classes: texts(classes)[:, 0], centre=centre)


def hand_written(tower: prompts.PromptTower, weights, classes) -> jax.Array:
    """Returns `[C, F]` the texts of classes in the template; of several texts of a class their mean, of unit length."""
    ids = texts(classes)
    flat = tower.piece(weights, ids.reshape(-1, ids.shape[-1]))
    found = tower.encode(weights, "prefix", flat, "suffix").reshape(*ids.shape[:2], -1)
    if ids.shape[1] == 1:
        return found[:, 0]
    return similarity.l2_normalize(jnp.sum(found, axis=1, where=jnp.any(ids >= 0, axis=-1)[:, :, None]))


def names(classes) -> jax.Array:
    """Returns the token ids of the classes' names `[C, l]`; of pairs those of the attribute, then of the object.

    Raises:
      UserError: a table without token ids, or one of several texts per class.
    """
    ids = texts(classes)
    if ids.shape[1] != 1:
        raise errors.UserError(
            f"this prompt is learned around the name of a class, and the classes have up to {ids.shape[1]} texts each: "
            "towers.by should be names"
        )
    return ids[:, 0]


def texts(classes) -> jax.Array:
    """Returns the token ids `[C, T, l]` of what stands for a class in the template: its name, or its name and texts.

    Raises:
      UserError: a table without token ids.
    """
    if classes.parts is not None and isinstance(classes.shared, dict) and "attribute_tokens" in classes.shared:
        parts = jnp.asarray(classes.parts)
        sides = (classes.shared["attribute_tokens"], classes.shared["object_tokens"])
        return jnp.concatenate([jnp.asarray(ids)[parts[:, i]] for i, ids in enumerate(sides)], axis=1)[:, None]
    ids = classes.embedding
    if not hasattr(ids, "dtype") or ids.ndim not in (2, 3) or not jnp.issubdtype(ids.dtype, jnp.integer):
        raise errors.UserError("prompts are learned around names as token ids, which this class table does not have")
    return jnp.asarray(ids if ids.ndim == 3 else ids[:, None])


def rows_among(ids: jax.Array, known: jax.Array) -> jax.Array:
    """Returns for names `[C, l]` the row of `known [T, m]` that is the same name, `[C]`; -1 where there is none."""
    width = max(ids.shape[1], known.shape[1])
    ids, known = (
        jnp.pad(_left(x), ((0, 0), (0, width - x.shape[1])), constant_values=prompts.NOTHING) for x in (ids, known)
    )
    same = jnp.all(ids[:, None] == known[None], axis=-1)
    return jnp.where(jnp.any(same, axis=1), jnp.argmax(same, axis=1), -1)


def chosen(rows: jax.Array, learned: jax.Array, other: jax.Array) -> jax.Array:
    """Returns what was learned of the rows that are known, and `other` for those that are -1."""
    is_known = (rows >= 0).reshape(-1, *[1] * (learned.ndim - 1))
    return jnp.where(is_known, learned[jnp.maximum(rows, 0)], other)


def check_vectors(tower: prompts.PromptTower, inputs) -> None:
    """Raises a UserError for inputs that are no vectors of the space of the texts."""
    width = tower.image_width
    if inputs.shape[1:] != (width,):
        raise errors.UserError(
            f"an input is {list(inputs.shape[1:])} numbers and a text {[width]}: both must come from one pair of "
            "towers, or a tie must bring texts to features (config.towers.tie, made by zsl-jax tie)"
        )


def by_prompts(
    tower: prompts.PromptTower,
    *,
    describe: Callable[..., Any],
    centre: str,
    init_params: Callable[..., Any] | None = None,
    known: Callable[..., jax.Array] = names,
    check: Callable[..., None] = check_vectors,
    embed: Callable[..., Any] = lambda params, inputs: similarity.l2_normalize(inputs),
    scores: Callable[..., jax.Array] = lambda params, weights, images, described: images @ described.T,
    penalty: Callable[..., Any] = lambda params, images, described, hand: 0.0,
    compares: bool = False,
    optimizer: optax.GradientTransformation | None = None,
    scale: Any = 1.0,
    sees: frozenset = frozenset(),
    divides: bool = True,
) -> base.Method:
    """Returns a method that minimises the cross-entropy of scaled scores over the training classes.

    Args:
      tower: the frozen text tower.
      describe: `(params, weights, classes, known, key) -> described`; `known` is what the state keeps of the training
        classes, `key` is None when classes are scored.
      known: `classes -> token ids`, of which `describe` tells the classes that were trained on.
      check: `(tower, inputs) -> None`, raises a UserError for inputs that do not meet the texts in one space.
      embed: `(params, inputs) -> images`, of inputs around the mean.
      centre: see `CENTRE`.
      init_params: `(key, weights, classes) -> params`; None: nothing is trained.
      scores: `(params, weights, images, described) -> [B, C]`.
      penalty: `(params, images, described, hand) -> scalar, [1] or [B]`, added to the loss; `hand [T, F]` are the texts
        of the training classes in the template, made once, where the method `compares` with them, else None.
      optimizer: of `params`.
      scale: of the scores, in the softmax.
      sees, divides: see `base.Method`.
    """

    def init(key, like, classes, weights):
        check(tower, like.inputs)
        width = like.inputs.shape[-1]
        state = {"mean": jnp.zeros(width), "names": known(classes), "tower": base.Frozen(weights)}
        state["params"] = {} if init_params is None else init_params(key, weights, classes)
        if optimizer is not None:
            state["optimizer"] = optimizer.init(state["params"])
        return state | ({"hand": jnp.zeros((len(classes), width))} if compares else {})

    def prepare(state, train, classes, key):
        del key
        if centre == "training":
            state = state | {"mean": jnp.mean(train.inputs, axis=tuple(range(train.inputs.ndim - 1)))}
        if compares:
            state = state | {"hand": hand_written(tower, state["tower"].tree, classes)}
        return state

    def update(state, batch, classes, key):
        weights = state["tower"].tree
        count = jnp.maximum(base.total(jnp.sum(batch.where), batch.axis_name), 1)

        def share_of_mean(params):
            described = describe(params, weights, classes, state["names"], key)
            images = images_of(state, params, batch.inputs)
            logits = scale * scores(params, weights, images, described)
            values = optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
            values += penalty(params, images, described, state.get("hand"))
            return jnp.sum(values, where=batch.where) / count

        given = jax.value_and_grad(share_of_mean)(state["params"])
        value, gradient = base.total(given, batch.axis_name)
        updates, memory = optimizer.update(gradient, state["optimizer"], state["params"])
        moved = {"params": optax.apply_updates(state["params"], updates), "optimizer": memory}
        return state | moved, {"loss": value, "gradient_norm": optax.tree.norm(gradient)}

    def finish(state, train, classes, key):
        del train, classes, key
        return {name: x for name, x in state.items() if name not in ("optimizer", "hand")}

    def images_of(state, params, inputs):
        return embed(params, inputs - state["mean"].reshape(*[1] * (inputs.ndim - 1), -1))

    return base.Method(
        init=init,
        prepare=prepare,
        update=None if optimizer is None else update,
        finish=finish,
        embed=lambda state, inputs: images_of(state, state["params"], inputs),
        describe=lambda state, classes: describe(state["params"], state["tower"].tree, classes, state["names"], None),
        scores=lambda state, images, described: scores(state["params"], state["tower"].tree, images, described),
        weights=tower.weights,
        sees=sees,
        divides=divides,
    )


def _left(ids: jax.Array) -> jax.Array:
    """Token ids with what is nothing behind the others."""
    return jnp.take_along_axis(ids, jnp.argsort(ids < 0, axis=1, stable=True), axis=1)
