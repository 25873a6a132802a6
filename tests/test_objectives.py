"""Every loss of the table trains the bilinear map; names, sums, knobs and functions of your own are what they say."""

import dataclasses
import functools
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small_trainer
import toy
import toy_runs

from zsl_jax import config, data, errors, losses, methods
from zsl_jax.data import dataset as dataset_lib
from zsl_jax.methods import objectives
from zsl_jax.training import problems, sweeps
from zsl_jax.verbs import command_line

SHORT = ("supervised_contrastive",)
# Seven classes are soon learned by heart: these forget the unseen ones at a step size of 0.01.
RATES = {
    "sigmoid_contrastive": 0.003,
    "self_calibration": 0.003,
    "batch_self_calibration": 0.003,
    "cosent": 0.005,
    "triplet_ratio": 0.005,
}
SIZES = {"conditional_hard_negatives": (250, 64)}  # steps and images per batch; (200, 32) for the others
KNOBS = {"arcface": {"margin": 0.1, "scale": 24.0}}  # the defaults are for faces, see docs/atlas.md
# Images of one class are negatives of each other, most of them where a batch holds few classes: batches of one of each.
DISTINCT = ("sigmoid_contrastive",)
TEXTS = {name: name if loss.alone else f"info_nce+0.1*{name}" for name, loss in methods.LOSSES.items()}
NAMES = [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in TEXTS]


def test_every_public_loss_is_a_choice_or_says_what_stands_in_the_way():
    functions = {name for name in losses.__all__ if not inspect.isclass(getattr(losses, name))}
    assert functions == {*objectives.LOSSES, *objectives.ELSEWHERE}
    assert not set(objectives.LOSSES) & set(objectives.ELSEWHERE)


@pytest.mark.parametrize("name", methods.LOSSES)
def test_knobs_have_a_default_that_is_allowed(name):
    loss = methods.LOSSES[name]
    assert loss.kind.says
    assert set(loss.values) <= set(loss.knobs)
    assert set(loss.learned) <= set(loss.knobs)
    for knob, (says, rule) in loss.knobs.items():
        assert rule.holds(loss.defaults[knob]), (knob, loss.defaults[knob], rule.words)
        assert says
    # What a table does not name keeps the value of the function, which must have one.
    parameters = inspect.signature(loss.function).parameters.values()
    needed = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    assert needed <= set(loss.knobs)


@functools.cache
def digits() -> data.Task:
    return data.test_task(data.load("digits"))


@functools.cache
def on_toy():
    task = data.test_task(toy.dataset())
    rows = np.random.default_rng(1).permutation(len(task.train.labels))[:16]
    batch = data.Batch(task.train.inputs[rows], task.train.labels[rows], np.arange(16) < 12)
    return task, batch, np.random.default_rng(2).standard_normal((10, 8)).astype(np.float32)


@functools.cache
def read_out() -> data.Task:
    """The digits as attributes that ridge regression reads off them: inputs and descriptions are of one space."""
    task = digits()
    x, described = np.asarray(task.train.inputs), np.asarray(task.classes.embedding)
    reads = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ described[task.train.labels]).astype(np.float32)
    parts = (task.train, *task.sets.values())
    train, *sets = (part._replace(inputs=np.asarray(part.inputs) @ reads) for part in parts)
    return dataclasses.replace(task, train=train, sets=dict(zip(task.sets, sets)))


@functools.cache
def on_digits(distinct: bool, raw: bool, steps: int, size: int):
    """Batches, and class tables: descriptions as they are, and two times with every class described as another."""
    task, rng = read_out() if raw else digits(), np.random.default_rng(0)
    inputs, labels = np.asarray(task.train.inputs), np.asarray(task.train.labels)
    rows = rng.integers(0, len(labels), (steps, size))
    if distinct:
        rows = [[rng.choice(np.flatnonzero(labels == c)) for c in range(task.num_seen)] for _ in range(steps)]
    rows, described = np.asarray(rows), np.asarray(task.classes.embedding)
    others = [described[rng.permutation(len(described))] for _ in range(2)]
    return data.Batch(inputs[rows], labels[rows], np.ones(rows.shape, bool)), np.stack([described, *others])


