"""Settings side by side are the settings one by one; a killed sweep goes on; no test label takes part."""

import collections
import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import toy

from zsl_jax import __main__, config, data, errors, methods
from zsl_jax.training import (
    evaluation,
    loop,
    parallel,
    phases,
    problems,
    protocols,
    side_by_side,
    spaces,
    states,
    sweeps,
)
from zsl_jax.verbs import command_line, sweep

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATES = (0.1, 0.5, 2.0)
SCORES = (*protocols.GZSL.choices(), "gamma")


@pytest.fixture
def toy_data(monkeypatch):
    monkeypatch.setattr(data, "load", lambda **options: toy.dataset(num_seen=8))


def make_config(**overrides):
    result = config.base("ale", "digits")
    result.train.update(epochs=4, batch_size=16)
    result.sweep.update(side_by_side=8, seeds=1)
    result.update_from_flattened_dict(overrides)
    return result.lock()


def points(**space):
    return spaces.settings({"method.learning_rate": RATES, **space}, samples=0, seed=0)


def test_tuples_make_a_grid():
    grid = spaces.settings({"a": (1, 2), "b": ("x", "y", "z")}, samples=0, seed=0)
    assert len(grid) == 6
    assert {"a": 2, "b": "y"} in grid


def test_ranges_are_drawn_between_their_ends_and_alike_for_a_seed():
    space = {"rate": spaces.log_uniform(1e-3, 10.0), "margin": spaces.uniform(1.0, 2.0), "word": ("a", "b")}
    drawn = spaces.settings(space, samples=200, seed=1)
    rates = np.array([point["rate"] for point in drawn])
    assert 1e-3 <= rates.min() < 1e-2
    assert 1 < rates.max() <= 10
    assert abs(np.mean(np.log10(rates)) - -1) < 0.3
    assert all(1 <= point["margin"] <= 2 for point in drawn)
    assert {point["word"] for point in drawn} == {"a", "b"}
    assert drawn == spaces.settings(space, samples=200, seed=1)
    assert drawn != spaces.settings(space, samples=200, seed=2)


@pytest.mark.parametrize("values", [(), spaces.uniform(2.0, 1.0), spaces.log_uniform(0.0, 1.0)])
def test_an_empty_range_is_an_error(values):
    with pytest.raises(errors.UserError, match="range of margin is empty"):
        spaces.settings({"margin": values}, samples=3, seed=0)


def test_the_best_epoch_is_that_of_the_mean_over_seeds_and_folds():
    history = {name: np.zeros((3, 2, 2)) for name in SCORES}  # epochs, folds, seeds
    history["harmonic"] += np.array([0.2, 0.5, 0.4])[:, None, None] + np.array([[0.0, 0.1], [0.2, 0.3]])
    history["zsl"][1, 0, 0] = np.nan
    found = sweeps.best("harmonic", [2, 4, 5], history)
    assert (found["epochs"], found["harmonic"], found["zsl"]) == (4, pytest.approx(0.65), -1)
    assert found["deviation"]["harmonic"] == pytest.approx(np.std([0, 0.1, 0.2, 0.3], ddof=1))
    assert sweeps.best("zsl", [2, 4, 5], history)["epochs"] == 2, "an epoch that is not finite is never the best"
    assert "deviation" not in sweeps.best("zsl", [1], {name: np.zeros((1, 1, 1)) for name in SCORES})


@pytest.mark.long
def test_structure_and_chunks_change_nothing(toy_data, tmp_path):
    space = points(**{"normalize.inputs": ("l2", "none")})
    whole = sweeps.run_trials(make_config(), space, tmp_path / "a")
    pieces = sweeps.run_trials(make_config(**{"sweep.side_by_side": 1}), space, tmp_path / "b")
    assert [trial["setting"] for trial in whole] == space
    for one, other in zip(whole, pieces):
        np.testing.assert_allclose([one[n] for n in SCORES], [other[n] for n in SCORES], atol=1e-4)


