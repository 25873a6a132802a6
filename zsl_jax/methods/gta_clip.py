"""GTA: rounds of transduction, of texts added for classes that are confused, and of adaptation to pseudo-labels."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import errors, rules, similarity
from zsl_jax.methods import base, class_texts, joint, labelled, moved, registry
from zsl_jax.methods.transclip import assignments

_WEIGHT = rules.number(0, ends="[)")
_CONFUSED = 0.1  # difference of the two largest probabilities below which an input votes for a pair
_SURVIVE = 0.05  # share of the pairs with a vote that are asked about in the first round

# `(pairs [C, C] bool, texts [C, K, E], shown [C, K], is_text [C, K]) -> (texts, shown)`, is_text of the table.
Generate = Callable[..., tuple[jax.Array, jax.Array]]


@registry.method(
    start=rules.Knob("texts that describe a class at first", rules.whole(1)),
    add=rules.Knob("texts that a class gains for each class that it is confused with", rules.whole(0)),
    top=rules.Knob("likeliest unlabelled inputs of a class that are its pseudo-labels", rules.whole(1)),
    ridge=rules.Knob("penalty of the first map, in units of the mean variance of the texts", rules.number(0)),
    learning_rate=rules.Knob("step size of Adam; 0 adapts nothing", _WEIGHT),
    scale=rules.Knob("what cosines are multiplied by in the softmax of the loss", rules.number(0)),
    temperature=joint.TEMPERATURE,
    density=rules.Knob("weight of the log-densities in a round, means over the dimensions", _WEIGHT),
    seen_penalty=joint.SEEN_PENALTY,
)
def gta_clip(
    *,
    start: int = 4,
    add: int = 4,
    top: int = 8,
    ridge: float = 0.3,
    learning_rate: float = 1e-4,
    scale: float = 20.0,
    temperature: float = 0.4,
    density: float = 30.0,
    seen_penalty: float = 2.0,
) -> base.Method:
    """Generate, transduct, adapt: a linear map of class texts to features, trained on inputs without labels too.

        T_ck = unit((t_ck - m_t) M),    v_c = mean_{k shown} T_ck,    F(x, c) = cos(x - m_x, v_c)

    with texts t_ck of class c, their mean m_t over the labelled classes and the mean input m_x. M begins as the ridge
    regression from the texts of labelled classes to the means of their images. An epoch is a round, which begins by

        transduction    z = TransCLIP of F on the unlabelled inputs, labelled ones being fixed assignments
        generation      a pair of classes gets a vote of each input whose two largest z differ by less than 0.1; a pair
                        with enough votes is asked about, once: both classes show `add` more texts. Enough is what 5 %
                        of the pairs with a vote have in the first round
        pseudo-labels   the `top` inputs of largest z, of each class without labelled ones

    and goes on with steps of Adam on M, for the labelled inputs of a batch and as many pseudo-labelled ones,

        l(x, y) = -log softmax_c(scale cos(x - m_x, T_{c,k_c}))_y,    k_c: a shown text of class c, drawn per step

    Nothing is kept of how well a round did on anything: what is reported is the last one. Its last step is a
    transduction, which the recipe puts around this method, `transclip`; without it the method scores input by input.

    What stands for a language model is the table: a class has up to K texts, `{"texts": [C, K, E], "is_text": [C, K]}`
    as `config.towers.each=K` makes of a file, and shows the first `start`. A table `[C, E]` is one text per class, and
    nothing is generated. For a function that writes texts for the pairs of a round see `by_rounds`. Unlike the paper,
    which trains both towers of CLIP, the towers are frozen and M alone is adapted; the loss is its image side.

    Args:
      start: >= 1.
      add: >= 0.
      top: >= 1.
      ridge: > 0.
      learning_rate: >= 0.
      scale: > 0.
      temperature, density, seen_penalty: of the transduction in a round, see `transclip`.

    Raises:
      UserError: in `init`, inputs that are no vectors; a table of another form, or a class without texts.

    Reference: Saha, Lawrence, Van Horn, Maji, "Generate, Transduct, Adapt: Iterative Transduction with VLMs", ICCV
    2025.
    """

    def more_of_the_table(pairs, texts, shown, is_text):
        wanted = jnp.sum(shown, axis=1, keepdims=True) + add * jnp.sum(pairs, axis=1, keepdims=True)
        return texts, class_texts.first(is_text, wanted)

    return by_rounds(
        more_of_the_table,
        start=start,
        top=top,
        ridge=ridge,
        learning_rate=learning_rate,
        scale=scale,
        temperature=temperature,
        density=density,
        seen_penalty=seen_penalty,
    )


def asking(function: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Generate:
    """Returns what `by_rounds` takes for a function on the host: a language model with a text tower behind it.

    Args:
      function: `(pairs [C, C] bool, texts [C, K, E], shown [C, K] bool) -> (texts, shown)`, arrays of the same shapes,
        with free slots filled (`shown` is False there). Called once a round, with the pairs that are new in it.
    """

    def generate(pairs, texts, shown, is_text):
        del is_text
        like = (jax.ShapeDtypeStruct(texts.shape, texts.dtype), jax.ShapeDtypeStruct(shown.shape, shown.dtype))

        def called(*given):
            found = function(*map(np.asarray, given))
            return tuple(np.asarray(x, wanted.dtype).reshape(wanted.shape) for x, wanted in zip(found, like))

        return jax.pure_callback(called, like, pairs, texts, shown, vmap_method="sequential")

    return generate


def by_rounds(
    generate: Generate,
    *,
    start: int,
    top: int,
    ridge: Any,
    learning_rate: Any,
    scale: Any,
    temperature: Any,
    density: Any,
    seen_penalty: Any,
) -> base.Method:
    """Returns `gta_clip` with texts from elsewhere.

    Args:
      generate: `(pairs [C, C] bool, texts [C, K, E], shown [C, K], is_text [C, K]) -> (texts, shown)`, see `asking`.
      start, top, ridge, learning_rate, scale, temperature, density, seen_penalty: see `gta_clip`.
    """
    optimizer = optax.adam(learning_rate)

    def init(key, like, classes, weights):
        texts, is_text = class_texts.of(classes)
        if like.inputs.ndim != 2:
            raise errors.UserError(
                f"gta_clip takes features, an input [F] each, not inputs {list(like.inputs.shape[1:])}"
            )
        (count, _, width), features = texts.shape, like.inputs.shape[1]
        matrix = jnp.zeros((width, features))
        return {
            "map": matrix,
            "optimizer": optimizer.init(matrix),
            "mean": jnp.zeros(features),
            "text_mean": jnp.zeros(width),
            "known": class_texts.mean(texts, is_text),
            "texts": jnp.asarray(texts),
            "shown": class_texts.first(is_text, start),
            "asked": jnp.zeros((count, count), bool),
            "enough": jnp.zeros(()),
            "round": jnp.zeros((), jnp.int32),
            "pseudo": jnp.zeros((count, top, features)),
            "unlabelled": jnp.zeros(count),
        }

    def prepare(state, train, classes, key):
        inputs, (_, is_text) = jnp.asarray(train.inputs, jnp.float32), class_texts.of(classes)
        state = _begun(state | {"mean": jnp.mean(inputs, axis=0)}, inputs, train.labels, ridge)
        images, where = _embed(state, inputs), jnp.asarray(train.labels) < 0
        scores = similarity.cosine(images, _vectors(state, state["texts"], state["shown"]))
        decided = joint.Inputs(
            similarity.l2_normalize(inputs) * where[:, None],
            joint.standardized(scores, where),
            where,
            jnp.asarray(classes.is_seen),
            labelled.sums(inputs, train.labels, len(classes)),
        )
        logs = assignments(decided, temperature=temperature, density=density, seen_penalty=seen_penalty, labelled=1.0)
        shares = jnp.exp(logs) * where[:, None]
        votes = pair_votes(shares)
        enough = jnp.where(state["round"] == 0, _enough(votes), state["enough"])
        new = (votes >= enough) & ~state["asked"]
        texts, shown = generate(new, state["texts"], state["shown"], is_text)
        return state | {
            "texts": texts,
            "shown": shown,
            "asked": state["asked"] | new,
            "enough": enough,
            "round": state["round"] + 1,
            "pseudo": _most_likely(images, shares, top),
        }

    def update(state, batch, classes, key):
        keys = jax.random.split(key, 2)
        drawn = jax.random.categorical(keys[0], jnp.where(state["shown"], 0.0, -jnp.inf), axis=1)
        texts = jnp.take_along_axis(state["texts"], drawn[:, None, None], axis=1)[:, 0]
        images, labels, where = _with_pseudo(state, batch, keys[1])

        def loss(matrix):
            vectors = similarity.l2_normalize((texts - state["text_mean"][None, :]) @ matrix)
            logits = scale * similarity.dot(images, vectors)
            return base.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels), where)

        value, gradient = jax.value_and_grad(loss)(state["map"])
        step, memory = optimizer.update(gradient, state["optimizer"], state["map"])
        moved_on = {"map": optax.apply_updates(state["map"], step), "optimizer": memory}
        metrics = {"loss": value, "texts_shown": jnp.sum(state["shown"]).astype(jnp.float32)}
        return state | moved_on, metrics

    def finish(state, train, classes, key):
        return {name: state[name] for name in ("map", "mean", "text_mean", "known", "texts", "shown")}

    return base.Method(
        init=init,
        prepare=prepare,
        update=update,
        finish=finish,
        embed=_embed,
        describe=lambda state, classes: _described(state, classes, start),
        scores=lambda state, images, described: similarity.cosine(images, described),
        sees=frozenset({"test inputs", "unseen descriptions"}),
        refresh=1,
    )


def pair_votes(shares: jax.Array) -> jax.Array:
    """Returns `[C, C]`, symmetric, how many inputs hesitate between two classes, by their probabilities `[N, C]`.

    >>> print(pair_votes(jnp.array([[0.5, 0.45, 0.05], [0.9, 0.05, 0.05], [0.1, 0.46, 0.44], [0.0, 0.0, 0.0]])))
    [[0. 1. 0.]
     [1. 0. 1.]
     [0. 1. 0.]]
    """
    classes = shares.shape[1]
    if classes < 2:
        return jnp.zeros((classes, classes))
    best, pair = jax.lax.top_k(shares, 2)
    hesitates = ((best[:, 0] - best[:, 1] < _CONFUSED) & (best[:, 0] > 0)).astype(jnp.float32)
    votes = jnp.zeros((classes, classes)).at[pair[:, 0], pair[:, 1]].add(hesitates)
    return votes + votes.T


def _embed(state: dict, inputs: Any) -> jax.Array:
    return similarity.l2_normalize(inputs - state["mean"][None, :])


def _described(state: dict, classes: Any, start: int) -> jax.Array:
    """The class vectors `[C, F]`: of a class that was in training by the texts shown there, of others by the first."""
    texts, is_text = class_texts.of(classes)
    if texts.shape[1:] != state["texts"].shape[1:]:
        raise errors.UserError(
            f"a class has texts {list(texts.shape[1:])}, in training it had {list(state['texts'].shape[1:])}"
        )
    is_same = moved.same(class_texts.mean(texts, is_text), state["known"])
    is_known, row = jnp.any(is_same, axis=1), jnp.argmax(is_same, axis=1)
    texts = jnp.where(is_known[:, None, None], state["texts"][row], texts)
    shown = jnp.where(is_known[:, None], state["shown"][row], class_texts.first(is_text, start))
    return _vectors(state, texts, shown)


def _begun(state: dict, inputs: jax.Array, labels: Any, ridge: Any) -> dict:
    """The state with the first map, in the first round, and with which classes have no labelled inputs."""
    own = labelled.sums(_embed(state, inputs), labels, len(state["known"]))
    has, targets = own.counts > 0, similarity.l2_normalize(own.sums)
    text_mean, matrix = _ridge(class_texts.mean(state["texts"], state["shown"]), targets, has, ridge)
    first, kept = {"map": matrix, "text_mean": text_mean}, {name: state[name] for name in ("map", "text_mean")}
    begins = jax.tree.map(lambda new, old: jnp.where(state["round"] == 0, new, old), first, kept)
    return state | begins | {"unlabelled": (~has).astype(jnp.float32)}


def _most_likely(images: jax.Array, shares: jax.Array, top: int) -> jax.Array:
    """The images `[C, top, F]` that are most likely of each class; 0 where there are fewer."""
    best, rows = jax.lax.top_k(shares.T, min(top, len(images)))
    pseudo = images[rows] * (best > 0)[:, :, None]
    return jnp.pad(pseudo, ((0, 0), (0, top - rows.shape[1]), (0, 0)))


def _with_pseudo(state: dict, batch: Any, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Images, labels and mask `[2 B]`: the batch, and a row of `pseudo` drawn for each of its rows."""
    top, pseudo = state["pseudo"].shape[1], state["pseudo"].reshape(-1, state["mean"].size)
    # Rows of `pseudo` without an input have no weight.
    some = jnp.repeat(state["unlabelled"], top) * jnp.any(pseudo, axis=1)
    weights = jnp.where(jnp.any(some), jnp.log(some), 0.0)
    rows = jax.random.categorical(key, weights, shape=(len(batch.labels),))
    images = jnp.concatenate([_embed(state, batch.inputs), pseudo[rows]])
    labels = jnp.concatenate([jnp.maximum(batch.labels, 0), rows // top])
    return images, labels, jnp.concatenate([batch.where & (batch.labels >= 0), some[rows] > 0])


def _enough(votes: jax.Array) -> jax.Array:
    """The number of votes that the most confused pairs have, at least one."""
    survive = jnp.nanquantile(jnp.where(votes > 0, votes, jnp.nan), 1 - _SURVIVE)
    return jnp.maximum(jnp.where(jnp.isnan(survive), 1.0, survive), 1.0)


def _vectors(state: dict, texts: Any, shown: Any) -> jax.Array:
    """The class vectors `[C, F]`."""
    tied = similarity.l2_normalize((texts - state["text_mean"][None, None, :]) @ state["map"])
    return class_texts.mean(tied, shown)


def _ridge(texts: jax.Array, targets: jax.Array, has: jax.Array, ridge: Any) -> tuple[jax.Array, jax.Array]:
    """The mean text of the classes that have labelled inputs, and the map to their targets `[C, F]`."""
    number = jnp.maximum(jnp.sum(has), 1)
    mean = jnp.sum(texts * has[:, None], axis=0) / number
    rows = (texts - mean[None, :]) * has[:, None]
    with jax.default_matmul_precision("highest"):
        gram = rows @ rows.T
        strength = jnp.maximum(ridge * jnp.trace(gram) / number, jnp.finfo(jnp.float32).tiny)
        dual = jnp.linalg.solve(gram + strength * jnp.eye(len(rows)), targets * has[:, None])
        return mean, rows.T @ dual
