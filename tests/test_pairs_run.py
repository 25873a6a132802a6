"""Methods for pairs, and what the protocol draws, scores and chooses, on a small set."""

import dataclasses
import itertools
import json

import jax
import numpy as np
import pytest
import small_trainer
from test_pairs import arrays, write

from zsl_jax import __main__, data, errors, metrics
from zsl_jax import config as config_lib
from zsl_jax.encoders import class_sources
from zsl_jax.training import protocols

METHODS = ("two_heads", "label_embed_plus", "ideal_words", "symnet")


def config(**overrides):
    made = config_lib.base("two_heads", "pairs")
    made.update_from_flattened_dict(overrides)
    return made


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    file = write(tmp_path_factory.mktemp("pairs"), arrays(per_pair=10))
    return data.load("pairs", file=file, unseen_count=3)


@pytest.mark.parametrize("name", METHODS)
def test_pairs_never_seen_together_are_recognised(name, source):
    """One of three unseen pairs by chance; and each pair is described and scored by itself."""
    _, task = protocols.PAIRS.tasks(source, config())
    method = small_trainer.make(name)
    state = small_trainer.fitted(method, task, epochs=40)
    described = jax.jit(method.describe)(state, task.classes)
    inputs, labels = task.sets["test"].inputs, task.sets["test"].labels
    images = jax.jit(method.embed)(state, inputs)
    scores = np.asarray(method.scores(state, images, described))
    seen = np.asarray(task.classes.is_seen)
    unseen = ~seen[labels]
    assert np.mean(np.argmax(np.where(seen, -np.inf, scores), axis=1)[unseen] == labels[unseen]) > 0.9
    rows = [7, 2]
    alone = method.describe(state, task.classes[rows])
    np.testing.assert_allclose(method.scores(state, images, alone), scores[:, rows], atol=1e-4 * np.abs(scores).max())


def test_scores_of_two_heads_are_products_of_probabilities(source):
    _, task = protocols.PAIRS.tasks(source, config())
    method = small_trainer.make("two_heads")
    state = small_trainer.fitted(method, task, epochs=2)
    inputs = task.sets["test"].inputs[:4]
    scores = np.asarray(method.scores(state, method.embed(state, inputs), method.describe(state, task.classes)))
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)  # over all twelve pairs
    kept, heads = state.kept, jax.device_get(state.inner.params)
    rows = (inputs - np.asarray(kept["mean"])) / np.asarray(kept["scale"])
    train = task.train.inputs
    np.testing.assert_allclose(
        kept["scale"], np.sqrt(((train - train.mean(axis=0)) ** 2).sum(axis=1).mean()), rtol=1e-5
    )
    wanted = 0
    for side, name in enumerate(("attributes", "objects")):
        logits = rows @ heads[name]["weights"] + heads[name]["bias"]
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        wanted = wanted + np.log(likely[:, task.classes.parts[:, side]])
    np.testing.assert_allclose(scores, wanted, atol=1e-4)


def test_methods_for_pairs_refuse_other_classes():
    table = data.ClassTable(np.eye(3, dtype=np.float32), np.ones(3, bool))
    batch = data.Batch(np.ones((2, 4), np.float32), np.zeros(2, int), np.ones(2, bool))
    for name in ("two_heads", "label_embed_plus", "symnet"):
        with pytest.raises(errors.UserError, match=f"{name} needs classes that are pairs"):
            small_trainer.make(name).init(small_trainer.KEY, batch, table, ())


def test_validation_pairs_are_drawn_from_training_alone(source):
    drawn, final = protocols.PAIRS.tasks(source, config(**{"select.folds": 3}))
    assert len(drawn) == 3
    held_out = []
    for task in drawn:
        seen = np.asarray(task.classes.is_seen)
        held_out.append({name for name, is_seen in zip(task.classes.names, seen) if not is_seen})
        assert held_out[-1] < {source.classes.names[row] for row in np.flatnonzero(source.classes.is_seen)}
        assert set(task.train.labels) == set(range(task.num_seen))
        assert set(task.classes.parts[task.train.labels, 1]) == set(task.classes.parts[:, 1])
        assert {bool(seen[label]) for label in task.sets["test"].labels} == {True, False}
        inputs = np.concatenate([task.train.inputs, task.sets["test"].inputs])
        train = {row.tobytes() for row in source.inputs[source.splits["train"]]}
        assert {row.tobytes() for row in inputs} <= train
    assert held_out[0] != held_out[1]
    assert len({len(task.train.labels) for task in drawn}) == 1
    assert len(final.train.labels) == len(source.splits["train"])