@functools.partial(jax.jit, static_argnums=0)
def trained_and_scored(method, train, batches, tables, inputs):
    """`[3, N, 3]` scores of unseen classes, of a training on each of the tables."""

    def on(described):
        table = dataclasses.replace(digits().classes, embedding=described)
        classes = small_trainer.training_classes(method, table)

        def step(state, numbered):
            number, batch = numbered
            return method.update(state, batch, classes, jax.random.fold_in(small_trainer.KEY, number))[0], None

        state = small_trainer.started(method, jax.tree.map(lambda x: x[0], batches), train, classes)
        state, _ = jax.lax.scan(step, state, (jnp.arange(len(batches.where)), batches))
        state = method.finish(state, train, classes, small_trainer.KEY)
        return methods.score(method, state, inputs, table[digits().num_seen :])

    return jax.vmap(on)(tables)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_trains_beats_permuted_descriptions_and_is_the_same_on_two_devices(name):
    """On real images: a training of its own on the descriptions of other classes, side by side in one program."""
    task = read_out() if methods.LOSSES[name].kind.raw else digits()
    unseen, size = task.sets["test_unseen"], SIZES.get(name, (200, 32))
    batches, tables = on_digits(name in DISTINCT, methods.LOSSES[name].kind.raw, *size)
    loss = objectives.make(TEXTS[name], **KNOBS.get(name, {}))
    method = methods.normalized(methods.bilinear(loss=loss, learning_rate=RATES.get(name, 0.01)))
    found = np.asarray(trained_and_scored(method, task.train, batches, tables, unseen.inputs))
    assert np.isfinite(found).all()
    right, *controls = (small_trainer.top1(scores, unseen.labels, first=task.num_seen) for scores in found)
    # Among three classes a chance of one in three.
    assert right > 0.42, right
    assert right > max(controls), (right, controls)
    assert right > np.mean(controls) + 0.1, (right, controls)
    check_divided(name, task, jax.tree.map(lambda x: np.resize(x[0], (8, *x.shape[2:])), batches))


def check_divided(name: str, task: data.Task, batch: data.Batch) -> None:
    """Of 8 rows the last 2 only fill up. A loss that cannot be divided says so, and its rows are gathered."""
    objective, batch = objectives.make(TEXTS[name]), batch._replace(where=np.arange(8) < 6)
    classes = task.classes if objective.sees else task.classes[: task.classes.num_trained]
    shape = batch.inputs.shape[1], classes.embedding.shape[1]
    weights = np.random.default_rng(2).standard_normal(shape).astype(np.float32)

    def share(weights, given):
        compared = objectives.of_batch(given.inputs @ weights, classes.embedding, given, classes, small_trainer.KEY)
        return jnp.sum(objective.loss(compared), where=given.where) / jnp.sum(batch.where)

    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:2])
    spec = jax.sharding.PartitionSpec

    def of_device(weights, given):
        given = given._replace(axis_name=dataset_lib.AxisName("data"))
        varying = jax.lax.pcast(weights, "data", to="varying")
        return jax.lax.psum(jax.value_and_grad(share)(varying, given), "data")

    on_two = jax.shard_map(of_device, mesh=mesh, in_specs=(spec(), spec("data")), out_specs=spec())

    @jax.jit
    def both(weights, batch):
        whole = jax.value_and_grad(share)(weights, batch)
        return whole, on_two(weights, batch) if objective.divides else whole

    whole, divided = both(weights, batch)
    assert np.isfinite(whole[0])
    assert np.isfinite(whole[1]).all()
    assert np.abs(whole[1]).max() > 1e-6
    for one, other in zip(divided, whole):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_a_sum_is_the_weighted_sum_of_its_terms():
    task, batch, weights = on_toy()
    classes = task.classes[: task.classes.num_trained]
    given = objectives.of_batch(batch.inputs @ weights, classes.embedding, batch, classes, small_trainer.KEY)
    found = objectives.make("warp+0.5*alignment", **{"warp.margin": 2.0, "alignment.weight": 0.25}).loss(given)
    scores = given.images @ classes.embedding.T
    expected = losses.warp(scores, batch.labels, margin=2.0)
    expected += 0.25 * losses.alignment(given.images, given.own, where=batch.where)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert objectives.section("warp+0.5*alignment") == {
        "warp": {"weight": 1.0, "margin": 1.0},
        "alignment": {"weight": 0.5, "power": 2.0},
    }


