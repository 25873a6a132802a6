"""Fewer numbers per input before any method: the maps against NumPy, what they are learned from, what is refused."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
import small_trainer
import toy
import toy_runs

from zsl_jax import data, errors, methods
from zsl_jax.methods import mlp
from zsl_jax.methods.pca import components
from zsl_jax.methods.tldr import twins_of

SCORER = {"feature_ridge": 1.0, "class_ridge": 1.0, "unit": "variance"}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@functools.cache
def task() -> data.Task:
    return data.test_task(toy.dataset())


def spread(count=60, width=7) -> np.ndarray:
    """Correlated rows."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((count, width)) @ rng.standard_normal((width, width)) + 3).astype(np.float32)


@pytest.mark.parametrize("whiten", [False, True])
def test_components_are_those_of_the_singular_values(whiten):
    rows = spread() - spread().mean(axis=0)
    start = np.random.default_rng(2).standard_normal((7, 4)).astype(np.float32)
    found = np.asarray(components(rows + 5, start[:, :3], whiten=whiten))
    _, values, vectors = np.linalg.svd(rows)
    wanted = vectors[:3].T / (values[:3] / np.sqrt(60) if whiten else 1)
    np.testing.assert_allclose(np.abs(found.T @ wanted), np.diag(np.sum(wanted**2, axis=0)), atol=2e-3)
    if whiten:
        np.testing.assert_allclose(np.cov((rows @ found).T, bias=True), np.eye(3), atol=1e-3)
        flat = rows * (np.arange(7) < 2)
        assert np.all(np.isfinite(components(flat, start, whiten=True)))


def started(method, train):
    batch = data.Batch(train.inputs[:4], train.labels[:4], np.ones(4, bool))
    return jax.jit(small_trainer.started, static_argnums=0)(method, batch, train, task().seen_classes)


@pytest.mark.long
def test_a_learned_map_keeps_neighbours_together():
    """Rows that it did not see are next to one of their own cluster far more often than under a random map."""
    rng = np.random.default_rng(1)
    centres, mixed, of = rng.standard_normal((12, 5)), rng.standard_normal((5, 20)), np.repeat(np.arange(12), 20)
    rows = (centres[of] + 0.3 * rng.standard_normal((240, 5))) @ mixed + rng.standard_normal((240, 20))
    rows = rows.astype(np.float32)

    def share(**knobs):
        method = small_trainer.make("tldr", dimensions=5, projected=64, learning_rate=0.01, start="random", **knobs)
        kept = jax.device_get(started(method, data.Examples(rows[::2], of[::2] % 6)).kept)
        np.testing.assert_allclose(kept["mean"], rows[::2].mean(axis=0), atol=1e-5)
        x = unit((rows[1::2] - kept["mean"]) @ kept["map"])
        nearest = np.argmax(x @ x.T - 9 * np.eye(len(x)), axis=1)
        return np.mean(of[1::2][nearest] == of[1::2])

    random = share(epochs=0)
    assert share(epochs=200) > random + 0.2
    # An input that is its own twin has nothing to agree with: dimensions are told apart and no more.
    assert share(epochs=200, redundancy=0.0, neighbours=1) > random


def test_a_step_is_that_of_barlow_twins_on_an_input_and_its_nearest():
    """One batch of all, one neighbour: nothing is drawn but the order, which changes no sum; a small step by hand."""
    rows, knobs = spread(24, 6), {"dimensions": 2, "projected": 4, "neighbours": 1, "redundancy": 0.1, "batch_size": 99}
    knobs["start"] = "random"
    train = data.Examples(rows, np.arange(24) % 6)
    cosines = unit(rows) @ unit(rows).T - 9 * np.eye(24)
    twins = np.argmax(cosines, axis=1)
    np.testing.assert_array_equal(twins_of(rows, 1)[:, 0], twins)
    kept = [
        jax.device_get(started(small_trainer.make("tldr", epochs=n, learning_rate=1e-4, **knobs), train).kept)
        for n in (0, 1)
    ]
    key = jax.random.split(jax.random.fold_in(small_trainer.KEY, 1), 2)[0]
    layers = jax.device_get(mlp.init_layers(key, (2, 4, 4)))

    def loss(matrix):
        sides = []
        for side in (rows, rows[twins]):
            hidden = (side - rows.mean(axis=0)).astype(float) @ matrix @ layers[0]["weights"]
            hidden = (hidden - hidden.mean(axis=0)) / np.sqrt(hidden.var(axis=0) + 1e-5)
            out = np.maximum(hidden, 0) @ layers[1]["weights"]
            sides.append((out - out.mean(axis=0)) / np.sqrt(out.var(axis=0) + 1e-5))
        correlation = sides[0].T @ sides[1] / 24
        off = correlation - np.diag(np.diag(correlation))
        return np.sum((1 - np.diag(correlation)) ** 2) + 0.1 * np.sum(off**2)

    begin = kept[0]["map"].astype(float)
    slopes = np.zeros_like(begin)
    for place in np.ndindex(begin.shape):
        moved = np.zeros_like(begin)
        moved[place] = 1e-5
        slopes[place] = (loss(begin + moved) - loss(begin - moved)) / 2e-5
    # The first step of Adam is the sign of the gradient.
    np.testing.assert_allclose(kept[1]["map"] - begin, -1e-4 * np.sign(slopes), atol=2e-6)


