"""A workdir is bound to what made it: other data, another run's states and another setting's results are refused."""

import dataclasses
import functools
import inspect
import json
import pathlib
import shutil

import conftest
import jax
import numpy as np
import pytest
import toy
import toy_runs

from zsl_jax import __main__, config, config_keys, data, encoders, errors, methods, rules
from zsl_jax.data import few_shot, json_files
from zsl_jax.training import phases, problems, protocols, selection, states, sweeps, trained
from zsl_jax.verbs import sweep as sweep_verb


def edited(part: str) -> data.Dataset:
    """The toy dataset with one thing changed."""
    source = toy.dataset(num_seen=8)
    inputs, labels, table, splits = source.inputs.copy(), source.labels.copy(), source.classes, dict(source.splits)
    if part == "a number of an input":
        inputs[3, 2] += 1e-3
    elif part == "a label":
        labels[splits["train"][0]] = labels[splits["train"][-1]]
    elif part == "a description":
        embedding = table.embedding.copy()
        embedding[4, 1] += 1e-3
        table = dataclasses.replace(table, embedding=embedding)
    elif part == "a name":
        table = dataclasses.replace(table, names=("okapi", *table.names[1:]))
    elif part == "a split":
        splits["test_seen"] = splits["test_seen"][1:]
    return dataclasses.replace(source, inputs=inputs, labels=labels, classes=table, splits=splits)


EDITS = ("a number of an input", "a label", "a description", "a name", "a split")


@pytest.fixture(scope="module")
def made():
    return toy_runs.recipe("ale")


@pytest.fixture(scope="module")
def finished(made, tmp_path_factory):
    """A finished run, and one that was told to stop in its first phase."""
    folder = tmp_path_factory.mktemp("workdir")
    record = toy_runs.train(folder / "finished", made).record
    asked = iter(range(1000))
    with pytest.raises(errors.Stopped):
        toy_runs.train(folder / "stopped", made, should_stop=lambda: next(asked) == 3)
    assert not (folder / "stopped" / "record.json").exists()
    assert list((folder / "stopped").rglob("manifest.json"))
    return folder, record


def contents(folder: pathlib.Path) -> dict[str, tuple]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.long
@pytest.mark.parametrize("part", EDITS)
def test_other_data_in_the_same_workdir_are_refused(part, made, finished, monkeypatch, capsys):
    """By the library and by the verb, whether the run is finished or stopped; nothing there is touched."""
    folder, _ = finished
    before = contents(folder)
    (folder / "recipe.py").write_text(
        "import toy_runs\ndef get_config(argument=None):\n    return toy_runs.recipe('ale')\n"
    )
    monkeypatch.setattr(data, "load", lambda **options: edited(part))
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent))
    for name in ("finished", "stopped"):
        with pytest.raises(errors.UserError, match=r"holds a run on other data \(sha256 \w{12} there, \w{12} here\)"):
            toy_runs.train(folder / name, made, edited(part))
    line = ["train", f"--config={folder / 'recipe.py'}", f"--workdir={folder / 'finished'}"]
    assert __main__.main(line) == 2
    err = capsys.readouterr().err
    assert "holds a run on other data" in err
    assert err.count("\n") == 1
    (folder / "recipe.py").unlink()
    assert contents(folder) == before


def test_the_same_data_are_not(made, finished):
    folder, record = finished
    toy_runs.train(folder / "stopped", made, edited("nothing"))
    again = json.loads((folder / "stopped" / "record.json").read_text())
    assert again["state_sha256"] == record["state_sha256"]
    assert again["selection"] == record["selection"]


SWEEP = """
import toy_runs
def get_config(argument=None):
    return toy_runs.recipe("ale", **{"sweep.seeds": 1, "plots": "none"})
def sweep():
    return {"method.learning_rate": (0.5, 1.0)}
"""


def test_a_sweep_on_other_data_or_after_another_winner_is_refused(tmp_path, monkeypatch, capsys):
    """Settings are made up, so that none is trained."""
    (tmp_path / "recipe.py").write_text(SWEEP)
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent))
    asked = []

    def made_up(config, points, workdir, *, source=None):
        asked.append(points)
        return []

    monkeypatch.setattr(sweeps, "run_trials", made_up)
    line = ["sweep", f"--config={tmp_path / 'recipe.py'}", f"--workdir={tmp_path / 'sweep'}"]
    for part in ("nothing", "a label"):
        monkeypatch.setattr(data, "load", lambda part=part, **options: edited(part))
        if part == "nothing":
            with pytest.raises(ValueError, match="empty"):  # no trial is a winner
                __main__.main(line)
        else:
            assert __main__.main(line) == 2
    err = capsys.readouterr().err
    assert "holds a run on other data" in err
    assert len(asked) == 1
    monkeypatch.setattr(data, "load", lambda **options: edited("nothing"))
    winner = toy_runs.recipe("ale", **{"sweep.seeds": 1, "parallel.devices": 1})
    toy_runs.train(tmp_path / "sweep" / "seed_0", winner)
    (record,) = sweep_verb._train_winner(winner, tmp_path / "sweep")
    assert record["method"] == "ale"
    other = toy_runs.recipe("ale", **{"method.learning_rate": 0.7, "sweep.seeds": 1, "parallel.devices": 1})
    with pytest.raises(errors.UserError, match=r"another config \(method\.learning_rate is"):
        sweep_verb._train_winner(other, tmp_path / "sweep")


