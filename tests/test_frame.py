"""The frame carries problems of eight kinds, none of which the trainer knows: see toy_frame.py.

Each is trained, chosen, scored under its protocol, resumed to the same bits, swept, used on a class that is new, and
leaves a record that a report puts into the right table.
"""

import dataclasses
import json

import jax
import numpy as np
import pytest
import toy_frame

from zsl_jax import config as config_lib
from zsl_jax import data, errors, methods
from zsl_jax.data import input_files, json_files
from zsl_jax.methods import base, registry
from zsl_jax.training import (
    checkpoints,
    hashes,
    loop,
    parallel,
    phases,
    predicting,
    problems,
    protocols,
    reading,
    reports,
    run,
    states,
    sweeps,
    trained,
)

NAMES = sorted(toy_frame.TOYS)
SHORT = ("toy_pairs",)


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in NAMES]
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def toy(name):
    """The toy, whose method and data have names while its tests run."""
    found = toy_frame.TOYS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.METHODS, name, found.factory)
        patch.setitem(registry.KNOBS, name, toy_frame.KNOBS[name])
        dataset = found.dataset()
        patch.setattr(data, "load", lambda **options: dataset)
        yield found


def make_config(name, toy, **overrides):
    config = config_lib.base(name, "digits")
    config.protocol, config.select.metric, config.plots = toy.protocol, toy.metric, "none"
    config.train.update(epochs=6, batch_size=16, checkpoint_every=1)
    config.normalize.update(inputs="none", classes="none")
    config.parallel.devices = 1  # several are asked below
    config.select.update(every=3, folds=1)
    for knob, values in toy.late.items():
        config.late[knob] = values
    config.update_from_flattened_dict(overrides)
    config_lib.check(config)
    return config.lock()


