"""CoT: its formulas against plain NumPy, whom it mixes, what it learns, and what it refuses."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_trainer

from zsl_jax import config as config_lib
from zsl_jax import data, encoders, errors, methods
from zsl_jax.methods.cot import partners
from zsl_jax.training import protocols

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "cyan": (0, 1, 1)}
PLACES = {"top": (0, 2), "left": (2, 0), "middle": (4, 4), "right": (2, 6), "bottom": (6, 2)}
_UNSEEN = ((0, 1), (1, 3), (2, 2), (3, 0), (4, 4))


def source(per_pair: int = 8) -> data.Dataset:
    """Images of 8 x 8 pixels: a square of a colour at a place, on noise. Five of 25 pairs are unseen."""
    rng = np.random.default_rng(0)
    parts = np.array([(c, p) for c in range(5) for p in range(5)], np.int32)
    labels = np.repeat(np.arange(25, dtype=np.int32), per_pair)
    images = rng.integers(0, 60, (len(labels), 8, 8, 3))
    for image, (colour, place) in zip(images, parts[labels]):
        row, column = list(PLACES.values())[place]
        image[row : row + 2, column : column + 2] += 190 * np.array(list(COLOURS.values())[colour])
    is_seen = ~np.isin(np.arange(25), [5 * c + p for c, p in _UNSEEN])
    tested = (np.arange(len(labels)) % 4 == 0) | ~is_seen[labels]
    attributes, objects = tuple(COLOURS), tuple(PLACES)
    names = tuple(f"{attributes[c]} {objects[p]}" for c, p in parts)
    shared = {side: np.eye(5, dtype=np.float32) for side in ("attributes", "objects")}
    table = data.ClassTable(parts, is_seen, names, parts=parts, shared=shared)
    splits = {"train": np.flatnonzero(~tested), "test": np.flatnonzero(tested)}
    info = {"semantics": "parts", "split": "toy", "files": {}}
    return data.Dataset(
        "squares", images.astype(np.uint8), labels, table, splits, info=info, parts=(attributes, objects)
    )


@functools.cache
def task() -> data.Task:
    return protocols.PAIRS.tasks(source(), config_lib.base("two_heads", "pairs"))[1]


@functools.cache
def fitted():
    method = small_trainer.make("cot", width=16)
    return method, small_trainer.fitted(method, task(), epochs=30)


def scores(method, state, inputs, classes):
    return np.asarray(jax.jit(methods.score, static_argnums=0)(method, state, inputs, classes))


@pytest.mark.long
def test_pairs_never_seen_together_are_recognised():
    method, state = fitted()
    inputs, labels = task().sets["test"].inputs, task().sets["test"].labels
    seen = np.asarray(task().classes.is_seen)
    found = scores(method, state, inputs, task().classes)
    unseen = ~seen[labels]
    assert np.mean(np.argmax(found, axis=1)[~unseen] == labels[~unseen]) > 0.8
    assert np.mean(np.argmax(np.where(seen, -np.inf, found), axis=1)[unseen] == labels[unseen]) > 0.6  # one in five
    rows = [7, 2]
    np.testing.assert_allclose(scores(method, state, inputs, task().classes[rows]), found[:, rows], atol=1e-5)


@pytest.mark.long
def test_scores_are_those_of_the_formulas():
    method, state = fitted()
    inputs, classes = task().sets["test"].inputs[:3], task().classes
    head, encoder = jax.device_get((state.params["head"], state.params["encoder"]))
    net = small_trainer.ENCODERS["cot"]["encoder"]
    vector, maps = jax.device_get(net.apply({"params": encoder}, inputs, train=False, stages=True))

    def unit(x):
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def network(layers, x):
        hidden = np.maximum(x @ layers[0]["weights"] + layers[0]["bias"], 0)
        return hidden @ layers[1]["weights"] + layers[1]["bias"]

    of_object, pooled = vector @ head["object"], []
    for x, gate in zip(maps, head["gates"]):
        channels = sigmoid(network(gate["channels"], np.concatenate([of_object, x.mean(axis=(1, 2))], axis=1)))
        opened = x * channels[:, None, None, :]
        level = np.broadcast_to(of_object.mean(axis=1)[:, None, None], x.shape[:3])
        both = np.pad(np.stack([level, opened.mean(axis=3)], axis=3), ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = np.zeros(x.shape[:3])
        for i in range(3):
            for j in range(3):
                places += both[:, i : i + x.shape[1], j : j + x.shape[2]] @ gate["places"][i, j, :, 0]
        pooled.append((x + opened * sigmoid(places)[..., None]).mean(axis=(1, 2)))
    of_attribute = np.concatenate(pooled, axis=1) @ head["attribute"]
    pair = unit(network(head["images"], np.concatenate([of_object, of_attribute], axis=1)))
    w_a, w_o = (head["vectors"][side] for side in ("attributes", "objects"))
    attribute, object = classes.parts[:, 0], classes.parts[:, 1]
    described = unit(network(head["pairs"], np.concatenate([w_o[object], w_a[attribute]], axis=1)))
    wanted = pair @ described.T
    wanted += unit(of_attribute) @ unit(w_a)[attribute].T + unit(of_object) @ unit(w_o)[object].T
    np.testing.assert_allclose(scores(method, state, inputs, classes), wanted, atol=1e-4)


def test_a_partner_shows_the_same_object_and_rare_attributes_come_as_often_as_others():
    own = jnp.array([[0, 0]] * 6 + [[1, 0]] * 2 + [[0, 1]] + [[1, 1]] * 2)
    where = jnp.arange(11) != 10
    keys = jax.random.split(small_trainer.KEY, 2000)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: partners(key, own, where)))(keys))
    assert not (drawn == 10).any()
    assert (np.asarray(own)[drawn, 1] == np.asarray(own)[:, 1]).all()
    # Attribute 0 is in seven rows of the batch and 1 in three.
    share = np.mean(np.asarray(own)[drawn[:, 0], 0] == 1)
    assert abs(share - (1 / 3) / (1 / 3 + 1 / 7)) < 0.04


@pytest.mark.long
def test_only_images_of_another_attribute_are_mixed():
    """With one attribute per object no image has a partner, and the loss is that without mixing."""
    parts = task().classes.parts[: task().num_seen]
    few = [row for row, part in enumerate(parts) if tuple(part) in ((0, 0), (1, 2))]
    rows = np.flatnonzero(np.isin(task().train.labels, few))[:10]
    batch = data.Batch(task().train.inputs[rows], task().train.labels[rows], np.ones(len(rows), bool))
    assert len(set(batch.labels)) == 2
    ways = [small_trainer.make("cot", mixing=mixing) for mixing in (0.0, 1.0)]
    losses = [small_trainer.steps(way, task(), batch)[1][0] for way in ways]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    some = np.linspace(0, len(task().train.labels) - 1, len(rows)).astype(int)  # of many pairs
    mixed = data.Batch(task().train.inputs[some], task().train.labels[some], batch.where)
    losses = [small_trainer.steps(way, task(), mixed)[1][0] for way in ways]
    assert losses[1] > losses[0] + 0.1


@pytest.mark.long
def test_in_chunks_the_gradient_is_that_of_the_whole_batch():
    """The loss reads maps beside vectors, and mixes images of the whole batch."""
    batch = data.Batch(task().train.inputs[:20:2], task().train.labels[:20:2], np.arange(10) < 8)
    found = []
    for chunk in (0, 4):
        parts = small_trainer.small_parts(**small_trainer.ENCODERS["cot"], chunk=chunk)
        method = methods.cot(parts._replace(optimizer=optax.sgd(1.0)))
        found.append(small_trainer.steps(method, task(), batch)[0].params)
    # Float32 sums in another order.
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), *found)


ENCODERS = {
    "convnet": ({}, [(16, 16, 32), (8, 8, 48), (4, 4, 96)]),
    "resnet18": ({}, [(8, 8, 64), (4, 4, 128), (2, 2, 256), (1, 1, 512)]),
    "vit_tiny": ({"depth": 2, "patch": 8}, [(4, 4, 192)] * 2),
    "mobilenet_v2": ({"width_multiplier": 0.25}, [(16, 16, 8), (8, 8, 8), (4, 4, 8), (2, 2, 16), (2, 2, 24)]),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_of_images_give_what_leaves_their_stages(name):
    options, shapes = ENCODERS[name]
    encoder, images = encoders.factory(name)(**options), np.zeros((2, 32, 32, 3), np.uint8)

    def both(images):
        variables = encoder.init(small_trainer.KEY, images, train=False)
        with_stages = encoder.apply(variables, images, train=False, stages=True)
        return encoder.apply(variables, images, train=False), with_stages

    alone, (vector, maps) = jax.eval_shape(both, images)
    assert vector == alone
    assert [x.shape[1:] for x in maps][: len(shapes)] == shapes


def test_what_has_no_maps_or_no_pairs_is_refused():
    with pytest.raises(errors.UserError, match=r"needs maps of images, which MLP lacks: config\.encoder\.name=convnet"):
        methods.cot(small_trainer.small_parts())
    parts = small_trainer.small_parts(**small_trainer.ENCODERS["cot"], pretrain_steps=3)
    with pytest.raises(errors.UserError, match=r"pretrain\.steps compare vectors"):
        methods.cot(parts)
    batch = data.Batch(task().train.inputs[:2], task().train.labels[:2], np.ones(2, bool))
    plain = dataclasses.replace(task().classes, parts=None)
    with pytest.raises(errors.UserError, match="cot needs classes that are pairs"):
        small_trainer.make("cot").init(small_trainer.KEY, batch, plain, ())
    shallow = small_trainer.small_parts(encoder=encoders.ConvNet(widths=(8, 8), merges=(2, 2)))
    with pytest.raises(errors.UserError, match="three stages of an encoder, and this has 2"):
        methods.cot(shallow).init(small_trainer.KEY, batch, task().classes, ())
