"""Scores in blocks of inputs and chunks of classes are the scores in one go, and what only fills up never counts.

Inputs and descriptions are small whole numbers, so that sums are exact: bits hold whatever the shape of the program.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from zsl_jax import data, errors, methods, metrics
from zsl_jax.training import blocks, parallel, protocols, scoring

TEMPERATURES = (0.5, 4.0)


@pytest.fixture(scope="module")
def source():
    """Nine classes; the first and the last, the second and the third have the same description, so that they tie."""
    made = toy.dataset(num_attributes=10, num_features=10)
    rng = np.random.default_rng(3)
    embedding = rng.integers(-3, 4, (9, 10)).astype(np.float32)
    embedding[8], embedding[2] = embedding[0], embedding[1]
    inputs = rng.integers(-3, 4, made.inputs.shape).astype(np.float32)
    return dataclasses.replace(
        made, inputs=inputs, classes=dataclasses.replace(made.classes, embedding=embedding, parts=None)
    )


@pytest.fixture(scope="module")
def task(source):
    return data.test_task(source)


@pytest.fixture(scope="module")
def inputs(task):
    """In the order of the look at all test inputs."""
    return np.concatenate([task.sets[name].inputs for name in ("test_unseen", "test_seen")])


def product(**changes):
    """Scores by the product of inputs and descriptions."""
    return methods.Method(
        init=lambda key, like, classes, weights: (),
        update=None,
        scores=lambda state, images, described: images @ described.T,
    )._replace(**changes)


def looks(task, top=3):
    """The two of the protocol, with the best three of each group and the scores kept."""
    return {name: look._replace(top=top, keep=True) for name, look in protocols.GZSL.looks(task).items()}


def score(method, task, monkeypatch, *, block=16, asked=None, **options):
    monkeypatch.setattr(blocks, "_BLOCK", block)
    mesh = parallel.make_mesh(devices=2)
    return scoring.make_score(method, task, asked or looks(task), mesh, **options)((), TEMPERATURES)


@pytest.mark.long
@pytest.mark.parametrize("chunk", [1, 2, 4, 9])
@pytest.mark.parametrize("top", [1, 3])
def test_chunks_of_classes_change_no_bit(chunk, top, task, inputs, monkeypatch):
    seen = np.asarray(task.classes.is_seen)
    full = inputs @ task.classes.embedding.T
    labels = np.concatenate([task.sets[name].labels for name in ("test_unseen", "test_seen")])
    found = score(product(), task, monkeypatch, asked=looks(task, top), chunk=chunk)["gzsl"]
    np.testing.assert_array_equal(metrics.predicted_class(found), np.argmax(full, axis=1))
    assert np.any(np.sum(full == full.max(axis=1, keepdims=True), axis=1) > 1), "some must tie"
    np.testing.assert_array_equal(found.own, full[np.arange(len(full)), labels])
    np.testing.assert_array_equal(found.scores, full)
    for group, members in enumerate((~seen, seen)):
        within = np.where(members, full, -np.inf)
        order = np.argsort(-within, axis=1, kind="stable")[:, :top]
        np.testing.assert_array_equal(found.of[:, group], order)
        np.testing.assert_array_equal(found.best[:, group], np.take_along_axis(within, order, axis=1))
        for number, temperature in enumerate(TEMPERATURES):
            expected = np.log(np.sum(np.exp(full[:, members].astype(np.float64) / temperature), axis=1))
            np.testing.assert_allclose(found.lse[:, group, number], expected, rtol=1e-5)


def test_classes_are_described_in_chunks_and_once(task, monkeypatch):
    described = []

    def describe(state, classes):
        jax.debug.callback(lambda rows: described.append(np.asarray(rows)), classes.embedding)
        return classes.embedding

    score(product(describe=describe), task, monkeypatch, chunk=1)
    jax.effects_barrier()
    assert {rows.shape for rows in described} == {(1, 10)}
    one_each = np.unique(np.concatenate(described), axis=0)
    np.testing.assert_array_equal(one_each, np.unique(task.classes.embedding, axis=0))
    assert len(described) % 9 == 0
    assert len(described) <= 9 * 2, "once a class (on each device), whatever the number of blocks and looks"


@pytest.mark.parametrize("joint", [False, True])
def test_a_method_that_asks_for_the_candidates_gets_those_of_each_look_and_no_others(joint, task, inputs, monkeypatch):
    """Scores less their mean over the candidates; jointly also less the mean over the inputs of the look."""
    sizes = []

    def describe(state, classes):
        sizes.append(len(classes))
        return classes.embedding

    def scores(state, images, described):
        found = images @ described.T
        return found - jnp.mean(found, axis=1, keepdims=True)

    def together(state, images, where, described, key):
        sizes.append(images.shape)
        found = scores(state, images, described)
        return found - jnp.mean(found, axis=0, keepdims=True, where=where[:, None])

    method = product(describe=describe, scores=scores, sees=frozenset({"other candidates"}))
    if joint:
        method = product(describe=describe, scores=scores, together=together)
    found = score(method, task, monkeypatch, chunk=2)
    unseen = len(task.sets["test_unseen"].labels)
    for name, first, count in (("zsl", task.num_seen, unseen), ("gzsl", 0, len(inputs))):
        expected = inputs[:count] @ task.classes.embedding[first:].T
        expected = expected - expected.mean(axis=1, keepdims=True)
        if joint:
            expected = expected - expected.mean(axis=0, keepdims=True)
        labels = np.asarray(found[name].label)
        np.testing.assert_allclose(found[name].own, expected[np.arange(count), labels - first], atol=1e-4)
        np.testing.assert_allclose(np.max(found[name].best, axis=(1, 2)), expected.max(axis=1), atol=1e-4)
        margin = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0]
        clear = margin > 1e-3
        predicted = np.asarray(metrics.predicted_class(found[name]))
        np.testing.assert_array_equal(predicted[clear], first + expected.argmax(axis=1)[clear])
        assert clear.sum() > count / 2
    wanted = [3, (unseen, 10), 9, (len(inputs), 10)] if joint else [3, 9]
    assert sizes == wanted, "all inputs of a look at once, without rows that fill up a block"


@pytest.mark.parametrize("block", [4, 8, 1000])
def test_rows_are_the_datasets_whatever_the_blocks(block, source, task, inputs, monkeypatch):
    found = score(product(), task, monkeypatch, block=block)
    assert len(inputs) % block, "the last block must not be full for this to mean something"
    rows = np.concatenate([source.splits["test_unseen"], source.splits["test_seen"]])
    np.testing.assert_array_equal(found["gzsl"].id, rows)
    np.testing.assert_array_equal(found["zsl"].id, source.splits["test_unseen"])
    np.testing.assert_array_equal(source.inputs[found["gzsl"].id], inputs)
    np.testing.assert_array_equal(found["gzsl"].scores, inputs @ task.classes.embedding.T)


@pytest.mark.long
def test_scores_in_one_go_are_those_in_blocks(task, inputs, monkeypatch):
    """`score_arrays` is what sweeps and late knobs score by."""
    asked = looks(task)
    sets = {name: part._replace(ids=None) for name, part in task.sets.items()}
    for method in (product(), product(sees=frozenset({"other candidates"}))):
        in_blocks = score(method, task, monkeypatch, chunk=4, asked=asked)
        at_once = scoring.score_arrays(method, (), sets, task.classes, asked)
        for name in asked:
            for field in ("label", "own", "best", "of", "finite"):
                np.testing.assert_array_equal(getattr(at_once[name], field), getattr(in_blocks[name], field), field)


def test_a_stop_while_scoring_is_heard_between_blocks(task, monkeypatch):
    asked = iter(range(100))
    with pytest.raises(errors.Stopped, match="while test inputs were scored"):
        score(product(), task, monkeypatch, block=4, should_stop=lambda: next(asked) == 3)
    assert next(asked) == 4


def test_a_score_that_is_not_finite_names_its_look(task, monkeypatch):
    bad = product(
        scores=lambda state, images, described: images @ described.T + jnp.where(images[:, :1] > 2, jnp.nan, 0)
    )
    with pytest.raises(errors.Diverged, match="not finite"):
        score(bad, task, monkeypatch, chunk=4)


def test_the_score_of_the_right_class_is_kept_where_it_is_a_candidate_of_the_chunk():
    scores = np.arange(12, dtype=np.float32).reshape(4, 3)
    found = metrics.fold(scores, np.array([0, -1, 1]), [5, 6, 7, 4], num_groups=2, first=5)
    np.testing.assert_array_equal(found.own, [0, -np.inf, 8, -np.inf])


@pytest.mark.long
def test_an_input_without_a_finite_score_answers_no_class():
    """In particular not the last one, which -1 would index."""
    nan = np.full((1, 3), np.nan, np.float32)
    rows = metrics.fold(np.concatenate([nan, np.eye(3, dtype=np.float32)[:1]]), np.zeros(3, int), [2, 0], num_groups=1)
    classes = data.ClassTable(np.eye(3, dtype=np.float32), np.array([True, True, False]), ("a", "b", "c"))
    facts = protocols.TRANSFER.facts(classes)
    found = protocols.TRANSFER.counts({"transfer": rows}, facts, {})
    assert found["predicted"].tolist() == [1, 0, 0]
    assert found["correct"].tolist() == [1, 0, 0]
    pairs = metrics.fold(nan, np.array([0, 1, 1]), [2], num_groups=2)
    facts |= {"parts": np.array([[0, 0], [0, 1], [1, 1]])}
    world = protocols.PAIRS.report({"closed": pairs}, facts, {"gamma": 0.0})["pairs"]["closed"]
    assert (world["attribute"], world["object"]) == (0, 0)


@pytest.mark.parametrize("sees", [(), ("other candidates",)])
def test_a_table_is_described_once_for_as_long_as_a_state_is_scored(sees, task, monkeypatch):
    asked, describe = [], scoring._describe

    def counted(state, table, *, method):
        asked.append(float(state))
        return describe(state, table, method=method)

    monkeypatch.setattr(scoring, "_describe", counted)
    method = product(sees=frozenset(sees), describe=lambda state, classes: state * classes.embedding)
    score = scoring.make_score(method, task, looks(task), parallel.make_mesh(devices=1))
    states = np.float32(1), np.float32(3)
    one, three = ([score(state)["gzsl"].best, score(state, TEMPERATURES)["gzsl"].best] for state in states)
    np.testing.assert_array_equal(one[0], one[1])
    np.testing.assert_array_equal(three, np.multiply(one, 3))
    assert asked == ([1, 1, 3, 3] if sees else [1, 3])  # with candidates of its own, each look has a table