@pytest.fixture(scope="module")
def finished(name, toy, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("frame") / "run"
    return workdir, run.run(make_config(name, toy), workdir, say=lambda line: None)


def test_it_is_solved_under_its_protocol(name, toy, finished):
    workdir, result = finished
    record = json.loads((workdir / "record.json").read_text())
    assert record["protocol"] == toy.protocol
    assert record == json.loads(json.dumps(json_files.sealed(result.record)))
    first = protocols.find(toy.protocol).schema[0]
    assert protocols.value(record["metrics"], first) > toy.floor
    wanted = {"toy_transductive": "instance-transductive", "toy_prompt": "pretrained", "toy_texts": "pretrained"}
    assert record["setting"] == wanted.get(name, "inductive")
    if toy.late:
        assert record["selection"]["late"]["pull"] in toy.late["pull"]


@pytest.mark.long
def test_what_is_chosen_does_not_know_the_test(name, toy, finished, tmp_path):
    dataset = data.load()
    labels = dataset.labels.copy()
    for split in set(dataset.splits) - {"train", "validation"}:
        labels[dataset.splits[split]] = np.roll(labels[dataset.splits[split]], 5, axis=0)
    shuffled = dataclasses.replace(dataset, labels=labels)
    problem = problems.make_problem(make_config(name, toy))._replace(dataset=shuffled)
    record = run.run(make_config(name, toy), tmp_path / "run", say=lambda line: None, problem=problem).record
    assert record["selection"] == finished[1].record["selection"]
    assert record["state_sha256"] == finished[1].record["state_sha256"]
    if toy.protocol != "pairs":  # whose closed world is made of the pairs of the labels
        assert record["metrics"] != finished[1].record["metrics"]


@pytest.mark.long
def test_what_is_chosen_does_not_know_the_unseen_columns_of_many_labels(name, toy, finished, tmp_path):
    """Of labels `[N, C]` a training input has a column for every unseen class too."""
    dataset = data.load()
    if dataset.labels.ndim == 1:
        pytest.skip("an input of this toy has one label")
    labels, unseen = dataset.labels.copy(), np.flatnonzero(~dataset.classes.is_seen)
    labels[:, unseen] = np.roll(labels[:, unseen], (5, 1), axis=(0, 1))
    assert np.any(labels[dataset.splits["train"]] != dataset.labels[dataset.splits["train"]])
    problem = problems.make_problem(make_config(name, toy))
    problem = problem._replace(dataset=dataclasses.replace(dataset, labels=labels))
    record = run.run(make_config(name, toy), tmp_path / "run", say=lambda line: None, problem=problem).record
    assert record["selection"] == finished[1].record["selection"]
    assert record["state_sha256"] == finished[1].record["state_sha256"]
    assert record["metrics"] != finished[1].record["metrics"]


@pytest.mark.long
def test_a_stopped_run_ends_in_the_same_bits(name, toy, finished, tmp_path):
    asked = iter(range(1000))
    config, stops = make_config(name, toy), 0
    while stops < 4:
        try:
            result = run.run(config, tmp_path, say=lambda line: None, should_stop=lambda: next(asked) % 5 == 4)
            break
        except errors.Stopped:
            stops += 1
    else:
        result = run.run(config, tmp_path, say=lambda line: None)
    assert stops > 0 or toy.factory().update is None
    for field in ("state_sha256", "selection", "metrics", "per_class"):
        assert result.record[field] == finished[1].record[field], field


@pytest.mark.long
def test_its_settings_are_swept_side_by_side(name, toy, tmp_path):
    points = [{"method.learning_rate": rate} for rate in (0.01, 0.05)]
    if toy.protocol == "transfer":
        with pytest.raises(errors.UserError, match="chooses nothing"):
            sweeps.selection_tasks(make_config(name, toy))
        return
    config = make_config(name, toy, **{"train.epochs": 2, "sweep.side_by_side": 8})
    config = config_lib.from_json(json.loads(config.to_json()) | {"late": {}})
    trials = sweeps.run_trials(config, points, tmp_path)
    assert all(np.isfinite(trial[toy.metric]) and trial[toy.metric] >= 0 for trial in trials)
    # A lane is a run of its own.
    tasks = sweeps.selection_tasks(config)
    problem = problems.make_problem(sweeps.overridden(config, points[1]))
    travelling = phases.Run(sweeps.overridden(config, points[1]), tmp_path)
    training = travelling.training(problem.method, tasks[0], "select", problem.mesh)
    *_, (_, state, _) = loop.fit(training, epochs=trials[1]["epochs"])
    evaluate = problems_evaluator(problem, tasks[0])
    scored = evaluate(loop.finish(training, state))
    metric = problem.protocol.choices()[toy.metric]
    assert trials[1][toy.metric] == pytest.approx(protocols.value(scored.metrics, metric), abs=1e-4)


def problems_evaluator(problem, task):
    from zsl_jax.training import evaluation

    return evaluation.make_evaluate(problem.method, task, problem.mesh, protocol=problem.protocol)


def test_classes_that_are_new_are_predicted(name, toy, finished):
    model = trained.load(finished[0])
    table, inputs, wanted = toy_frame.renamed(data.load())
    found = list(predicting.predict(model, table, [input_files.Block(wanted, inputs)], top=3))
    assert {candidate.name for candidate in found[0].candidates} <= set(table.names)
    if toy.protocol != "multilabel":
        right = [prediction.candidates[0].name == own for prediction, own in zip(found, wanted, strict=True)]
        assert np.mean(right) > 0.5
    if model.method.together is not None:
        from zsl_jax.training import exporting

        with pytest.raises(errors.UserError, match="decides on all inputs together"):
            exporting.export(model, table, finished[0] / "out.zip")


def test_a_report_puts_it_into_its_own_table(name, toy, finished):
    (column,) = reports.collect(reading.load([finished[0]])).columns
    assert column.protocol.name == toy.protocol
    (row,) = column.rows
    assert (row.method, row.sees) == (name, tuple(finished[1].record["sees"]))


def test_evaluate_gives_the_same_numbers(name, toy, finished):
    assert run.evaluate(make_config(name, toy), finished[0]).record["metrics"] == finished[1].record["metrics"]


def test_what_is_frozen_is_in_no_checkpoint(name, toy, finished):
    frozen = {"toy_prompt": toy_frame.TOWER, "toy_texts": toy_frame.WORDS}.get(name)
    if frozen is None:
        pytest.skip("this toy has nothing frozen")
    made_of = finished[1].record["made_of"]
    assert made_of["weights"] == hashes.tree_sha256(frozen)
    for manifest in finished[0].rglob("manifest.json"):
        content = json.loads(manifest.read_text())
        assert all(shape != list(frozen.shape) for shape, _ in content["arrays"].values())
        assert content["belongs"]["weights"] == made_of["weights"]


@pytest.mark.long
@pytest.mark.parametrize("mode", parallel.MODES)
def test_devices_change_nothing(mode, name, toy):
    """Eight devices in every mode against one, 2 epochs."""
    if toy.factory().update is None:
        pytest.skip("nothing is trained")
    dataset, config = data.load(), make_config(name, toy)
    (task, *_), _ = protocols.find(toy.protocol).tasks(dataset, config)

    def train(mesh, mode):
        training = states.Training(toy.factory(), task, jax.random.key(0), 16, mesh, mode)
        *_, (_, state, _) = loop.fit(training, epochs=2)
        return jax.device_get(base.split(loop.finish(training, state))[0])

    one = train(parallel.make_mesh(devices=1), "jit")
    many = train(parallel.make_mesh(mode=mode), mode)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5), one, many)