def test_a_map_starts_at_the_whitened_components_up_to_its_size():
    method = small_trainer.make("tldr", dimensions=4, epochs=0)
    kept = jax.device_get(started(method, task().train).kept)
    reduced = (task().train.inputs - kept["mean"]) @ kept["map"]
    covariance = np.cov(reduced.T)
    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(4), atol=0.02)
    assert np.linalg.norm(kept["map"]) == pytest.approx(2, rel=0.3)  # of 10 x 4 entries of size 1 / sqrt(10)


def test_a_map_is_learned_once():
    method, train = small_trainer.make("tldr", epochs=3), task().train
    state = started(method, train)
    prepare = jax.jit(method.prepare)
    again = prepare(state, train, task().seen_classes, jax.random.key(9))
    for name in ("map", "mean"):
        np.testing.assert_array_equal(again.kept[name], state.kept[name])
    anew = state._replace(kept=state.kept | {"learned": np.zeros((), bool)})
    moved = prepare(anew, train, task().seen_classes, jax.random.key(9))
    assert not np.array_equal(moved.kept["map"], state.kept["map"])


def with_unlabelled(method, train, others):
    """The finished state where inputs without labels follow, as the trainer has them."""
    inputs = np.concatenate([train.inputs, others])
    both = data.Examples(inputs, np.concatenate([train.labels, np.full(len(others), -1)]).astype(np.int32))
    return small_trainer.fitted(method, dataclasses.replace(task(), train=both), epochs=1)


def test_inputs_without_labels_move_the_map_and_train_nothing_else():
    train, others = task().train, task().sets["test_unseen"].inputs
    method = methods.pca(methods.eszsl(**SCORER), dimensions=6, learn_from="all")
    assert method.sees == {"test inputs"}
    assert methods.pca(methods.eszsl(), dimensions=6).sees == frozenset()
    found = with_unlabelled(method, train, others)
    every = np.concatenate([train.inputs, others])
    mean = every.mean(axis=0)
    vectors = np.linalg.svd(every - mean)[2][:6].T
    reduced = unit((train.inputs - mean) @ vectors)
    scorer = methods.eszsl(**SCORER)
    wanted = small_trainer.fitted(
        scorer, dataclasses.replace(task(), train=data.Examples(reduced, train.labels)), epochs=1
    )
    inputs = task().sets["test_seen"].inputs
    scores = methods.score(method, found, inputs, task().classes)
    by_hand = methods.score(scorer, wanted, unit((inputs - mean) @ vectors).astype(np.float32), task().classes)
    np.testing.assert_allclose(scores, by_hand, atol=2e-3 * np.abs(by_hand).max())


@pytest.mark.long
@pytest.mark.parametrize("scorer", ["ale", "cmt"])
def test_a_scorer_never_meets_an_input_without_a_label(scorer):
    """Neither in steps nor where it looks at all: mirrored about their mean, these leave a random map where it is."""
    train, others = task().train, task().sets["test_unseen"].inputs
    method = methods.tldr(methods.factory(scorer)(), dimensions=8, start="random", epochs=0, learn_from="all")
    mirrored = 2 * others.mean(axis=0) - others
    found = [jax.tree.leaves(with_unlabelled(method, train, more)) for more in (others, mirrored)]
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_reduced_is_refused():
    batch = data.Batch(np.zeros((2, 10), np.float32), np.zeros(2, int), np.ones(2, bool))
    with pytest.raises(errors.UserError, match=r"config.method.dimensions=11 is more than the 10 numbers of an input"):
        small_trainer.make("pca", dimensions=11).init(small_trainer.KEY, batch, task().classes, ())
    images = batch._replace(inputs=np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(errors.UserError, match="only inputs that are vectors of numbers have dimensions to reduce"):
        small_trainer.make("tldr").init(small_trainer.KEY, images, task().classes, ())
    with pytest.raises(errors.UserError, match="did you mean 'random'"):
        methods.tldr(methods.ridge(), start="randm")
    with pytest.raises(errors.UserError, match="did you mean 'all'"):
        methods.pca(methods.ridge(), learn_from="al")


@pytest.mark.long
@pytest.mark.parametrize(("learn_from", "said"), [("training", "inductive"), ("all", "instance-transductive")])
def test_a_run_says_what_its_map_was_learned_from(learn_from, said, tmp_path):
    changes = {"method.dimensions": 8, "method.projected": 16, "method.learn_from": learn_from}
    record = toy_runs.train(tmp_path / "run", toy_runs.recipe("tldr", **changes)).record
    assert (record["setting"], record["sees"]) == (said, ["test inputs"] if learn_from == "all" else [])
    assert record["metrics"]["zsl"]["top1"] > 0.7
