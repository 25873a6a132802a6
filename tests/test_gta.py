"""GTA: the first map, pseudo-labels and pairs by naive numpy, texts that are added once, runs that stop and resume."""

import dataclasses
import functools
import importlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_tower
import toy
import toy_runs

from zsl_jax import data, errors, methods
from zsl_jax.encoders import described, towers
from zsl_jax.verbs import command_line

gta_clip = importlib.import_module("zsl_jax.methods.gta_clip")

SLOTS, TOP = 4, 3
KNOBS = {
    "start": 1,
    "add": 2,
    "top": TOP,
    "learning_rate": 0.05,
    "density": 0.5,
    "temperature": 6.0,
    "seen_penalty": 1.0,
}


def of_texts(table: data.ClassTable, *, slots=SLOTS, seed=3) -> data.ClassTable:
    """The classes by noisy copies of their descriptions, fewer for some of them."""
    rng = np.random.default_rng(seed)
    shape = (len(table), slots, table.embedding.shape[1])
    texts = table.embedding[:, None] + 0.4 * rng.standard_normal(shape)
    is_text = np.arange(slots)[None] < 1 + (np.arange(len(table)) % slots)[:, None]
    embedding = {"texts": (texts * is_text[..., None]).astype(np.float32), "is_text": is_text}
    return dataclasses.replace(table, embedding=embedding)


@functools.cache
def source() -> data.Dataset:
    made = toy.dataset(num_seen=8)
    return dataclasses.replace(made, classes=of_texts(made.classes))


@functools.cache
def problem() -> tuple[data.Examples, data.ClassTable]:
    """Labelled inputs, then those of the tests without labels, and all classes."""
    task = data.test_task(source())
    sets = task.sets.values()
    labels = [task.train.labels, *(np.full(len(examples.labels), -1, np.int32) for examples in sets)]
    inputs = [task.train.inputs, *(examples.inputs for examples in sets)]
    return data.Examples(np.concatenate(inputs), np.concatenate(labels)), task.classes


def batch(rows) -> data.Batch:
    train, _ = problem()
    return data.Batch(train.inputs[rows], train.labels[rows], np.ones(len(rows), bool))


def prepared(method, *, times=1, train=None):
    given, classes = problem()
    train = given if train is None else train
    state = method.init(jax.random.key(0), batch(np.arange(6)), classes, ())
    prepare = jax.jit(method.prepare)
    for number in range(times):
        state = prepare(state, train, classes, jax.random.key(number))
    return state


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def test_the_first_map_is_the_ridge_from_texts_to_mean_images():
    train, classes = problem()
    state = prepared(methods.gta_clip(**KNOBS, ridge=0.2))
    x, texts = unit(train.inputs - train.inputs.mean(0)), classes.embedding["texts"][:, 0]
    labelled = np.unique(train.labels[train.labels >= 0])
    e = unit(texts)[labelled]
    targets = unit(np.stack([x[train.labels == c].mean(0) for c in labelled]))
    rows = e - e.mean(0)
    strength = 0.2 * np.sum(rows**2) / len(rows)
    expected = np.linalg.solve(rows.T @ rows + strength * np.eye(rows.shape[1]), rows.T @ targets)
    np.testing.assert_allclose(state["map"], expected, atol=2e-4)
    np.testing.assert_allclose(state["text_mean"], e.mean(0), atol=1e-6)


def decided(method, state):
    """z of the inputs without labels as `transclip` has them around a state, labelled images being fixed."""
    train, classes = problem()
    around = methods.transclip(method, density=0.5, temperature=6.0, seen_penalty=1.0, labelled=1.0)
    finished = around.finish(state, train, classes, jax.random.key(0))
    images, described = around.embed(finished, train.inputs), around.describe(finished, classes)
    return np.exp(around.together(finished, images, train.labels < 0, described, jax.random.key(0)))