def test_weights_are_held_once_in_a_sweep():
    """Frozen leaves are mapped over no setting, seed or fold: a sweep of 2 x 2 x 3 holds one copy."""
    toy = toy_frame.TOYS["toy_prompt"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.METHODS, "toy_prompt", toy.factory)
        patch.setitem(registry.KNOBS, "toy_prompt", toy_frame.KNOBS["toy_prompt"])
        dataset = toy.dataset()
        patch.setattr(data, "load", lambda **options: dataset)
        config = make_config("toy_prompt", toy, **{"select.folds": 2, "select.seeds": 2})
        trainer = sweeps.Trainer(config, ["method.learning_rate"], sweeps.selection_tasks(config))
        moving, frozen, *_ = trainer.start([{"method.learning_rate": 0.1 * i} for i in (1, 2, 3)], 3)
    assert [leaf.shape for leaf in jax.tree.leaves(frozen)] == [toy_frame.TOWER.shape]
    assert all(toy_frame.TOWER.shape != leaf.shape[-2:] for leaf in jax.tree.leaves(moving))


def test_unlabelled_inputs_are_rows_of_training_and_prepare_comes_again():
    """A method that asks for test inputs gets those of the sets with the label -1, and is prepared every 2nd epoch."""
    dataset = toy_frame.attributes_dataset()
    task = data.test_task(dataset)

    def update(state, batch, classes, key):
        unknown = jnp_sum(batch.where & (batch.labels < 0))
        return state | {"seen": state["seen"] + unknown}, {"loss": unknown.astype("float32")}

    def jnp_sum(x):
        return jax.numpy.sum(x)

    method = methods.Method(
        init=lambda key, like, classes, weights: {"seen": jax.numpy.int32(0), "prepared": jax.numpy.int32(0)},
        prepare=lambda state, train, classes, key: state | {"prepared": state["prepared"] + 1},
        update=update,
        scores=lambda state, images, described: images @ described.T,
        sees=frozenset({"test inputs"}),
        refresh=2,
    )
    training = states.Training(method, task, jax.random.key(0), 16, parallel.make_mesh(devices=1))
    fitted = [jax.device_get(state) for _, state, _ in loop.fit(training, epochs=5)]
    unlabelled = sum(len(examples.labels) for examples in task.sets.values())
    assert [state["seen"] for state in fitted] == [unlabelled * epoch for epoch in range(1, 6)]
    assert [state["prepared"] for state in fitted] == [1, 1, 2, 2, 3]
    *_, (_, resumed, _) = loop.fit(training, epochs=5, start=(4, fitted[3]))
    assert resumed["prepared"] == 3


def test_checkpoints_are_bound_to_what_made_them(tmp_path):
    state, abstract = {"x": np.zeros(3)}, {"x": jax.ShapeDtypeStruct((3,), np.float32)}
    abstract = parallel.abstract(abstract, parallel.make_mesh(devices=1))
    state = parallel.replicate({"x": np.zeros(3, np.float32)}, parallel.make_mesh(devices=1))
    checkpoints.save(tmp_path, 1, state, belongs={"data": "a"})
    lines = []
    assert checkpoints.restore_latest(tmp_path, abstract, warn=lines.append, belongs={"data": "b"}) is None
    assert "belongs to another run: its data is a, not b" in lines[0]
    assert checkpoints.restore_latest(tmp_path, abstract, warn=lines.append, belongs={"data": "a"}).step == 1