@pytest.mark.long
def test_every_lane_is_a_run_of_its_own(toy_data):
    """Two folds, two seeds and two settings in one program against the loop, lane by lane."""
    setup = make_config(**{"select.folds": 2, "select.seeds": 2, "train.epochs": 2})
    tasks = sweeps.selection_tasks(setup)
    rates = (0.3, 2.0)
    trainer = sweeps.Trainer(setup, ["method.learning_rate"], tasks)
    epochs, history = trainer.history([{"method.learning_rate": rate} for rate in rates], 3)
    assert epochs == [1, 2]
    assert history["ausuc"].shape == (2, 2, 2, 2)
    assert len(np.unique(history["gamma"][-1])) == 8, "the lanes must differ for this to mean something"
    setting = 1
    method = problems.make_method(sweeps.overridden(setup, {"method.learning_rate": rates[setting]}))
    for fold, seed in ((0, 0), (1, 0), (1, 1)):
        key = jax.random.fold_in(jax.random.key(seed), phases.PHASES.index("select"))
        mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
        training = states.Training(method, tasks[fold], key=key, batch_size=16, mesh=mesh)
        *_, (_, state, _) = loop.fit(training, epochs=2)
        scored = evaluation.make_evaluate(method, tasks[fold], mesh)(loop.finish(training, state))
        for name, metric in protocols.GZSL.choices().items():
            wanted = protocols.value(scored.metrics, metric)
            np.testing.assert_allclose(history[name][-1, fold, seed, setting], wanted, atol=1e-5)
        np.testing.assert_allclose(history["gamma"][-1, fold, seed, setting], scored.knobs["gamma"], rtol=1e-4)


def test_what_no_knob_reaches_is_held_once():
    task = data.test_task(toy.dataset())
    batch = data.Batch(task.train.inputs[:8], task.train.labels[:8], np.ones(8, bool))

    def reached(factory):
        knobs = {"feature_ridge": jax.ShapeDtypeStruct((3,), np.float32)}
        return side_by_side.reached_by_knobs(factory, knobs, batch, task.seen_classes)

    closed = reached(lambda feature_ridge: methods.eszsl(feature_ridge=feature_ridge))
    assert not any(jax.tree.leaves(closed)), "sums over examples know of no ridge"
    trained = reached(lambda feature_ridge: methods.ale(learning_rate=feature_ridge))
    assert not any(jax.tree.leaves(trained.kept))
    assert all(jax.tree.leaves(trained.inner)), "the step size reaches the weights in the first step"


RECIPES = sorted(path.name for path in (ROOT / "configs").glob("*.py"))


@pytest.mark.long
def test_the_knobs_of_every_recipe_are_traced(toy_data):
    """Program, finish and scores are traced with knobs that are no numbers; nothing is compiled."""
    traced = set()
    for name in RECIPES:
        module = command_line.load_module(str(ROOT / "configs" / name))
        setup = command_line.load_recipe(f"{ROOT / 'configs' / name}:digits").lock()
        knobs = [key for key in getattr(module, "sweep", dict)() if sweeps.is_knob(setup, key)]
        same = setup.method.name, setup.get("scorer", {}).get("name"), tuple(knobs)
        if not knobs or same in traced or setup.method.name in toy.OF_OTHER_DATA:
            continue
        width = setup.method.get("dimensions", 10)
        trainer = sweeps.Trainer(setup, knobs, [data.test_task(toy.dataset(num_features=width))])

        def lanes(trainer=trainer, knobs=knobs):
            moving, *given = trainer.start([dict.fromkeys(knobs, 0.5)] * 2, 2)
            moving, _ = trainer.program.epoch(moving, *given, 0)
            return trainer.program.score(moving, *given)

        assert jax.eval_shape(lanes)["zsl"].shape == (1, 1, 2), name
        traced.add(same)
    assert len(traced) >= 15


