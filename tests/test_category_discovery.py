"""Unknown classes as clusters: the matching against every permutation, the method against NumPy, and a whole run."""

import itertools

import jax
import numpy as np
import pytest
import small_trainer
import toy
import toy_runs
from sklearn import cluster

from zsl_jax import data, errors, metrics
from zsl_jax.methods.category_discovery import clusters
from zsl_jax.training import protocols
from zsl_jax.verbs import command_line


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_matching_is_the_best_of_all_permutations(seed):
    rng = np.random.default_rng(seed)
    found, labels, where = rng.integers(-1, 5, 40), rng.integers(0, 5, 40), rng.random(40) < 0.8
    best = max(np.sum((np.array(m)[found] == labels)[where & (found >= 0)]) for m in itertools.permutations(range(5)))
    matched = np.asarray(metrics.discovered(found, labels, num_classes=5, where=where))
    assert np.sum((matched == labels)[where]) == best
    assert np.all((matched == -1) == (found == -1))
    assert len({(c, m) for c, m in zip(found, matched) if c >= 0}) == len(set(found[found >= 0]))
    both = jax.jit(jax.vmap(lambda f: metrics.discovered(f, labels, num_classes=5, where=where)))(
        np.stack([found, found[::-1]])
    )
    np.testing.assert_array_equal(both[0], matched)


def blobs(count=40, width=6):
    """Four groups of directions, the last two of which are unknown."""
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(4), count // 4)
    return (unit(rng.standard_normal((4, width)))[of] + 0.15 * rng.standard_normal((count, width))).astype(
        np.float32
    ), of


def test_clusters_are_those_of_k_means_with_labelled_inputs_in_their_place():
    rows, of = blobs()
    rows = unit(rows)
    labelled, others = rows[:4], rows[4:]
    sums = np.zeros((4, 6), np.float32)
    np.add.at(sums, of[:4], labelled)
    np.add.at(sums, 1, rows[12])
    padded = np.concatenate([others, np.full((5, 6), 7.0, np.float32)])
    where = np.arange(len(padded)) < len(others)
    is_new = np.arange(4) >= 2
    of_groups = jax.jit(clusters)
    found = np.asarray(of_groups(sums, is_new, padded * where[:, None], where))
    alone = np.asarray(of_groups(sums, is_new, others, np.ones(len(others), bool)))
    np.testing.assert_allclose(found, alone, atol=1e-6)
    # A fixed point: a round more by hand.
    nearest = np.argmax(others @ found.T, axis=1)
    again = unit(sums + np.eye(4)[nearest].T @ others)
    np.testing.assert_allclose(found, again, atol=1e-5)
    assert np.all(nearest[of[4:] == 0] == 0)
    assert np.all(nearest[of[4:] == 1] == 1)
    assert len(set(nearest[of[4:] == 2])) == len(set(nearest[of[4:] == 3])) == 1


def fitted(iterations=0, **knobs):
    task = data.test_task(toy.dataset())
    method = small_trainer.make("category_discovery", iterations=iterations, **knobs)
    return task, method, method.finish((), task.train, task.seen_classes, small_trainer.KEY)


def inputs_of(task):
    return np.concatenate([task.sets[name].inputs for name in ("test_unseen", "test_seen")])