def test_a_state_of_another_run_is_not_used(made, finished, tmp_path):
    """Neither of other data nor of another config: the checkpoint says what it belongs to."""
    folder, _ = finished
    other = toy_runs.recipe("ale", seed=1)
    toy_runs.train(tmp_path / "seed", other)
    toy_runs.train(tmp_path / "edited", made, edited("a number of an input"))
    lines = []
    for name in ("edited", "seed"):
        mixed = tmp_path / f"mixed_{name}"
        shutil.copytree(folder / "finished", mixed)
        shutil.rmtree(mixed / "checkpoints" / "finished")
        shutil.copytree(tmp_path / name / "checkpoints" / "finished", mixed / "checkpoints" / "finished")
        with pytest.raises(errors.UserError, match="has no whole checkpoint"):
            trained.load(mixed, say=lines.append)
    assert [line.partition("its ")[2].partition(" ")[0] for line in lines if "another run" in line] == [
        "data",
        "config",
    ]
    changed = tmp_path / "changed"
    shutil.copytree(folder / "finished", changed)
    edit(changed / "record.json", lambda record: record.update(json_files.sealed(record | {"state_sha256": "0" * 64})))
    with pytest.raises(errors.UserError, match="is not the one of its record"):
        trained.load(changed)
    assert trained.load(folder / "finished").classes.names


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


