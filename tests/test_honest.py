"""Nothing that is chosen, and no state, depends on what a run must not see: for every method and in one way.

The test labels are permuted, the test inputs replaced by noise and the descriptions of unseen classes by others, all at
once. What a method asks for (`Method.sees`) it gets, and its record says so.
"""

import dataclasses
import inspect

import jax
import numpy as np
import pytest
import small_generative
import small_prompts
import small_tower
import test_cot
import toy
import toy_frame
import toy_runs

from zsl_jax import config, data, methods
from zsl_jax.encoders import ties
from zsl_jax.training import evaluation, loop, phases, protocols, states
from zsl_jax.training.protocols import base

# One by gradient and one in closed form in the short part.
SHORT = ("ale", "eszsl")
TRAINED = sorted(methods.METHODS.keys() - toy.OF_OTHER_DATA)
NAMES = [pytest.param(name, marks=() if name in SHORT else pytest.mark.long, id=name) for name in TRAINED]
# Data and protocol of the other methods; prompts not listed here learn before names.
OF_NAMES = (small_prompts.dataset, {}, "gzsl")
OTHERS = dict.fromkeys(toy.PROMPTS, OF_NAMES) | {
    "category_discovery": (toy.dataset, {}, "discovery"),
    "attribute_prompts": (small_prompts.dataset, {"patches": 2}, "gzsl"),
    "csp": (small_prompts.dataset, {"as_pairs": True}, "pairs"),
    "cot": (test_cot.source, {}, "pairs"),
    "label_embed_plus": (toy_frame.pairs_dataset, {}, "pairs"),
    "label_similarity": (toy.dataset, {"num_seen": 8, "num_features": 8}, "gzsl"),
    "lbl2vec": (toy.dataset, {"num_seen": 8, "num_features": 8}, "gzsl"),
    "symnet": (toy_frame.pairs_dataset, {}, "pairs"),
    "two_heads": (toy_frame.pairs_dataset, {}, "pairs"),
}


def altered(source: data.Dataset, *, descriptions: bool, inputs_too: bool = True) -> data.Dataset:
    """The same training part, and a test that has nothing to do with it."""
    rng = np.random.default_rng(7)
    inputs, labels, table = source.inputs.copy(), source.labels.copy(), source.classes
    for name in set(source.splits) & {"test", "test_seen", "test_unseen"}:
        rows = source.splits[name]
        labels[rows] = rng.permutation(source.labels[rows])
        if inputs_too:
            noise = rng.standard_normal(inputs[rows].shape)
            inputs[rows] = 100 * abs(noise) if inputs.dtype == np.uint8 else noise
    if descriptions:
        known = [source.labels[source.splits[name]] for name in source.splits if name == "validation"]
        unseen = ~table.is_seen & ~np.isin(np.arange(len(table)), np.concatenate([*known, []]))
        given = {"embedding": table.embedding} | ({} if table.parts is None else {"parts": table.parts})
        table = dataclasses.replace(table, **{name: _described(rng, x, unseen) for name, x in given.items()})
    return dataclasses.replace(source, inputs=inputs, labels=labels, classes=table)


