"""Eight small problems, each of another kind, and a method for each: none needs a line of the trainer."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import data, methods, rules
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.methods import base

RATE = {"learning_rate": rules.Knob("step size", rules.number(0))}
_WIDTH, _PER_CLASS = 8, 12


class Toy(NamedTuple):
    """A problem and its method.

    Fields:
      dataset: `() -> data.Dataset`.
      factory: `(**knobs) -> Method`.
      protocol, metric: of the config.
      floor: what the protocol's first metric must exceed.
      late: knobs chosen after training.
    """

    dataset: Callable[[], data.Dataset]
    factory: Callable[..., base.Method]
    protocol: str
    metric: str
    floor: float
    late: dict[str, tuple] = {}  # noqa: RUF012


def problem(prototypes, embedding, *, num_unseen=3, inputs=None, seed=0, **fields) -> data.Dataset:
    """Noisy images around a prototype per class; the last classes are unseen."""
    rng, count = np.random.default_rng(seed), len(prototypes)
    labels = np.repeat(np.arange(count, dtype=np.int32), _PER_CLASS)
    features = (prototypes[labels] + 0.2 * rng.standard_normal((len(labels), prototypes.shape[1]))).astype(np.float32)
    is_seen, test = np.arange(count) < count - num_unseen, np.arange(len(labels)) % 3 == 0
    seen = is_seen[labels]
    splits = {
        "train": np.flatnonzero(seen & ~test),
        "test_seen": np.flatnonzero(seen & test),
        "test_unseen": np.flatnonzero(~seen),
    }
    table = data.ClassTable(
        embedding,
        is_seen,
        tuple(f"class {i}" for i in range(count)),
        fields.pop("parts", None),
        fields.pop("shared", None),
    )
    info = {"semantics": "toy", "split": "toy", "files": {}}
    made = features if inputs is None else inputs(features, rng)
    return data.Dataset("toy", made, labels, table, fields.pop("splits", splits), info=info, **fields)


def linear(describe, score=None, *, learning_rate, width=_WIDTH):
    """Images by a linear map against described classes, under the cross-entropy; `describe(params, classes)`."""

    def init_params(key, like, classes):
        return {"map": 0.1 * jax.random.normal(key, (jax.tree.leaves(like.inputs)[-1].shape[-1], width))}

    def scores(params, images, described):
        return images @ described.T

    def loss(params, batch, classes, key):
        compared = scores(params, batch.inputs @ params["map"], describe(params, classes))
        return optax.losses.softmax_cross_entropy_with_integer_labels(compared, batch.labels)

    return methods.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=lambda params, inputs: inputs @ params["map"],
        describe=describe,
        scores=scores if score is None else score,
        optimizer=optax.adam(learning_rate),
    )


def unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


# 1. Pairs of attribute and object, in a closed and an open world.


def pairs_dataset() -> data.Dataset:
    rng, parts = np.random.default_rng(1), np.array([(a, o) for a in range(4) for o in range(4)], np.int32)
    vectors = rng.standard_normal((2, 4, _WIDTH))
    prototypes = np.concatenate([vectors[0][parts[:, 0]], vectors[1][parts[:, 1]]], axis=1)
    made = problem(prototypes, parts, num_unseen=0, parts=parts)
    order = np.random.default_rng(2).permutation(16)
    # The diagonals stay seen, so that every attribute and object is.
    free = [c for c in order if parts[c, 0] != parts[c, 1] and parts[c].sum() != 3]
    unseen = {"validation": free[:2], "test": free[2:4], "nobody has": free[4:6]}
    held = np.isin(made.labels, free[:6])
    place = np.arange(len(made.labels)) % 4
    splits = {"train": np.flatnonzero(~held & (place > 1))}
    splits |= {
        name: np.flatnonzero((~held & (place == number)) | np.isin(made.labels, unseen[name]))
        for number, name in enumerate(("validation", "test"))
    }
    shared = {side: np.eye(4, dtype=np.float32) for side in ("attributes", "objects")}
    table = dataclasses.replace(made.classes, is_seen=~np.isin(np.arange(16), free[:6]), shared=shared)
    kept = np.setdiff1d(np.arange(16), unseen["nobody has"])
    row = np.full(16, -1)
    row[kept] = np.arange(len(kept))
    labels = np.where(row[made.labels] >= 0, row[made.labels], 0).astype(np.int32)
    names = (tuple(f"a{i}" for i in range(4)), tuple(f"o{i}" for i in range(4)))
    return dataclasses.replace(
        made, labels=labels, classes=table[kept], splits=splits, parts=names, describe=lambda others: others.parts
    )


def two_heads(*, learning_rate: float = 0.05) -> base.Method:
    def init_params(key, like, classes):
        del key
        return {name: jnp.zeros((like.inputs.shape[-1], 4)) for name in ("attribute", "object")}

    def embed(params, inputs):
        return [jax.nn.log_softmax(inputs @ params[name]) for name in ("attribute", "object")]

    def scores(params, images, described):
        return images[0][:, described[:, 0]] + images[1][:, described[:, 1]]

    def loss(params, batch, classes, key):
        own = classes.parts[batch.labels]
        images = embed(params, batch.inputs)
        return -sum(jnp.take_along_axis(x, own[:, i : i + 1], axis=1)[:, 0] for i, x in enumerate(images))

    return methods.by_gradient(
        init_params=init_params, loss=loss, embed=embed, scores=scores, optimizer=optax.adam(learning_rate)
    )


# 2. A graph that belongs to all classes; a class is a node of it.


def graph_dataset() -> data.Dataset:
    rng, count = np.random.default_rng(3), 12
    adjacency = np.eye(count) + 0.5 * np.roll(np.eye(count), 1, axis=0)
    nodes = rng.standard_normal((count, _WIDTH))
    shared = {"adjacency": adjacency.astype(np.float32), "nodes": nodes.astype(np.float32)}
    return problem(
        adjacency @ nodes @ rng.standard_normal((_WIDTH, 10)), np.arange(count, dtype=np.int32), shared=shared
    )


def graph(*, learning_rate: float = 0.05) -> base.Method:
    def describe(params, classes):
        return (classes.shared["adjacency"] @ classes.shared["nodes"])[classes.embedding]

    return linear(describe, learning_rate=learning_rate)


# 3. A rule that looks at all test inputs together: classes move to the mean of the inputs they are likely to have.


def attributes_dataset() -> data.Dataset:
    rng = np.random.default_rng(4)
    attributes = rng.standard_normal((12, _WIDTH)).astype(np.float32)
    return problem(attributes @ rng.standard_normal((_WIDTH, 10)), attributes)


def transductive(*, learning_rate: float = 0.05, pull: float = 0.5) -> base.Method:
    inner = linear(lambda params, classes: classes.embedding, learning_rate=learning_rate)

    def together(state, images, where, described, key):
        share = jax.nn.softmax(inner.scores(state, images, described)) * where[:, None]
        means = share.T @ images / (1e-3 + jnp.sum(share, axis=0)[:, None])
        return unit(images) @ unit((1 - pull) * unit(described) + pull * unit(means)).T

    return inner._replace(together=together)


# 4. A prompt before a frozen tower of texts, whose weights no checkpoint holds.

TOWER = np.random.default_rng(5).standard_normal((32, _WIDTH)).astype(np.float32)


def prompt_dataset() -> data.Dataset:
    rng = np.random.default_rng(6)
    tokens = rng.integers(0, 32, (12, 3)).astype(np.int32)
    return problem(np.tanh(TOWER[tokens].mean(axis=1) + 0.3), tokens)


def prompt(*, learning_rate: float = 0.02) -> base.Method:
    def describe(state, classes):
        return jnp.tanh(state["tower"].tree[classes.embedding].mean(axis=1) + state["prompt"][None, :])

    def init(key, like, classes, weights):
        del key, like, classes
        return {"prompt": jnp.zeros(_WIDTH), "tower": base.Frozen(weights)}

    def update(state, batch, classes, key):
        def loss(prompt):
            compared = batch.inputs @ describe(state | {"prompt": prompt}, classes).T
            values = optax.losses.softmax_cross_entropy_with_integer_labels(4 * compared, batch.labels)
            return base.total(jnp.sum(values, where=batch.where), batch.axis_name) / 16

        value, gradient = jax.value_and_grad(loss)(state["prompt"])
        return state | {"prompt": state["prompt"] - learning_rate * gradient}, {"loss": value}

    return base.Method(init, update, lambda s, images, d: images @ unit(d).T, describe, weights=lambda: TOWER)


# 5. Patches: an input is a vector and many local ones.


def patches_dataset() -> data.Dataset:
    made = attributes_dataset()

    def patches(features, rng):
        local = 0.3 * rng.standard_normal((len(features), 5, features.shape[1])).astype(np.float32)
        local[np.arange(len(features)), rng.integers(0, 5, len(features))] += features
        return {"vector": local.mean(axis=1), "local": local}

    rng = np.random.default_rng(7)
    return dataclasses.replace(made, inputs=patches(made.inputs, rng), kind="patches")


def best_patch(*, learning_rate: float = 0.05) -> base.Method:
    def init_params(key, like, classes):
        return {"map": 0.1 * jax.random.normal(key, (like.inputs["local"].shape[-1], classes.embedding.shape[-1]))}

    def embed(params, inputs):
        return {"vector": inputs["vector"] @ params["map"], "local": inputs["local"] @ params["map"]}

    def scores(params, images, described):
        return jnp.max(images["local"] @ described.T, axis=1)

    def loss(params, batch, classes, key):
        compared = scores(params, embed(params, batch.inputs), classes.embedding)
        return optax.losses.softmax_cross_entropy_with_integer_labels(compared, batch.labels)

    return methods.by_gradient(
        init_params=init_params, loss=loss, embed=embed, scores=scores, optimizer=optax.adam(learning_rate)
    )


# 6. Texts as inputs, and no class with an example: nothing is trained and nothing chosen.

WORDS = np.random.default_rng(8).standard_normal((64, 16)).astype(np.float32)


def texts_dataset() -> data.Dataset:
    rng = np.random.default_rng(9)
    names = rng.permutation(64)[: 6 * 4].reshape(6, 4).astype(np.int32)
    labels = np.repeat(np.arange(6, dtype=np.int32), 10)
    texts = np.concatenate([rng.permuted(names[labels], axis=1)[:, :2], rng.integers(0, 64, (60, 2))], axis=1)
    table = data.ClassTable(names, np.zeros(6, bool), tuple(f"topic {i}" for i in range(6)))
    info = {"semantics": "names", "split": "all", "files": {}}
    return data.Dataset("toy", texts.astype(np.int32), labels, table, {"test": np.arange(60)}, info=info, kind="texts")


def label_similarity() -> base.Method:
    def mean(state, ids):
        return unit(state["words"].tree[ids].mean(axis=1))

    return base.Method(
        init=lambda key, like, classes, weights: {"words": base.Frozen(weights)},
        update=None,
        embed=mean,
        describe=lambda state, classes: mean(state, classes.embedding),
        scores=lambda state, images, described: images @ described.T,
        weights=lambda: WORDS,
    )


# 7. Several labels per input, some of them unknown.


def labels_dataset() -> data.Dataset:
    rng = np.random.default_rng(10)
    attributes, inputs = rng.standard_normal((12, _WIDTH)), rng.standard_normal((200, 10))
    logits = inputs @ rng.standard_normal((10, _WIDTH)) @ attributes.T
    labels = np.where(rng.random(logits.shape) < 0.2, -1, logits > 2).astype(np.int32)
    table = data.ClassTable(attributes.astype(np.float32), np.arange(12) < 9, tuple(f"class {i}" for i in range(12)))
    splits = {"train": np.arange(150), "test": np.arange(150, 200)}
    info = {"semantics": "toy", "split": "toy", "files": {}}
    return data.Dataset("toy", inputs.astype(np.float32), labels, table, splits, info=info)


def binary(*, learning_rate: float = 0.05) -> base.Method:
    def init_params(key, like, classes):
        return {"map": 0.1 * jax.random.normal(key, (like.inputs.shape[-1], classes.embedding.shape[-1]))}

    def loss(params, batch, classes, key):
        logits = batch.inputs @ params["map"] @ classes.embedding.T
        values = optax.losses.sigmoid_binary_cross_entropy(logits, (batch.labels > 0).astype(jnp.float32))
        return jnp.sum(values, axis=1, where=batch.labels >= 0)

    return methods.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=lambda params, inputs: inputs @ params["map"],
        scores=lambda params, images, described: images @ described.T,
        optimizer=optax.adam(learning_rate),
    )


# 8. Classes that are token ids, by word vectors that are learned.


def tokens_dataset() -> data.Dataset:
    rng = np.random.default_rng(11)
    tokens = np.array([(i, 4 + j) for i in range(4) for j in range(3)], np.int32)
    # Every word is in some seen class.
    words = rng.standard_normal((7, 10))
    return problem(words[tokens].sum(axis=1), tokens)


def words(*, learning_rate: float = 0.05) -> base.Method:
    def init_params(key, like, classes):
        return {"words": 0.1 * jax.random.normal(key, (16, like.inputs.shape[-1]))}

    def describe(params, classes):
        return params["words"][classes.embedding].sum(axis=1)

    def loss(params, batch, classes, key):
        compared = batch.inputs @ describe(params, classes).T
        return optax.losses.softmax_cross_entropy_with_integer_labels(compared, batch.labels)

    return methods.by_gradient(
        init_params=init_params,
        loss=loss,
        describe=describe,
        scores=lambda params, images, described: images @ described.T,
        optimizer=optax.adam(learning_rate),
    )


def renamed(dataset: data.Dataset) -> tuple[data.ClassTable, Any, list[str]]:
    """Three unseen classes under new names, inputs of theirs, and the right names."""
    rows = np.flatnonzero(~dataset.classes.is_seen)[-3:]
    table = dataclasses.replace(dataset.classes[rows], names=("first", "second", "third"))
    labels = dataset.labels if dataset.labels.ndim == 1 else np.argmax(dataset.labels, axis=1)
    chosen = np.flatnonzero(np.isin(labels, rows))
    names = [table.names[int(np.flatnonzero(rows == label)[0])] for label in labels[chosen]]
    return table, inputs_lib.take(dataset.inputs, chosen), names


TOYS = {
    "toy_pairs": Toy(pairs_dataset, two_heads, "pairs", "auc", 0.5),
    "toy_graph": Toy(graph_dataset, graph, "gzsl", "harmonic", 0.6),
    "toy_transductive": Toy(attributes_dataset, transductive, "gzsl", "harmonic", 0.6, {"pull": (0.25, 0.75)}),
    "toy_prompt": Toy(prompt_dataset, prompt, "gzsl", "harmonic", 0.6),
    "toy_patches": Toy(patches_dataset, best_patch, "gzsl", "harmonic", 0.6),
    "toy_texts": Toy(texts_dataset, label_similarity, "transfer", "top1", 0.5),
    "toy_labels": Toy(labels_dataset, binary, "multilabel", "zsl", 0.5),
    "toy_tokens": Toy(tokens_dataset, words, "gzsl", "harmonic", 0.6),
}
KNOBS = dict.fromkeys(TOYS, RATE) | {"toy_texts": {}}
KNOBS["toy_transductive"] = RATE | {"pull": rules.Knob("share of the means", rules.number(0, 1, ends="[]"))}
