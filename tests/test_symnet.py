"""SymNet: its scores and its loss against plain NumPy."""

import functools

import jax
import numpy as np
import small_trainer
import toy_frame

from zsl_jax import config as config_lib
from zsl_jax import data, methods
from zsl_jax.training import protocols

KNOBS = {"width": 16, "temperature": 0.5, "symmetry": 0.7, "group": 0.3, "triplet": 0.6, "margin": 0.4}
KNOBS["weight_decay"] = 1e-4


@functools.cache
def task() -> data.Task:
    return protocols.PAIRS.tasks(toy_frame.pairs_dataset(), config_lib.base("two_heads", "pairs"))[1]


def moved(move, rows, vectors):
    vectors = np.broadcast_to(vectors, (len(rows), vectors.shape[-1]))
    first, second = move["layers"]
    both = np.concatenate([rows / (1 + np.exp(-vectors @ move["gate"])), vectors], axis=1)
    hidden = np.maximum(both @ first["weights"] + first["bias"], 0)
    return rows + hidden @ second["weights"] + second["bias"]


def apart(a, b):
    return np.sqrt(((a - b) ** 2).sum(axis=1))


def by_hand(params, rows):
    """Distances when an attribute is attached and detached, and the logarithms of both probabilities."""
    attached, detached = (
        np.stack([apart(rows, moved(params[side], rows, vector)) for vector in params["attributes"]], axis=1)
        for side in ("attach", "detach")
    )
    logits = ((detached - attached) / 0.5, rows @ params["objects"]["weights"] + params["objects"]["bias"])
    return attached, detached, [x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in logits]


@functools.cache
def begun():
    """Parameters before the first step, in double precision, and embedded training inputs."""
    method = methods.symnet(**KNOBS)
    batch = data.Batch(task().train.inputs[:20], task().train.labels[:20], np.arange(20) < 17)
    state = small_trainer.started(method, batch, task().train, task().seen_classes)
    params = jax.tree.map(
        lambda x: np.swapaxes(x, -1, -2) if x.ndim > 1 else x,
        jax.tree.map(lambda x: np.asarray(x, float), jax.device_get(state.inner.params)),
    )
    inputs = (batch.inputs - np.asarray(state.kept["mean"])) / np.asarray(state.kept["scale"])
    return method, state, batch, params, inputs @ params["images"]


def test_scores_are_those_of_the_formula():
    method, state, batch, params, rows = begun()
    parts = task().classes.parts
    _, _, (attribute, object) = by_hand(params, rows)
    found = methods.score(method, state, batch.inputs, task().classes)
    np.testing.assert_allclose(found, attribute[:, parts[:, 0]] + object[:, parts[:, 1]], atol=1e-4)


def test_the_loss_is_that_of_the_formula():
    """The three rows that only fill up do not count."""
    method, state, batch, params, rows = begun()
    _, metrics = jax.jit(method.update)(state, batch, task().seen_classes, small_trainer.KEY)
    attached, detached, likely = by_hand(params, rows)
    own, every = task().seen_classes.parts[batch.labels], np.arange(20)
    drawn = np.asarray(jax.random.randint(small_trainer.KEY, (20,), 1, 4))
    other = (own[:, 0] + drawn) % 4
    v, w = (params["attributes"][which] for which in (own[:, 0], other))

    def plus(rows, vectors):
        return moved(params["attach"], rows, vectors)

    def minus(rows, vectors):
        return moved(params["detach"], rows, vectors)

    value = -likely[0][every, own[:, 0]] - likely[1][every, own[:, 1]]
    value += 0.7 * (attached[every, own[:, 0]] + detached[every, other])
    value += 0.3 * (
        apart(minus(plus(rows, v), v), minus(rows, v))
        + apart(plus(minus(rows, w), w), plus(rows, w))
        + apart(plus(minus(rows, v), v), rows)
        + apart(minus(plus(rows, w), w), rows)
        + apart(plus(minus(rows, v), w), minus(plus(rows, w), v))
    )
    value += 0.6 * np.maximum(0, 0.4 + attached[every, own[:, 0]] - attached[every, other])
    value += 0.6 * np.maximum(0, 0.4 + detached[every, other] - detached[every, own[:, 0]])
    penalty = sum(np.sum(x**2) for x in jax.tree.leaves(params) if x.ndim > 1)
    assert (other != own[:, 0]).all()
    np.testing.assert_allclose(metrics["loss"], value[:17].mean() + 1e-4 * penalty, rtol=1e-4)
