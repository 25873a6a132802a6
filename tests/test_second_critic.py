"""The critic of unlabelled features: its loss against NumPy, what rows without a label touch, what a record says."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_generative
import small_trainer
import toy
import toy_runs

from zsl_jax import data, errors, methods
from zsl_jax.methods.generative import adversarial, classifier, clswgan, second_critic

WEIGHT, SHARE, HIDDEN = 0.7, 0.6, 5


@functools.cache
def task() -> data.Task:
    return data.test_task(toy.dataset())


def batch(**changes) -> data.Batch:
    labels = np.array([0, -1, 2, 1, -1, -1, 0, 0], np.int32)
    inputs = np.random.default_rng(0).random((8, 10)).astype(np.float32)
    return data.Batch(inputs, labels, np.arange(8) < 7)._replace(**changes)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def value(critic, features):
    return leaky(features @ critic["features"] + critic["bias"]) @ critic["output"] + critic["output_bias"]


@functools.cache
def game():
    own = clswgan.plain_game(class_weight=0.3, penalty=10.0)
    both = second_critic.beside(own, weight=WEIGHT, unseen_share=SHARE)
    classes = task().classes
    width = classes.embedding.shape[1]
    critic, generator = jax.tree.map(lambda x: 20 * x, both.init(jax.random.key(1), width, HIDDEN, 10, len(classes)))
    known = adversarial.Known(classifier.init(10, classes.num_trained), jnp.zeros((classes.num_trained, 10)))
    return own, both, adversarial.Networks(critic, generator, known), classes


def test_the_critics_loss_is_that_of_numpy_on_rows_without_a_label():
    own, both, nets, classes = game()
    given, key = batch(), jax.random.key(3)
    described = jnp.asarray(classes.embedding, jnp.float32)[np.maximum(given.labels, 0)]
    fakes = both.fakes(nets, jax.random.key(4), given.labels, classes)
    losses, metrics = both.critic_loss(nets, key, given, described, fakes, classes)
    own_key, second_key = jax.random.split(key)
    counts, rows = [0, 2, 3, 6], [1, 4, 5]
    of_labelled = given._replace(labels=np.maximum(given.labels, 0), where=given.labels >= 0)
    first = own.critic_loss(nets._replace(critic=nets.critic["own"]), own_key, of_labelled, described, fakes["own"], ())
    second = jax.tree.map(np.asarray, nets.critic["second"])
    real, fake = given.inputs, np.asarray(fakes["unseen"])
    share = np.asarray(jax.random.uniform(second_key, (8, 1)))
    hidden = (share * real + (1 - share) * fake) @ second["features"] + second["bias"]
    slopes = np.linalg.norm((np.where(hidden > 0, 1, 0.2) * second["output"]) @ second["features"].T, axis=1)
    fooled = value(second, real)[rows].mean() - SHARE * value(second, fake)[rows].mean()
    distance = fooled - (1 - SHARE) * value(second, real)[counts].mean()
    expected = np.asarray(first[0])[counts].mean() + 10 * np.mean((slopes[rows] - 1) ** 2) - distance
    np.testing.assert_allclose(losses, np.full(8, expected), rtol=1e-4)
    np.testing.assert_allclose(metrics["second_estimate"], np.full(8, distance), rtol=1e-4)


def test_the_generator_gains_by_the_critics_value_of_unseen_classes():
    own, both, nets, classes = game()
    given, key = batch(), jax.random.key(3)
    described = jnp.asarray(classes.embedding, jnp.float32)[np.maximum(given.labels, 0)]
    losses, _ = both.generator_loss(nets, key, given, described, classes)
    own_key, key = jax.random.split(key)
    of_labelled = given._replace(labels=np.maximum(given.labels, 0), where=given.labels >= 0)
    first = own.generator_loss(nets._replace(critic=nets.critic["own"]), own_key, of_labelled, described, ())[0]
    class_key, key = jax.random.split(key)
    unseen = np.asarray(jax.random.randint(class_key, (8,), classes.num_trained, len(classes)))
    assert np.all(unseen >= classes.num_trained)
    fake = np.asarray(own.synthesize(nets, key, jnp.asarray(classes.embedding, jnp.float32)[unseen]))
    expected = (
        np.asarray(first)[[0, 2, 3, 6]].mean()
        - WEIGHT * value(jax.tree.map(np.asarray, nets.critic["second"]), fake).mean()
    )
    np.testing.assert_allclose(losses, np.full(8, expected), rtol=1e-4)


@pytest.mark.parametrize("labels", [np.zeros(8, np.int32), np.full(8, -1, np.int32)])
def test_a_batch_of_one_kind_alone_is_finite(labels):
    _, both, nets, classes = game()
    given = batch(labels=labels)
    described = jnp.asarray(classes.embedding, jnp.float32)[np.maximum(labels, 0)]
    fakes = both.fakes(nets, jax.random.key(4), labels, classes)

    def loss(critic):
        return both.critic_loss(nets._replace(critic=critic), jax.random.key(3), given, described, fakes, classes)[0][0]

    slopes = jax.grad(loss)(nets.critic)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slopes))
    idle = slopes["second" if labels[0] == 0 else "own"]
    assert not any(np.any(x) for x in jax.tree.leaves(idle))


def test_an_example_without_a_label_counts_nowhere_in_the_classifier():
    inputs, labels = jnp.asarray(batch().inputs), jnp.asarray(batch().labels)
    found = classifier.fit(jax.random.key(0), inputs, labels, 3, epochs=4)
    alone = classifier.fit(jax.random.key(1), inputs[labels >= 0], labels[labels >= 0], 3, epochs=4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), found, alone)


@pytest.mark.long
@pytest.mark.parametrize("name", ["lsrgan", "tf_vaegan"])
def test_rows_without_a_label_reach_the_generator_by_the_second_critic_alone(name):
    """Without its weight, other unlabelled rows between the same extremes change neither generator nor first critic."""
    method = small_trainer.make(name, learn_from="all", unlabelled_weight=0.0)
    assert method.sees == {"other candidates", "test inputs", "unseen descriptions"}
    train, labels = task().train, np.where(np.arange(16) % 2, -1, np.arange(16) % 4).astype(np.int32)
    low, high = train.inputs.min(axis=0), train.inputs.max(axis=0)
    found = []
    for seed in (0, 1):
        others = low + (high - low) * np.random.default_rng(seed).random((8, 10)).astype(np.float32)
        inputs = np.array(train.inputs[:16])
        inputs[1::2] = others
        every = data.Examples(
            np.concatenate([train.inputs, others]), np.concatenate([train.labels, np.full(8, -1, np.int32)])
        )
        of_run = dataclasses.replace(task(), train=every)
        state, _ = small_trainer.steps(method, of_run, data.Batch(inputs, labels, np.ones(16, bool)), count=2)
        found.append(state.inner)
    networks = [state.networks for state in found]
    for part in ("generator", "critic"):
        one, other = (getattr(nets, part) if part == "generator" else nets.critic["own"] for nets in networks)
        jax.tree.map(np.testing.assert_array_equal, one, other)
    seconds = [jax.tree.leaves(nets.critic["second"]) for nets in networks]
    assert not all(np.array_equal(a, b) for a, b in zip(*seconds))


def test_an_unknown_source_of_examples_is_refused():
    with pytest.raises(errors.UserError, match="did you mean 'all'"):
        methods.tf_vaegan(learn_from="al")


@pytest.mark.long
def test_a_run_says_what_its_generator_learned_from(tmp_path):
    knobs = small_generative.KNOBS["tf_vaegan"] | {"learn_from": "all", "unseen_share": 0.5}
    changes = {f"method.{name}": value for name, value in knobs.items()} | {"train.batch_size": 32}
    record = toy_runs.train(tmp_path / "run", toy_runs.recipe("tf_vaegan", **changes)).record
    assert (record["setting"], record["sees"][1:]) == ("instance-transductive", ["test inputs", "unseen descriptions"])
    assert record["metrics"]["zsl"]["top1"] > 0.5