def test_as_many_settings_as_fit_and_at_least_one():
    small, large, huge = (parallel.fitting(size, 0) for size in (2**10, 2**20, 2**40))
    assert small > large > huge == 1
    assert parallel.fitting(2**10, 2**40) == 1, "what scoring holds must fit as well"


def test_chunks_are_of_one_size():
    assert sweeps.chunks(list("abcdefghi"), 8) == ([list("abcde"), list("fghi")], 5)
    assert sweeps.chunks(list("abc"), 8) == ([list("abc")], 3)


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_killed_sweep_goes_on(real, toy_data, tmp_path, monkeypatch):
    chunked = make_config(**{"sweep.side_by_side": 1})
    monkeypatch.setattr(parallel, "of_all_devices", lambda number: number)
    trained, killed_after = [], 9

    def made_up(self, settings, size, tick):
        return [{"zsl": setting["method.learning_rate"]} for setting in settings]

    train = sweeps.Trainer.train if real else made_up

    def until_killed(*args):
        trained.extend(args[1])
        if len(trained) > killed_after:
            raise KeyboardInterrupt
        return train(*args)

    monkeypatch.setattr(sweeps.Trainer, "train", until_killed)
    uninterrupted = sweeps.run_trials(chunked, points(), tmp_path / "a")
    trained.clear()
    killed_after = 1
    with pytest.raises(KeyboardInterrupt):
        sweeps.run_trials(chunked, points(), tmp_path / "b")
    trained.clear()
    killed_after = 9
    assert sweeps.run_trials(chunked, points(), tmp_path / "b") == uninterrupted
    assert trained == points()[1:], "two settings were left to train"

    kept = tmp_path / "b" / "trials.jsonl"
    first, rest = kept.read_text().split("\n", 1)
    for wrong, words in (
        (json.dumps(json.loads(first) | {"zsl": 1.0}), "was changed since it was written, or is of another run"),
        (first[:-9], "is damaged"),
        ("[" * 100_000, "is damaged"),
    ):
        kept.write_text(f"{wrong}\n{rest}")
        with pytest.raises(errors.UserError, match=rf"trials.jsonl {words}.*: delete it, and the same line"):
            sweeps.run_trials(chunked, points(), tmp_path / "b")


@pytest.mark.long
def test_a_setting_that_diverges_does_not_stop_the_others(toy_data, tmp_path):
    space = {"method.learning_rate": (0.01, 3e38), "normalize.inputs": ("none",)}
    trials = sweeps.run_trials(make_config(), spaces.settings(space, samples=0, seed=0), tmp_path)
    assert trials[0]["zsl"] > 0.3
    assert trials[1]["zsl"] == -1


@pytest.mark.long
def test_test_labels_take_no_part(tmp_path, monkeypatch):
    honest = toy.dataset(num_seen=8)
    labels = honest.labels.copy()
    for name in ("test_seen", "test_unseen"):
        labels[honest.splits[name]] = np.roll(labels[honest.splits[name]], 5)
    monkeypatch.setattr(data, "load", lambda **options: honest)
    before = sweeps.run_trials(make_config(), points(), tmp_path / "a")
    monkeypatch.setattr(data, "load", lambda **options: dataclasses.replace(honest, labels=labels))
    assert sweeps.run_trials(make_config(), points(), tmp_path / "b") == before