def test_how_scores_are_compared_is_what_the_first_loss_says():
    assert objectives.make("cosface+0.1*warp").unit
    assert not objectives.make("warp+0.1*cosface").unit
    assert objectives.make("warp").from_zero
    assert not objectives.make("warp+0.1*cosface").from_zero


def squared(scores, labels, *, width: float = 2.0):
    return jnp.sum((scores - width * jax.nn.one_hot(labels, scores.shape[1])) ** 2, axis=1)


def of_a_batch(embeddings, labels):
    return jnp.sum(embeddings, axis=1)


def test_a_function_of_your_own_by_name_and_from_python():
    name = f"{__name__}:squared"
    made = command_line.recipe("bilinear:digits", {"method.loss": name, "loss.width": "3"})
    assert made.loss.to_dict() == {"width": 3.0}
    task, batch, _ = on_toy()
    states = [
        small_trainer.steps(method, task, batch, count=2)[0]
        for method in (
            problems.make_method(made),
            methods.normalized(methods.bilinear(loss=functools.partial(squared, width=3.0))),
            methods.normalized(methods.by_bilinear(name, optax.adam(0.01))),
        )
    ]
    same = [np.allclose(states[0].inner.params, state.inner.params) for state in states]
    assert same == [True, True, False], "the third has the default width"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"method.loss": "circel"}, "unknown loss 'circel': did you mean 'circle'"),
        ({"method.loss": "circle", "loss.scal": "3"}, "did you mean 'loss.scale'"),
        ({"method.loss": "circle", "loss.scale": "-3"}, "config.loss.scale=-3.0 is not a number in (0, inf)"),
        ({"method.loss": "uniformity"}, "add it to a loss, such as softmax_cross_entropy+0.1*uniformity"),
        ({"method.loss": "warp+warp"}, "names a loss twice"),
        ({"method.loss": "2 warp"}, "'2warp' is no loss"),
        ({"method.loss": "gradient_penalty"}, "of a critic of features"),
        ({"method.loss": "no_module:f"}, "No module named 'no_module'"),
        ({"method.loss": f"{__name__}:missing"}, "has no function missing"),
        ({"method.loss": f"{__name__}:digits"}, "takes (): a loss takes one of (scores, labels)"),
        ({"method.loss": f"{__name__}:of_a_batch"}, "takes where=[B]"),
        ({"method.loss": "warp+0.1*entailment", "loss.entailment.weight": "-1"}, "is not a number in [0, inf)"),
    ],
)
def test_what_is_wrong_is_one_line(overrides, says):
    with pytest.raises(errors.UserError) as caught:
        command_line.recipe("bilinear:digits", overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_knob_of_another_loss_cannot_be_swept():
    made = command_line.recipe("bilinear:digits", {"method.loss": "circle"})
    changed = sweeps.overridden(made, {"method.loss": "warp", "loss.margin": 0.5})
    assert (changed.method.loss, changed.loss.to_dict()) == ("warp", {"margin": 0.5})
    with pytest.raises(errors.UserError, match=r"config\.loss\.scale: the loss warp has no such knob"):
        sweeps.overridden(made, {"method.loss": "warp", "loss.scale": 3.0})


def test_loss_and_knobs_survive_json_and_reach_the_scorer():
    made = command_line.recipe("csls:digits", {"scorer.name": "bilinear", "scorer.loss": "circle", "loss.scale": "9"})
    again = config.from_json(json.loads(made.to_json()))
    assert again.loss.scale == 9.0
    assert problems.make_method(again).update is not None


@pytest.mark.long
def test_knobs_of_the_loss_are_swept_side_by_side(tmp_path):
    """Two scales in one program are what each of them is alone."""
    source = toy.dataset(num_seen=8)
    made = command_line.recipe(
        "bilinear:digits", {"method.loss": "info_nce", "train.epochs": "2", "train.batch_size": "16"}
    )
    points = [{"loss.temperature": value} for value in (0.05, 0.5)]
    assert all(sweeps.is_knob(made, key) for key in points[0])
    together = sweeps.run_trials(made, points, tmp_path / "together", source=source)
    alone = sweeps.run_trials(sweeps.overridden(made, points[1]), [{}], tmp_path / "alone", source=source)
    assert together[1]["harmonic"] == pytest.approx(alone[0]["harmonic"], abs=1e-6)
    assert together[0] | {"setting": None} != together[1] | {"setting": None}


def test_descriptions_of_unseen_classes_are_asked_for():
    assert methods.bilinear(loss="warp+0.1*self_calibration").sees == {"unseen descriptions"}
    assert not methods.bilinear(loss="warp").sees
    for method in (methods.bilinear, functools.partial(methods.label_embedding, small_trainer.small_parts())):
        assert method(loss="quasi_fully_supervised").sees == {"unseen descriptions", "test inputs"}
    table = dataclasses.replace(on_toy()[0].classes)
    assert table.num_trained < len(table)


def test_inputs_without_a_label_reach_the_terms_that_ask_for_them_and_no_others():
    task, batch, weights = on_toy()
    labels = np.where(np.arange(16) % 3, batch.labels, -1).astype(np.int32)
    images = jnp.asarray(batch.inputs @ weights)
    embedding = jnp.asarray(task.classes.embedding)

    def parts(images, labels, where=batch.where):
        given = objectives.of_batch(
            images, embedding, data.Batch(images, labels, where), task.classes, small_trainer.KEY
        )
        return objectives.make("info_nce+0.5*uniformity+2*quasi_fully_supervised").parts(given)

    found, others = parts(images, labels), parts(jnp.where(labels[:, None] < 0, -images, images), labels)
    plain = parts(images, np.maximum(labels, 0), batch.where & (labels >= 0))
    is_labelled = labels >= 0
    for number in (0, 1):
        np.testing.assert_allclose(found[number], others[number], rtol=1e-5)
        np.testing.assert_allclose(found[number], np.where(is_labelled, plain[number], 0.0), rtol=1e-5)
    scores = np.asarray(similarity_of(images, embedding), np.float64)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wanted = np.where(is_labelled, shares[np.arange(16), labels], shares[:, task.classes.num_trained :].sum(axis=1))
    np.testing.assert_allclose(found[2], -2 * np.log(wanted), rtol=1e-4)


def similarity_of(images, classes):
    """Cosines: the first term of the sum compares unit vectors."""
    lengths = np.linalg.norm(images, axis=1)[:, None] * np.linalg.norm(classes, axis=1)[None, :]
    return np.asarray(images) @ np.asarray(classes).T / lengths


@pytest.mark.long
def test_a_run_that_learns_from_unlabelled_inputs_says_so(tmp_path):
    made = toy_runs.recipe("bilinear", **{"method.loss": "quasi_fully_supervised"})
    record = toy_runs.train(tmp_path / "run", made).record
    assert (record["setting"], record["sees"]) == ("instance-transductive", ["test inputs", "unseen descriptions"])
    assert record["metrics"]["zsl"]["top1"] > 0.4


def test_gates_in_training_open_where_descriptions_agree():
    task = data.test_task(toy.dataset())
    images = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
    batch = data.Batch(images, np.array([0, 1, 1, 3, 2]), np.array([True, True, True, False, True]))
    given = objectives.of_batch(images, task.seen_classes.embedding, batch, task.seen_classes, small_trainer.KEY)
    found = objectives.make("softmax_cross_entropy+1*gated_contrastive").parts(given)[1]
    z = images / np.linalg.norm(images, axis=1, keepdims=True)
    phi = task.seen_classes.embedding[batch.labels]
    phi /= np.linalg.norm(phi, axis=1, keepdims=True)
    gates = 1 / (1 + np.exp(-8 * phi * phi[[1, 2, 3, 4, 0]]))
    where = np.array([True, True, False, False, True])
    expected = losses.gated_contrastive(z, z[[1, 2, 3, 4, 0]], gates, temperature=0.1, where=where)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.long
def test_tags_are_the_attributes_as_they_came():
    task = data.test_task(toy.dataset(num_seen=12, num_unseen=4, per_class=16))
    inputs = task.train.inputs
    method = methods.bilinear(loss="multi_tag_softmax")
    state, values = small_trainer.steps(
        method, task, data.Batch(inputs[:32], task.train.labels[:32], np.ones(32, bool)), count=30
    )
    assert values[-1] < 0.8 * values[0]
    assert state.params.shape == (8, inputs.shape[1]), "in attributes, and not in the span of the classes"
    with pytest.raises(errors.UserError, match="two_tower embeds them"):
        small_trainer.make("two_tower", loss="multi_tag_softmax")