@pytest.mark.long
def test_pseudo_labels_are_the_likeliest_unlabelled_inputs_of_the_transduction():
    method = methods.gta_clip(**(KNOBS | {"add": 0}))
    state = prepared(method)
    train, classes = problem()
    z = decided(method, state) * (train.labels < 0)[:, None]
    images = unit(train.inputs - train.inputs.mean(0))
    for c in range(len(classes)):
        rows = np.argsort(-z[:, c], kind="stable")[:TOP]
        assert np.all(train.labels[rows] == -1)
        np.testing.assert_allclose(state["pseudo"][c], images[rows], atol=1e-5)
    np.testing.assert_array_equal(state["unlabelled"], ~np.isin(np.arange(len(classes)), train.labels))


def test_votes_are_of_inputs_that_hesitate_between_two_classes():
    shares = np.random.default_rng(0).dirichlet(np.ones(5), 60).astype(np.float32)
    expected = np.zeros((5, 5))
    for row in shares:
        second, first = np.argsort(row)[-2:]
        if row[first] - row[second] < 0.1:
            expected[first, second] += 1
            expected[second, first] += 1
    assert expected.sum() > 4
    np.testing.assert_array_equal(gta_clip.pair_votes(jnp.asarray(shares)), expected)
    assert gta_clip.pair_votes(jnp.ones((3, 1))).tolist() == [[0]]


def test_confused_classes_show_more_texts_and_a_pair_is_asked_about_once():
    method, (_, classes) = methods.gta_clip(**KNOBS), problem()
    is_text = classes.embedding["is_text"]
    first = prepared(method)
    assert first["asked"].any()
    number = 1 + 2 * np.asarray(first["asked"]).sum(1)
    np.testing.assert_array_equal(first["shown"].sum(1), np.minimum(number, is_text.sum(1)))
    again = prepared(method, times=3)
    assert np.all(again["asked"] | ~first["asked"])
    np.testing.assert_array_equal(again["shown"].sum(1), np.minimum(1 + 2 * again["asked"].sum(1), is_text.sum(1)))
    assert not (again["shown"] & ~is_text).any()


def test_a_function_of_the_host_writes_texts_for_new_pairs():
    asked = []

    def write(pairs, texts, shown):
        asked.append(pairs)
        texts, shown = texts.copy(), shown.copy()
        for row in np.flatnonzero(pairs.any(axis=1)):
            free = np.flatnonzero(~shown[row])[:1]
            texts[row, free], shown[row, free] = 7.0, True
        return texts, shown

    given = {name: value for name, value in KNOBS.items() if name != "add"}
    rest = {"ridge": 0.3, "scale": 20.0}
    state = prepared(gta_clip.by_rounds(gta_clip.asking(write), **given, **rest), times=2)
    assert len(asked) == 2
    assert asked[0].any()
    assert not (asked[0] & asked[1]).any()
    np.testing.assert_array_equal(np.asarray(state["asked"]), asked[0] | asked[1])
    written = np.asarray(state["texts"] == 7.0).all(axis=2)
    np.testing.assert_array_equal(written.any(axis=1), state["asked"].any(axis=1))
    assert written.sum() == (asked[0].any(1).astype(int) + asked[1].any(1)).sum()


@pytest.mark.long
def test_a_step_descends_on_labelled_and_pseudo_labelled_rows_alone():
    train, _ = problem()
    method = methods.gta_clip(**KNOBS)
    state, update = prepared(method), jax.jit(method.update)
    rows = np.array([0, 20, 40, len(train.labels) - 1])
    one, metrics = update(state, batch(rows), None, jax.random.key(3))
    other = batch(rows)
    other.inputs[3] = 100.0  # without a label
    again, same = update(state, other, None, jax.random.key(3))
    np.testing.assert_array_equal(again["map"], one["map"])
    assert same["loss"] == metrics["loss"]
    other.inputs[0] += 1.0
    assert abs(update(state, other, None, jax.random.key(3))[1]["loss"] - metrics["loss"]) > 1e-4
    still = methods.gta_clip(**(KNOBS | {"learning_rate": 0.0})).update(state, batch(rows), None, jax.random.key(3))[0]
    np.testing.assert_array_equal(still["map"], state["map"])
    losses = [float(metrics["loss"])]
    for number in range(30):
        state, metrics = update(state, batch(np.arange(60)), None, jax.random.key(number))
        losses.append(float(metrics["loss"]))
    assert np.mean(losses[-5:]) < losses[0]