def test_folds_are_disjoint_and_of_one_shape():
    training = data.training_part(toy.dataset(num_seen=8))
    uneven = np.flatnonzero((training.labels != 3) | (np.arange(len(training.labels)) % 2 == 0))
    training = dataclasses.replace(
        training,
        inputs=training.inputs[uneven],
        labels=training.labels[uneven],
        splits={"train": np.arange(len(uneven))},
    )
    tasks = data.validation_tasks(training, folds=3, seed=1)
    held_out = [name for task in tasks for name in task.unseen_classes.names]
    assert len(held_out) == len(set(held_out)) == 6
    shapes = [jax.tree.map(np.shape, (task.train, task.sets)) for task in tasks]
    assert shapes[0] == shapes[1] == shapes[2]
    for task in tasks:
        assert set(task.train.labels) <= set(range(task.num_seen))
        assert set(task.sets["test_unseen"].labels) == set(range(task.num_seen, len(task.classes)))
    many = data.validation_tasks(training, folds=5, seed=1)
    drawn = [frozenset(task.unseen_classes.names) for task in many]
    assert len(set(drawn)) == 5, "different sets of a quarter of eight classes"
    assert {len(names) for names in drawn} == {2}
    times = collections.Counter(name for names in drawn for name in names)
    assert max(times.values()) <= 2, "each class about as often"
    with pytest.raises(errors.UserError, match=r"select.folds=9 is more than the 8 seen classes"):
        data.validation_tasks(training, folds=9)


def test_settings_are_split_over_the_devices(toy_data):
    trainer = sweeps.Trainer(make_config(), ["method.learning_rate"], [data.test_task(toy.dataset())])
    moving = trainer.start([{"method.learning_rate": 0.1 * i} for i in range(1, 9)], 8)[0]
    assert moving.inner.params.shape[2] == 8
    assert len({str(shard.index) for shard in moving.inner.params.addressable_shards}) == 8
    assert len({str(shard.index) for shard in jax.tree.leaves(moving.kept)[0].addressable_shards}) == 1


RECIPE = """
from zsl_jax import config
def get_config(argument=None):
    made = config.base("ale", "digits")
    made.train.update(epochs=2, batch_size=64)
    made.sweep.update(seeds=2)
    made.plots = "none"
    return made
def sweep():
    return {SPACE}
"""


def call(tmp_path, capsys, space, *arguments):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE.replace("{SPACE}", space))
    code = __main__.main(["sweep", f"--config={recipe}", f"--workdir={tmp_path / 'run'}", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.long
def test_the_verb_trains_the_winner_and_says_its_command(toy_data, tmp_path, capsys):
    code, out, err = call(tmp_path, capsys, '{"method.learning_rate": (0.5, 1e-6)}', "--config.sweep.widen=0")
    assert (code, err) == (0, "")
    result = json.loads((tmp_path / "run" / "sweep.json").read_text())
    assert result["winner"]["setting"] == {"method.learning_rate": 0.5}
    assert "--config.method.learning_rate=0.5" in result["command"]
    assert result["command"] in out
    assert len(result["test"]["zsl"]["values"]) == 2
    assert result["selected_on"] == "validation classes"
    record = json.loads((tmp_path / "run" / "seed_1" / "record.json").read_text())
    assert result["test"]["zsl"]["values"][1] == record["metrics"]["zsl"]["top1"]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ('{"method.learning_rat": (1.0,)}', "did you mean 'method.learning_rate'"),
        ('{"method.learning_rate": ()}', "range of method.learning_rate is empty"),
        ("{}", "sweep() names no config key"),
        ('{"seed": (0, 1)}', "cannot choose seed"),
        ('{"method.learning_rate": 1.0}', "range of method.learning_rate is 1.0: name a tuple"),
        ('{"method.learning_rate": ("fast",)}', "config.method.learning_rate='fast' is of another type"),
        ('{"train.epochs": (2.5,)}', "config.train.epochs=2.5 is of another type"),
        ('{"method.learning_rate": (-1.0,)}', "config.method.learning_rate=-1.0 is not a number"),
    ],
)
def test_mistakes_in_a_sweep_are_one_line(toy_data, tmp_path, capsys, space, words):
    code, _, err = call(tmp_path, capsys, space)
    assert code == 2
    assert err.count("\n") == 1
    assert words in err
    assert not (tmp_path / "run").exists()


def test_a_winner_without_test_inputs_is_not_scored():
    summary = sweep._summary([{"metrics": {}}], protocols.find("gzsl"))
    assert sweep._summary_lines(summary, 1) == "\nnothing is scored without test inputs"