CHANGED = {
    "gamma of the record": ("record.json", lambda found: found["selection"].update(gamma=9.0)),
    "a key of the config": ("config.json", lambda found: found["normalize"].update(inputs="none")),
    "what the data are": ("config.json", lambda found: found.update(made_of={})),
    "gamma that was chosen": ("selection.json", lambda found: found.update(gamma=9.0)),
    "a choice of another run": ("selection.json", lambda found: found.update(json_files.sealed(found, "another"))),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_in_a_workdir_is_not_used(what, made, finished, tmp_path):
    name, change = CHANGED[what]
    folder = tmp_path / "run"
    shutil.copytree(finished[0] / "finished", folder)
    edit(folder / name, change)
    if name == "selection.json":
        (folder / "record.json").unlink()
    with pytest.raises(errors.UserError, match=rf"{name} was changed since it was written"):
        toy_runs.train(folder, made) if name == "selection.json" else trained.load(folder)


DRAWS = ("select", "select_1")


def _without_seal(**changes):
    """The record of an older version, which has no seal, with other values at dotted names."""

    def change(record):
        del record["sha256"]
        for name, value in changes.items():
            *path, last = name.split("__")
            functools.reduce(dict.__getitem__, path, record)[last] = value

    return "record.json", change


OLDER = {
    "gamma": (_without_seal(selection__gamma="x"), "selection.gamma is 'x', not a number"),
    "temperature": (_without_seal(selection__temperature=[1]), r"selection.temperature is \[1\], not a number"),
    "a late knob": (_without_seal(selection__late={"hue": 1.0}), "no method can be made of what .*unexpected .* 'hue'"),
    "no shape": (_without_seal(dataset__inputs__shape=None), "no method can be made of what"),
    "another shape": (_without_seal(dataset__inputs__shape=[]), "no method can be made of|no whole checkpoint"),
    "a type": (_without_seal(dataset__inputs__dtype="x"), "no method can be made of what .*data type 'x'"),
    "made of": (_without_seal(made_of={"data": None}), "made_of holds something else than hashes"),
    "a section": (("config.json", lambda found: found.update(precision={})), "config.precision is a value, not a sec"),
    "a number": (("config.json", lambda found: found["profile"].update(steps=5)), "config.profile.steps=5 is not"),
}


@pytest.mark.parametrize("what", OLDER)
def test_what_an_older_record_may_hold_is_one_line(what, finished, tmp_path):
    (name, change), says = OLDER[what]
    shutil.copytree(finished[0] / "finished", tmp_path / "run")
    edit(tmp_path / "run" / name, change)
    with pytest.raises(errors.UserError, match=says) as raised:
        trained.load(tmp_path / "run", say=lambda line: None)
    assert "\n" not in str(raised.value)


@pytest.mark.long
def test_several_draws_choose_together_and_resume_to_the_same_choice(tmp_path):
    made = toy_runs.recipe("ale", **{"select.folds": 3})
    source = toy.dataset(num_seen=12)
    record = toy_runs.train(tmp_path / "straight", made, source).record
    chosen = record["selection"]
    assert (chosen["draws"], len(chosen["classes"]), len(set(chosen["classes"]))) == (3, 9, 9)
    assert [len(names) for names in chosen["held_out"]] == [3, 3, 3]
    assert np.std(chosen["drawn"]["gamma"]) > 0, "each draw has a constant of its own"
    there = next(entry for entry in chosen["history"] if entry["epochs"] == chosen["epochs"])
    assert chosen["deviation"] == there["deviation"]
    best = max(entry["harmonic"] for entry in chosen["history"])
    assert next(e for e in chosen["history"] if e["epochs"] == chosen["epochs"])["harmonic"] == best
    assert all(entry["deviation"]["harmonic"] >= 0 for entry in chosen["history"])
    entries = [json.loads(line) for line in (tmp_path / "straight" / "metrics.jsonl").read_text().splitlines()]
    phases_there = list(dict.fromkeys(entry["phase"] for entry in entries))
    assert phases_there == ["select", "select_1", "select_2", "train"]

    # The constant is the best of the mean over the draws, not of one of them.
    travelling = phases.Run(made, tmp_path / "straight")
    choosing, _ = protocols.GZSL.tasks(source, made)
    rows = [selection._read_rows(travelling, number, chosen["epochs"], None, None) for number in range(3)]

    def mean(gamma):
        reports = [
            protocols.GZSL.report(found, protocols.GZSL.facts(task.classes), {"gamma": gamma})
            for found, task in zip(rows, choosing)
        ]
        return np.mean([report["gzsl"]["calibrated"]["harmonic"] for report in reports])

    alone = [float(protocols.GZSL.choose(*stacked(found, task))["gamma"]) for found, task in zip(rows, choosing)]
    assert len(set(alone)) > 1, "the draws must differ for this to mean something"
    assert all(mean(chosen["gamma"]) >= mean(gamma) - 0.02 for gamma in (*alone, np.mean(alone)))

    # Told to stop in two of the draws, it goes on to the same.
    asked, stops, folder = iter(range(10**6)), {4, 13}, tmp_path / "stopped"
    count = 0
    while not (folder / "record.json").exists():
        try:
            toy_runs.train(folder, made, source, should_stop=lambda: next(asked) in stops)
        except errors.Stopped:
            count += 1
    again = json.loads((folder / "record.json").read_text())
    assert count == len(stops)
    assert again["selection"] == chosen
    assert again["state_sha256"] == record["state_sha256"]

    # Scores of another draw, or of another run, in the place of those that the choice is made on.
    (folder / "selection.json").unlink()
    own, other = (folder / "checkpoints" / draw / "rows" / f"{chosen['epochs']:06d}.npz" for draw in DRAWS)
    own.write_bytes(other.read_bytes())
    with pytest.raises(
        errors.UserError, match=r"npz was changed since it was written, .*: delete .*checkpoints/select,"
    ):
        toy_runs.train(folder, made, source)
    own.unlink()
    with pytest.raises(errors.UserError, match=r"npz is gone: delete"):
        toy_runs.train(folder, made, source)


def stacked(rows, task):
    facts = protocols.GZSL.facts(task.classes)
    return jax.tree.map(lambda x: np.asarray(x)[None], ({n: r._replace(id=None) for n, r in rows.items()}, facts))


def tilted(*, tilt: float = 0.0, learning_rate: float = 1.0) -> methods.Method:
    """ALE, whose scores are the lower the longer the description: `tilt` touches nothing that is trained."""
    inner = methods.ale(learning_rate=learning_rate)

    def scores(state, images, described):
        lengths = (described**2).sum(axis=1)
        return inner.scores(state, images, described) - tilt * lengths[None, :]

    return inner._replace(scores=scores)


@pytest.fixture
def with_tilted(monkeypatch):
    monkeypatch.setitem(methods.METHODS, "tilted", tilted)
    any_number = rules.Knob("what it is", rules.number(-100))
    monkeypatch.setitem(methods.KNOBS, "tilted", {"tilt": any_number, "learning_rate": any_number})


@pytest.mark.long
def test_a_late_knob_is_chosen_without_training_again(with_tilted, tmp_path):
    given = {"normalize.classes": "none", "train.epochs": 1, "select.metric": "zsl"}
    alone = {
        tilt: toy_runs.train(tmp_path / str(tilt), toy_runs.recipe("tilted", **given, **{"method.tilt": tilt})).record
        for tilt in (0.0, 50.0)
    }
    scores = {tilt: record["selection"]["history"][0]["zsl"] for tilt, record in alone.items()}
    best = max(scores, key=scores.get)
    assert len(set(scores.values())) > 1, scores
    made = toy_runs.recipe("tilted", **given, **{"method.tilt": 50.0})
    made.late = {"tilt": (50.0, 0.0)}
    record = toy_runs.train(tmp_path / "late", made).record
    found = record["selection"]["late"]["tilt"]
    assert scores[found] == scores[best]
    assert found != 50.0
    assert record["selection"]["history"][0]["zsl"] == pytest.approx(scores[found])
    assert record["metrics"] == alone[found]["metrics"]
    assert record["state_sha256"] == alone[0.0]["state_sha256"] == alone[50.0]["state_sha256"]
    lines = (tmp_path / "late" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["phase"] for line in lines] == ["select", "train"], "one training for all values"
    assert trained.load(tmp_path / "late").record["selection"]["late"] == {"tilt": found}


def test_keys_that_came_later_make_no_other_run_at_their_defaults():
    """Workdirs from before a key existed are still read: keys_of_first_frame.json has those that are in every one."""
    there = json.loads((conftest.ROOT / "tests" / "keys_of_first_frame.json").read_text())
    assert {name for name in config_keys.KEYS if not phases.is_same_run(name)} - set(there) == set(phases.LATER)
    made = toy_runs.recipe("ale")
    before = phases.config_sha256(made)
    for name, value in (phases.LATER | phases.LATER_IN_SECTIONS).items():
        section, _, key = name.rpartition(".")
        assert default_of(name, section, key) == value
        other = made.copy_and_resolve_references().unlock()
        if section and section not in other:
            other[section] = {}
        (other[section] if section else other)[key] = value
        assert phases.config_sha256(other) == before
        (other[section] if section else other)[key] = type(value)(1) if value != 1 else type(value)(2)
        assert phases.config_sha256(other) != before


def default_of(name, section, key):
    """Of a key that all configs share, or of a knob of a method, an encoder or the optimiser."""
    if name in config_keys.KEYS:
        return config_keys.KEYS[name].default
    factories = {"method": methods.METHODS, "encoder": encoders.ENCODERS}.get(section, {}).values()
    known = {inspect.signature(make).parameters[key].default for make in factories if takes(make, key)}
    config_of = {"towers": ("eszsl", "texts")}.get(section, ("label_embedding",))
    (default,) = known or {config.base(*config_of)[section][key]}
    return default


def takes(make, key):
    return key in inspect.signature(make).parameters


LATE = {
    "a step": ("ale", "learning_rate", "training depends on method.learning_rate"),
    "finish": ("eszsl", "feature_ridge", "training depends on method.feature_ridge"),
    "no knob": ("ale", "margins", "unknown late knob 'margins': did you mean 'margin'"),
    "a size": ("csls", "neighbours", "how large arrays are depends on method.neighbours"),
    "a length": ("transclip", "rounds", "how large arrays are depends on method.rounds"),
}


@pytest.mark.parametrize("case", LATE)
def test_a_knob_that_reaches_the_state_is_not_late_and_nothing_is_written(case, tmp_path):
    name, knob, words = LATE[case]
    made = toy_runs.recipe(name)
    made.late = {knob: (0.1, 1.0)}
    with pytest.raises(errors.UserError, match=words):
        toy_runs.train(tmp_path / "run", made)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_few_shot_trains_on_the_classes_that_have_shots(tmp_path):
    """`trained` is more than the seen classes; the unseen ones stay unseen in every number."""
    made = toy_runs.recipe("ale", **{"few_shot.shots": 2})
    source = toy.dataset(num_seen=8)
    record = toy_runs.train(tmp_path / "run", made, source).record
    counts = record["dataset"]["counts"]
    assert (counts["seen_classes"], counts["unseen_classes"], counts["trained_classes"]) == (8, 3, 11)
    assert (record["setting"], record["sees"]) == ("few-shot", ["shots"])
    assert sum(entry["seen"] for entry in record["per_class"].values()) == 8
    task = few_shot.few_shot(data.test_task(source), 2)
    training = states.Training(problems.make_method(made), task, jax.random.key(0), 16, None)
    assert len(training.classes) == 11
    assert set(np.unique(training.examples.labels)) == set(range(11))
    model = trained.load(tmp_path / "run")
    assert model.classes.trained == 11
    assert int(np.sum(model.classes.is_seen)) == 8