def test_the_loss_of_a_step_is_its_formula():
    """With one text per class, which is the one that is drawn, and one class without labels, one row of it."""
    train, classes = problem()
    one_text = {"texts": classes.embedding["texts"][:, :1], "is_text": np.ones((len(classes), 1), bool)}
    classes = dataclasses.replace(classes, embedding=one_text)
    method = methods.gta_clip(**(KNOBS | {"top": 1}), scale=5.0)
    state = method.init(jax.random.key(0), batch(np.arange(6)), classes, ())
    state = jax.jit(method.prepare)(state, train, classes, jax.random.key(0))
    last = len(classes) - 1
    state = state | {"unlabelled": jnp.zeros(len(classes)).at[last].set(1.0)}
    rows = np.array([3, 30, len(train.labels) - 2])
    loss = method.update(state, batch(rows), classes, jax.random.key(0))[1]["loss"]
    texts = one_text["texts"][:, 0] - np.asarray(state["text_mean"])
    vectors = unit(texts @ np.asarray(state["map"]))
    images = unit(train.inputs[rows] - train.inputs.mean(0))
    pseudo = (np.asarray(state["pseudo"])[last, 0], last)
    terms = []
    for image, label in [(images[0], train.labels[3]), (images[1], train.labels[30]), pseudo, pseudo, pseudo]:
        logits = 5.0 * vectors @ image
        terms.append(np.log(np.exp(logits).sum()) - logits[label])
    np.testing.assert_allclose(loss, np.mean(terms), rtol=1e-4)


@pytest.mark.long
def test_a_class_that_the_run_did_not_know_shows_its_first_texts():
    _, classes = problem()
    method = methods.gta_clip(**KNOBS)
    state = prepared(method, times=2)
    new = of_texts(dataclasses.replace(classes, embedding=-np.asarray(classes.embedding["texts"][:, 0])), seed=5)
    found = method.describe(state, new)
    matrix, mean = np.asarray(state["map"]), np.asarray(state["text_mean"])
    np.testing.assert_allclose(found, unit((new.embedding["texts"][:, 0] - mean) @ matrix), atol=1e-5)
    shown = np.asarray(state["shown"])
    row = int(np.argmax(shown.sum(1)))
    assert shown[row].sum() > 1
    known = method.describe(state, classes[[row]])
    all_shown = unit((classes.embedding["texts"][row] - mean) @ matrix)
    np.testing.assert_allclose(known[0], unit(all_shown[shown[row]].mean(0)), atol=1e-5)


UGLY = {
    "one input without a label": lambda train: np.r_[np.flatnonzero(train.labels >= 0), len(train.labels) - 1],
    "none": lambda train: np.flatnonzero(train.labels >= 0),
    "equal inputs": lambda train: np.r_[np.flatnonzero(train.labels >= 0), np.full(9, len(train.labels) - 1)],
    "fewer inputs than pseudo-labels": lambda train: np.array([0, len(train.labels) - 1]),
}


@pytest.mark.parametrize("kind", UGLY)
def test_few_inputs_leave_everything_finite(kind):
    train, _ = problem()
    rows = UGLY[kind](train)
    method = methods.gta_clip(**KNOBS)
    state = prepared(method, train=data.Examples(train.inputs[rows], train.labels[rows]))
    state, metrics = method.update(state, batch(np.arange(6)), None, jax.random.key(0))
    assert np.isfinite(metrics["loss"])
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))