def _described(rng: np.random.Generator, rows: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Unseen rows by noise, or where they are numbers of words or parts by each other's."""
    rows = rows.copy()
    integer = np.issubdtype(rows.dtype, np.integer)
    rows[unseen] = np.roll(rows[unseen], 1, axis=0) if integer else rng.standard_normal(rows[unseen].shape)
    return rows


@pytest.fixture(scope="module")
def honest():
    return toy.dataset(num_seen=8)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_must_not_see_moves_nothing(name, honest, tmp_path):
    made = toy_runs.recipe(name)
    check_blind(made, toy_runs.problem(honest, made), tmp_path)


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    """Where a small text tower is, and the tie from its texts to the inputs."""
    folder = tmp_path_factory.mktemp("tower")
    ties.write(folder / "tie.npz", small_tower.prompted(16).tie)
    return {"text": str(small_tower.write(folder / "tower")), "tie": str(folder / "tie.npz")}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_it_moves_nothing_on_pairs_names_and_texts_either(name, tower, tmp_path):
    source, options, protocol = OTHERS[name]
    made = toy_runs.recipe(name, **{"protocol": protocol, "train.epochs": 1})
    made.select.metric = {"pairs": "auc", "discovery": "discovered"}.get(protocol, made.select.metric)
    if "towers" in made:
        made.towers.update(tower)
    if name == "cot":  # which needs maps of images
        made.encoder = config.encoder_section("convnet") | {"widths": (4, 6, 8), "merges": (2, 2, 1), "weights": ""}
        made.normalize.inputs = "none"
    check_blind(made, toy_runs.problem(source(**options), made), tmp_path)


def check_blind(made, problem, tmp_path):
    """Runs a config on honest data, and where all that it must not see is other."""
    asks = problem.method.sees
    # What trains on test inputs must not move with their labels.
    unasked = {"descriptions": "unseen descriptions" not in asks, "inputs_too": "test inputs" not in asks}
    blind = problem._replace(dataset=altered(problem.dataset, **unasked))
    one, other = (
        toy_runs.train(tmp_path / folder, made, problem=given).record
        for folder, given in (("honest", problem), ("blind", blind))
    )
    assert other["selection"] == one["selection"]
    assert other["state_sha256"] == one["state_sha256"]
    for record in (one, other):
        if record["protocol"] == "gzsl":
            assert record["metrics"]["gzsl"]["calibrated"]["gamma"] == np.float32(record["selection"]["gamma"])
    assert other["metrics"] != one["metrics"], "the test must have changed for this to mean something"
    seen = asks | ({"test inputs"} if problem.method.together is not None else set())  # what decides on all at once
    seen |= {"other data"} if jax.tree.leaves(problem.method.weights()) else set()
    assert one["sees"] == sorted(seen)
    by = {"test inputs": "instance-transductive", "unseen descriptions": "class-transductive"}
    by["other data"] = "pretrained"
    assert one["setting"] == next((by[name] for name in by if name in seen), "inductive")


def test_every_method_is_covered():
    assert {*TRAINED, *OTHERS} == methods.METHODS.keys()


@pytest.mark.parametrize("folds", [1, 3, 0])
def test_what_choices_are_made_on_holds_nothing_of_the_test(folds, honest):
    """Also the descriptions of unseen classes, for which some methods ask in training."""
    made = toy_runs.recipe("ale", **{"select.folds": folds})
    choosing, final = protocols.GZSL.tasks(honest, made)
    others, other = protocols.GZSL.tasks(altered(honest, descriptions=True), made)
    assert len(choosing) == (folds or 5), "five draws where nobody says how many, and no benchmark names classes"
    assert [task.classes.names for task in choosing] == [task.classes.names for task in others]
    jax.tree.map(
        np.testing.assert_array_equal, *([(t.train, t.sets, t.classes) for t in c] for c in (choosing, others))
    )
    jax.tree.map(np.testing.assert_array_equal, final.train, other.train)
    assert not np.array_equal(final.sets["test_unseen"].inputs, other.sets["test_unseen"].inputs)


def test_how_many_draws_are_made():
    """Several where one would be noise, one where the benchmark names the classes."""
    made = toy_runs.recipe("ale", **{"select.folds": 0})
    assert base.folds(made, 40) == 5
    assert base.folds(made, 3) == 3
    assert base.folds(made, 40, named=True) == 1
    assert base.folds(toy_runs.recipe("ale", **{"select.folds": 2}), 40, named=True) == 2


def test_the_temperature_of_a_run_is_that_of_its_calibrated_scores(honest, tmp_path):
    made = toy_runs.recipe("ale", **{"train.epochs": 1})
    problem = toy_runs.problem(honest, made)
    record = toy_runs.train(tmp_path / "run", made, problem=problem).record
    (task,), _ = protocols.GZSL.tasks(honest, made)
    there = phases.Run(made, tmp_path / "run", made_of=record["made_of"])
    training = there.training(problem.method, task, "select", problem.mesh)
    state = loop.finish(training, there.restore("select", states.abstract_state(training)).state)
    evaluate = evaluation.make_evaluate(problem.method, task, problem.mesh)
    chosen = record["selection"]
    fitted = {gamma: evaluate.temperature(state, evaluate(state, {"gamma": gamma})) for gamma in (chosen["gamma"], 0.0)}
    assert chosen["temperature"] == pytest.approx(fitted[chosen["gamma"]], rel=1e-4)
    assert abs(fitted[0.0] / chosen["temperature"] - 1) > 0.01, "the constant must matter for this to mean something"


def test_every_method_takes_the_small_knobs():
    for name, knobs in small_generative.KNOBS.items():
        assert set(knobs) <= set(inspect.signature(methods.factory(name)).parameters)