@pytest.mark.parametrize("source_of_classes", ["dataset", "words", "words+dataset"])
def test_a_pair_without_an_input_is_described_as_the_others_are(source_of_classes, tmp_path):
    held = {name: value[:-20] for name, value in arrays(per_pair=10).items()}  # without the last two pairs
    missing = data.load("pairs", file=write(tmp_path, held), unseen_count=3)
    rng = np.random.default_rng(0)
    vectors = {word: rng.standard_normal(5) for side in missing.parts for name in side for word in name.split()}
    (tmp_path / "words.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in vectors.items()))
    options = class_sources.Options(source=source_of_classes, words=str(tmp_path / "words.txt"))
    found = class_sources.dataset_of(missing, class_sources.make(options))
    _, task = protocols.PAIRS.tasks(found, config())
    table = task.classes
    assert (len(missing.classes), len(table), table.trained) == (10, 12, task.num_seen)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    two_hot = np.stack([np.concatenate([np.eye(3)[a], np.eye(4)[o]]) for a, o in table.parts])
    by_words = np.stack([np.mean([vectors[word] for word in name.split()], axis=0) for name in table.names])
    wanted = {"dataset": two_hot, "words": by_words, "words+dataset": np.hstack([unit(by_words), unit(two_hot)])}
    np.testing.assert_allclose(
        unit(np.asarray(table.embedding)), unit(wanted[source_of_classes]), atol=1e-6, err_msg=str(table.names)
    )


def test_in_a_control_no_pair_keeps_its_own_description(tmp_path):
    held = {name: value[:-20] for name, value in arrays(per_pair=10).items()}
    missing = data.load("pairs", file=write(tmp_path, held), unseen_count=3)
    _, task = protocols.PAIRS.tasks(class_sources.dataset_of(missing, None, permuted=True), config())
    _, own = protocols.PAIRS.tasks(missing, config())
    assert task.classes.names == own.classes.names
    assert not np.all(task.classes.embedding == own.classes.embedding, axis=1).any()
    for rows in (slice(0, 10), slice(10, 12)):
        np.testing.assert_array_equal(
            np.sort(task.classes.embedding[rows], axis=0), np.sort(own.classes.embedding[rows], axis=0)
        )


def test_where_no_pair_can_be_held_out_nothing_is_chosen(source):
    """Four pairs that cover three attributes and four objects: each is the only one of some part."""
    parts = source.classes.parts
    cover = [int(np.flatnonzero((parts == pair).all(axis=1))[0]) for pair in ((0, 0), (1, 1), (2, 2), (2, 3))]
    is_seen = np.isin(np.arange(12), cover)
    train = np.flatnonzero(is_seen[source.labels] & (np.arange(len(source.labels)) % 2 == 0))
    splits = {"train": train, "test": np.setdiff1d(np.arange(len(source.labels)), train)}
    table = dataclasses.replace(source.classes, is_seen=is_seen)
    choosing, _ = protocols.PAIRS.tasks(dataclasses.replace(source, classes=table, splits=splits), config())
    assert choosing == ()


@pytest.mark.long
def test_feasible_pairs_are_those_from_the_threshold_on():
    """Rows in groups of feasibility against scores without the pairs below the threshold."""
    from zsl_jax.training.protocols import pairs

    rng = np.random.default_rng(0)
    scores, labels = rng.integers(-3, 3, (40, 12)).astype(np.float32), rng.integers(0, 12, 40)  # with ties
    is_seen, feasibility = np.arange(12) < 4, np.where(np.arange(12) < 4, 1, rng.uniform(0, 0.9, 12)).astype(np.float32)
    above = np.searchsorted(pairs._EDGES, feasibility, side="right")
    groups = np.where(is_seen, 1, np.where(above == 0, 0, 1 + above))
    rows = metrics.fold(scores, groups, labels, num_groups=2 + len(pairs._EDGES))
    for edge in (-1.0, pairs._EDGES[0], pairs._EDGES[4]):
        kept = is_seen | (feasibility >= edge)
        found = metrics.curve_of_rows(pairs._from_edge(rows, edge), is_seen, per_image=True)
        wanted = metrics.compositional_curve(scores, labels, is_seen, candidates=kept)
        for a, b in zip(found[:2], wanted[:2]):
            np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.long
def test_the_binned_curve_of_rows_is_that_of_scores():
    rng = np.random.default_rng(1)
    scores, labels, is_seen = rng.standard_normal((90, 9)).astype(np.float32), rng.integers(0, 9, 90), np.arange(9) < 5
    rows = metrics.fold(scores, is_seen.astype(int), labels, num_groups=2)
    for a, b in itertools.zip_longest(
        metrics.binned_curve_of_rows(rows, is_seen), metrics.binned_compositional_curve(scores, labels, is_seen)
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
def test_the_constant_that_is_chosen_is_the_best_on_the_curve_of_the_closed_world():
    rng = np.random.default_rng(2)
    labels, is_seen = rng.integers(0, 9, 90), np.arange(9) < 5
    scores = rng.standard_normal((90, 9)).astype(np.float32) + 2 * np.eye(9, dtype=np.float32)[labels]
    scores[:, is_seen] += 1.5
    rows = {"closed": metrics.fold(scores, is_seen.astype(int), labels, num_groups=2)}
    facts = {"is_seen": is_seen, "parts": np.stack(np.divmod(np.arange(9), 3), axis=1)}
    chosen = jax.jit(protocols.PAIRS.choose)(*jax.tree.map(lambda x: np.asarray(x)[None], (rows, facts)))
    report = jax.jit(protocols.PAIRS.report)
    closed = report(rows, facts, chosen)["pairs"]["closed"]
    assert float(closed["calibrated"]["harmonic"]) == pytest.approx(float(closed["harmonic"]), rel=1e-5)
    as_scored = report(rows, facts, {"gamma": np.float32(0)})["pairs"]["closed"]["calibrated"]
    assert as_scored["harmonic"] < closed["harmonic"] - 0.05, "gamma must matter for this to mean something"


@pytest.mark.long
def test_the_command_line_trains_two_heads(tmp_path, capsys):
    """As it is given: an archive, no other option; then with words, which adds the feasible world."""
    file = write(tmp_path, arrays(per_pair=10))
    line = ["train", "--config=two_heads:pairs", f"--config.data.file={file}", f"--workdir={tmp_path / 'run'}"]
    assert __main__.main(line) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    closed = record["metrics"]["pairs"]["closed"]
    assert closed["auc"] > 0.9
    assert closed["harmonic"] > 0.9
    assert (record["protocol"], record["selection"]["draws"]) == ("pairs", 3)
    assert {path.name for path in (tmp_path / "run").glob("*.png")} >= {"curves.png", "bias.png", "pairs.png"}
    words = {name: np.random.default_rng(i).standard_normal(8) for i, name in enumerate(["old", "red", "wet"])}
    words |= {name: words["old"] + i for i, name in enumerate(["apple", "car", "dog", "hat"])}
    np.savez(tmp_path / "words.npz", words=np.array(list(words)), vectors=np.stack(list(words.values())))
    held = arrays(per_pair=10)
    kept = ~(
        ((held["attribute"] == "old") & (held["object"] == "hat"))
        | (held["attribute"] == "wet") & (held["object"] == "car")
    )
    file = write(tmp_path, {name: rows[kept] for name, rows in held.items()}, "two_pairs_less.npz")
    line[2:] = [f"--config.data.file={file}", f"--workdir={tmp_path / 'words'}", "--config.plots=none"]
    line += ["--config.train.epochs=2", "--config.select.folds=1"]
    assert __main__.main([*line, f"--config.data.words={tmp_path / 'words.npz'}"]) == 0
    record = json.loads((tmp_path / "words" / "record.json").read_text())
    assert record["config"]["data"]["words"] == "words.npz"
    found = record["metrics"]["pairs"]
    assert set(found) == {"closed", "open", "feasible"}
    assert found["open"]["auc"] <= found["closed"]["auc"], "its candidates are among those of the open world"
    assert found["feasible"]["threshold"] == pytest.approx(record["selection"]["feasibility"])
    capsys.readouterr()