def test_bad_tables_and_inputs_are_refused_in_a_line():
    _, classes = problem()
    method, like = methods.gta_clip(), batch(np.arange(4))
    empty = {
        "texts": classes.embedding["texts"],
        "is_text": classes.embedding["is_text"] & (np.arange(11) != 2)[:, None],
    }
    with pytest.raises(errors.UserError, match=f"class {classes.names[2]} of the table has no texts"):
        method.init(jax.random.key(0), like, dataclasses.replace(classes, embedding=empty), ())
    with pytest.raises(errors.UserError, match=r"or by one vector, \[C, E\]; this table has another form"):
        method.init(jax.random.key(0), like, dataclasses.replace(classes, embedding=np.zeros((11, 3), int)), ())
    pixels = like._replace(inputs=np.zeros((4, 2, 2), np.float32))
    with pytest.raises(errors.UserError, match=r"takes features, an input \[F\] each, not inputs \[2, 2\]"):
        method.init(jax.random.key(0), pixels, classes, ())
    wide = of_texts(dataclasses.replace(classes, embedding=np.ones((11, 8), np.float32)), slots=5)
    state = prepared(methods.gta_clip(**KNOBS))
    with pytest.raises(errors.UserError, match=r"a class has texts \[5, 8\], in training it had \[4, 8\]"):
        method.describe(state, wide)


def test_texts_of_a_file_are_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tower = towers.load_text_tower(small_tower.write(tmp_path / "tower"))
    path = tmp_path / "texts.json"
    path.write_text(json.dumps({"red star": ["It is red.", "It shines.", "It is far."], "blue dot": ["It is blue."]}))
    options = described.Options(by="texts", texts=str(path), each=2)
    found = described.Describer(tower, options)(["001.red_star", "blue-dot"])
    assert found["is_text"].tolist() == [[True, True], [True, False]]
    np.testing.assert_allclose(found["texts"][0], unit(tower.encode(["It is red.", "It shines."])), atol=1e-5)
    np.testing.assert_allclose(found["texts"][1, 0], unit(tower.encode(["It is blue."]))[0], atol=1e-5)
    assert not found["texts"][1, 1].any()
    with pytest.raises(errors.UserError, match="no texts of 'green'"):
        described.Describer(tower, options)(["green"])


def recipe():
    made = toy_runs.recipe("transclip")
    made.scorer = {**command_line.recipe("gta_clip:digits", {}).scorer, **KNOBS, "learning_rate": 0.002}
    made.method.labelled = 1.0
    made.late = {"temperature": (0.2, 0.6)}
    return made


@pytest.mark.long
def test_a_run_in_rounds_stops_and_goes_on_and_sees_no_test_label(tmp_path):
    whole = toy_runs.train(tmp_path / "whole", recipe(), source()).record
    assert whole["setting"] == "instance-transductive"
    assert whole["sees"] == ["test inputs", "unseen descriptions"]
    assert whole["metrics"]["zsl"]["top1"] > 0.5
    asked = iter(range(10_000))
    stopped = False
    try:
        toy_runs.train(tmp_path / "stopped", recipe(), source(), should_stop=lambda: next(asked) == 12)
    except errors.Stopped:
        stopped = True
    assert stopped
    resumed = toy_runs.train(tmp_path / "stopped", recipe(), source()).record
    labels = source().labels.copy()
    test = np.concatenate([source().splits["test_seen"], source().splits["test_unseen"]])
    labels[test] = np.random.default_rng(0).permutation(labels[test])
    for name in ("state_sha256", "selection", "metrics"):
        assert resumed[name] == whole[name], name
    other = dataclasses.replace(source(), labels=labels)
    is_sound = dataclasses.replace(other, splits=source().splits)
    permuted = toy_runs.train(tmp_path / "permuted", recipe(), is_sound).record
    assert permuted["selection"] == whole["selection"]
    assert permuted["state_sha256"] == whole["state_sha256"]
    assert permuted["metrics"] != whole["metrics"]
