"""Self-training: which answers join by naive numpy, rounds that begin anew, runs that stop and resume."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_tower
import toy
import toy_runs

from zsl_jax import data, errors, methods

KNOBS = {"threshold": 0.6, "temperature": 0.7, "seen_penalty": 0.3}
SCORER = {"feature_ridge": 1.0, "class_ridge": 1.0, "unit": "variance"}


@functools.cache
def problem() -> tuple[data.Examples, data.ClassTable]:
    """Labelled inputs, then those of the tests without labels, and all classes."""
    task = data.test_task(toy.dataset(num_seen=8))
    sets = task.sets.values()
    labels = [task.train.labels, *(np.full(len(examples.labels), -1, np.int32) for examples in sets)]
    inputs = [task.train.inputs, *(examples.inputs for examples in sets)]
    return data.Examples(np.concatenate(inputs), np.concatenate(labels)), task.classes


def whole(train=None) -> data.Batch:
    train = problem()[0] if train is None else train
    return data.Batch(train.inputs, train.labels, np.ones(len(train.labels), bool))


@functools.cache
def compiled(**knobs):
    method = methods.self_training(methods.eszsl(**SCORER), **(KNOBS | knobs))
    return method, jax.jit(method.prepare), jax.jit(method.update)


def of_rounds(count: int, **knobs):
    """The state after some rounds of one step each, on all inputs."""
    method, prepare, update = compiled(**knobs)
    train, classes = problem()
    state, metrics = method.init(jax.random.key(0), whole(), classes, ()), None
    for number in range(count):
        state = prepare(state, train, classes, jax.random.key(number))
        state, metrics = update(state, whole(), classes, jax.random.key(100 + number))
    return method, state, metrics


@functools.partial(jax.jit, static_argnums=1)
def supervised(labels, num_classes):
    """Scores of ESZSL, trained on the inputs that have a label among these and a table of so many classes."""
    (train, classes), method = problem(), methods.eszsl(**SCORER)
    batch, table = data.Batch(train.inputs, jnp.maximum(labels, 0), labels >= 0), classes[:num_classes]
    state = method.init(jax.random.key(0), batch, table, ())
    state, _ = method.update(state, batch, table, jax.random.key(0))
    return methods.score(method, method.finish(state, batch, table, jax.random.key(0)), train.inputs, classes)


def answers(scores):
    """Probabilities, by loops."""
    scores, is_seen = np.asarray(scores, float), problem()[1].is_seen
    shares = np.zeros_like(scores)
    for i, row in enumerate(scores):
        row = ((row - row.mean()) / row.std() - 0.3 * is_seen) / 0.7
        shares[i] = np.exp(row) / np.exp(row).sum()
    return shares


def joined(scores):
    """The labels of the next round: those given, and sure answers by the scores of this one."""
    train, _ = problem()
    shares = answers(scores)
    sure = np.where(shares.max(axis=1) >= 0.6, shares.argmax(axis=1), -1)
    return np.where(train.labels >= 0, train.labels, sure)


def test_each_round_learns_anew_from_sure_answers_of_the_one_before():
    train, classes = problem()
    wanted, method = train.labels, of_rounds(1, noise=0.0)[0]
    score = jax.jit(
        lambda state, key: methods.score(method, method.finish(state, train, classes, key), train.inputs, classes)
    )
    for count in (1, 2, 3):
        _, state, metrics = of_rounds(count, noise=0.0)
        assert metrics["pseudo_labels"] == np.sum(wanted != train.labels)
        # The first round knows seen classes alone.
        expected = supervised(wanted, len(classes) if count > 1 else 8)
        # With penalties in units of the variance the number of inputs scales the scores and changes nothing else.
        found, expected = (x / np.linalg.norm(x) for x in (score(state, jax.random.key(0)), expected))
        np.testing.assert_allclose(found, expected, atol=1e-4)
        wanted = joined(expected)
    unlabelled = train.labels < 0
    assert 10 < np.sum(wanted[unlabelled] >= 0) < np.sum(unlabelled), "some answers join, some do not"


@pytest.mark.long
def test_answers_that_do_not_stay_under_a_disturbance_do_not_join():
    counts = [float(of_rounds(2, noise=noise, threshold=0.0)[2]["pseudo_labels"]) for noise in (0.0, 0.5, 1e4)]
    assert counts[0] == np.sum(problem()[0].labels < 0), "all join where nothing is asked"
    assert counts[0] > counts[1] > counts[2]
    # A disturbance far longer than the input leaves the answers of chance.
    assert counts[2] < 0.4 * counts[0]


def test_a_scorer_that_does_not_fit_is_refused():
    train, classes = problem()
    with pytest.raises(errors.UserError, match="decides on all inputs together itself"):
        methods.self_training(methods.csls(methods.eszsl()))
    keeping = methods.self_training(methods.nadaraya_watson())
    few = jax.tree.map(lambda x: x[:5], whole())
    state = keeping.init(jax.random.key(0), few, classes, ())
    with pytest.raises(errors.UserError, match="whose trained state does not hold the training inputs"):
        jax.eval_shape(keeping.prepare, state, train, classes, jax.random.key(0))
    method, key = methods.self_training(methods.eszsl()), jax.random.key(0)
    with pytest.raises(errors.UserError, match="vectors of numbers: choose features"):
        method.init(key, few._replace(inputs=np.zeros((5, 4, 4, 3), np.uint8)), classes, ())
    state = method.init(key, few, classes, ())
    several = data.Examples(train.inputs[:5], np.eye(5, 11, dtype=np.int32))
    with pytest.raises(errors.UserError, match="one label per input, these have several"):
        jax.eval_shape(method.prepare, state, several, classes, key)
    prompted = methods.self_training(methods.coop(small_tower.prompted(16)))
    names = dataclasses.replace(classes, embedding=np.zeros((11, 4), np.int32))
    with pytest.raises(errors.UserError, match="weights from elsewhere: name another scorer"):
        prompted.init(key, few._replace(inputs=np.zeros((5, 16), np.float32)), names, prompted.weights())


@pytest.mark.long
def test_a_run_is_transductive_stops_and_resumes(tmp_path):
    made = toy_runs.recipe("self_training", **{"train.epochs": 3, "method.threshold": 0.3})
    straight = toy_runs.train(tmp_path / "straight", made).record
    assert (straight["setting"], straight["sees"]) == (
        "instance-transductive",
        ["test inputs", "unseen descriptions"],
    )
    stopping = iter([False] * 4 + [True] * 1000)
    with pytest.raises(errors.Stopped):
        toy_runs.train(tmp_path / "stopped", made, should_stop=lambda: next(stopping))
    assert toy_runs.train(tmp_path / "stopped", made).record["state_sha256"] == straight["state_sha256"]