def test_a_step_is_that_of_numpy():
    """Of the first step of Adam only the signs of the gradient are seen, which are found by differences."""
    knobs = {"certainty": 0.7, "scale": 5.0, "weight_decay": 0.1, "learning_rate": 1e-3}
    task, method, state = fitted(**knobs)
    inputs, classes = inputs_of(task), task.classes
    described, where = method.describe(state, classes), np.ones(len(inputs), bool)
    before, after = (
        np.asarray(jax.jit(m.together)(state, inputs, where, described, small_trainer.KEY), np.float64)
        for m in (method, small_trainer.make("category_discovery", iterations=1, **knobs))
    )
    every = np.concatenate([task.train.inputs, inputs]).astype(np.float64)
    vectors = unit(every - every.mean(axis=0))
    known, new = vectors[: len(task.train.labels)], vectors[len(task.train.labels) :]

    def logs(w, rows):
        z = 5.0 * rows @ w.T
        z -= z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    # The centres, from what they answer: differences of logarithms are linear in the inputs, up to a common vector.
    sums = np.zeros((len(classes), known.shape[1]))
    np.add.at(sums, task.train.labels, known)
    nearest = before.argmax(axis=1)
    centres = unit(sums + np.eye(len(classes))[nearest].T @ new)
    np.testing.assert_allclose(logs(centres, new), before, atol=2e-3)

    def loss(w):
        p, q = np.exp(logs(w, new)), np.exp(logs(w, known))
        frequency = np.concatenate([p, q]).mean(axis=0)
        wrong = -np.mean(logs(w, known)[np.arange(len(known)), task.train.labels])
        unsure = -np.mean(np.sum(p * logs(w, new), axis=1))
        return wrong + 0.7 * unsure + np.sum(frequency * np.log(frequency)) + 0.05 * np.sum(w**2)

    slopes = np.zeros_like(centres)
    for place in np.ndindex(centres.shape):
        change = np.zeros_like(centres)
        change[place] = 1e-5
        slopes[place] = (loss(centres + change) - loss(centres - change)) / 2e-5
    np.testing.assert_allclose(logs(centres - 1e-3 * np.sign(slopes), new), after, atol=4e-3)
    assert np.abs(after - before).max() > 0.01


def test_answers_follow_the_inputs_and_fill_up_rows_change_nothing():
    task, method, state = fitted(iterations=5)
    inputs, described = inputs_of(task), method.describe(state, task.classes)
    ask = jax.jit(method.together)
    found = np.asarray(ask(state, inputs, np.ones(len(inputs), bool), described, small_trainer.KEY))
    rows = np.random.default_rng(0).permutation(len(inputs))
    longer = np.concatenate([inputs[rows], np.zeros((7, inputs.shape[1]), np.float32)])
    where = np.arange(len(longer)) < len(inputs)
    other = np.asarray(ask(state, longer, where, described, small_trainer.KEY))[: len(inputs)]
    np.testing.assert_allclose(other, found[rows], atol=1e-3)


def test_descriptions_of_unknown_classes_are_not_looked_at():
    task, method, state = fitted()
    described = np.asarray(method.describe(state, task.classes))
    np.testing.assert_array_equal(described, np.where(task.classes.is_seen, np.arange(len(described)), -1))


def test_what_has_no_numbers_is_refused():
    batch = data.Batch(np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, int), np.ones(2, bool))
    with pytest.raises(errors.UserError, match="clusters are of inputs that are vectors of numbers"):
        small_trainer.make("category_discovery").init(small_trainer.KEY, batch, None, ())


def archive(path, describe=False):
    """Groups of directions, without anything that describes them."""
    rng = np.random.default_rng(1)
    of = np.repeat(np.arange(8), 30)
    rows = rng.standard_normal((8, 12))[of] + 0.7 * rng.standard_normal((240, 12))
    np.savez(path, features=rows.astype(np.float32), labels=of, **({"attributes": np.eye(8)} if describe else {}))
    return rows.astype(np.float32), of


@pytest.mark.long
def test_a_run_discovers_classes_that_nothing_describes(tmp_path):
    archive(tmp_path / "groups.npz")
    given = {"data.file": str(tmp_path / "groups.npz"), "data.num_unseen": "3", "select.folds": "1"}
    made = command_line.recipe("category_discovery:npz", given)
    source = data.load(**made.data, unseen="")
    result = toy_runs.train(tmp_path / "run", made, source)
    record = result.record
    assert (record["protocol"], record["setting"]) == ("discovery", "instance-transductive")
    found = record["metrics"]["discovery"]
    assert set(found) == {"all", "known", "unknown"}
    assert record["selection"]["late"]["certainty"] in (0.1, 0.3, 1.0)
    task = protocols.DISCOVERY.tasks(source, made)[1]
    examples = [task.sets[name] for name in ("test_unseen", "test_seen")]
    inputs, labels = (np.concatenate([getattr(each, name) for each in examples]) for name in ("inputs", "labels"))
    plain = cluster.KMeans(8, n_init=10, random_state=0).fit_predict(unit(inputs - inputs.mean(axis=0)))
    baseline = np.mean(np.asarray(metrics.discovered(plain, labels, num_classes=8)) == labels)
    assert found["all"] >= baseline
    assert found["unknown"] > 0.9
