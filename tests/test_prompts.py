"""Prompts before a frozen tower: what a text is, what is learned, what stays, and what is refused."""

import contextlib
import dataclasses
import functools
import json
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_prompts
import small_tower
import small_trainer
import toy_runs
from scipy import optimize

from zsl_jax import __main__, data, errors, methods
from zsl_jax.encoders import described, prompts, ties
from zsl_jax.methods import base
from zsl_jax.methods.prompts import coop, family, masked_tower
from zsl_jax.training import hashes, learned_words, loop, parallel, problems, protocols, run, scoring, states
from zsl_jax.verbs import command_line

# Knobs that suit the small problem, and what its hidden texts say in other words.
CASES = {
    "csp": ("csp", {"learning_rate": 0.05, "dropout": 0.1}, "names"),
    "learned_names": ("learned_names", {"learning_rate": 0.05, "pull": 0.1}, "names"),
    "linear_probe": ("linear_probe", {"learning_rate": 0.05, "weight_decay": 0.1}, "names"),
    "coop_class": ("coop", {"learning_rate": 0.05, "context": "class", "pull": 0.1, "length": 3}, "context"),
    "coop_parts": ("coop", {"learning_rate": 0.05, "context": "parts", "position": "middle"}, "names"),
    "cocoop": ("cocoop", {"learning_rate": 0.02, "num_hidden": 4}, "context"),
    "bayesian_prompts": (
        "bayesian_prompts",
        {"learning_rate": 0.05, "spread": 0.05, "samples": 2, "test_samples": 3},
        "context",
    ),
    "amortised_prompts": (
        "bayesian_prompts",
        {"learning_rate": 0.02, "spread": 0.05, "samples": 2, "test_samples": 3, "amortised": 4},
        "context",
    ),
    "attribute_prompts": ("attribute_prompts", {"learning_rate": 0.05, "looks": 2}, "context"),
    "masked_tower": ("masked_tower", {"learning_rate": 0.05, "layers": 1}, "names"),
    "tip_adapter": ("tip_adapter", {}, "names"),
    "hand_prompt": ("hand_prompt", {}, "names"),
}
OF_PAIRS = ("csp", "coop_parts")
OF_PATCHES = ("attribute_prompts",)
OF_IMAGES = ("cocoop", "amortised_prompts")  # texts of each image


@functools.cache
def problem(name) -> data.Task:
    _, _, moved = CASES[name]
    kind = {"as_pairs": name in OF_PAIRS, "patches": 4 * (name in OF_PATCHES)}
    return data.test_task(small_prompts.dataset(moved=moved, **kind))


def make(name) -> methods.Method:
    factory, knobs, _ = CASES[name]
    return small_trainer.make(factory, **knobs)


@functools.cache
def finished(name):
    method, task = make(name), problem(name)
    if method.update is not None:
        return small_trainer.fitted(method, task, epochs=4 if name in OF_IMAGES else 12)
    like = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.ones(16, bool))

    @jax.jit
    def run(train, classes):
        state = small_trainer.started(method, like, train, classes)
        return method.finish(state, train, classes, small_trainer.KEY)

    return run(task.train, task.seen_classes)


@functools.cache
def compiled(name):
    method = make(name)
    return jax.jit(method.describe), jax.jit(lambda state, x, of: method.scores(state, method.embed(state, x), of))


def scores(name, inputs, classes):
    describe, compare = compiled(name)
    return np.asarray(compare(finished(name), inputs, describe(finished(name), classes)))


def renamed(name, classes: data.ClassTable) -> data.ClassTable:
    """The same classes under each other's names."""
    if name in OF_PAIRS:
        return dataclasses.replace(classes, parts=np.roll(classes.parts, 1, axis=0))
    return dataclasses.replace(classes, embedding=np.roll(classes.embedding, 1, axis=0))


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_classes_are_recognised_by_their_names_and_not_by_others(name):
    task = problem(name)
    unseen, seen = (task.sets[f"test_{side}"] for side in ("unseen", "seen"))
    right = small_trainer.top1(scores(name, unseen.inputs, task.unseen_classes), unseen.labels, first=task.num_seen)
    assert right > 0.6  # one in three by chance
    wrong = scores(name, unseen.inputs, renamed(name, task.unseen_classes))
    assert small_trainer.top1(wrong, unseen.labels, first=task.num_seen) < 0.4
    if make(name).update is not None:
        learned = small_trainer.top1(scores(name, seen.inputs, task.seen_classes), seen.labels)
        assert learned > small_trainer.top1(hand_scores(name, seen.inputs, task.seen_classes), seen.labels)


def hand_scores(name, inputs, classes):
    """Of the template as it is, around the same mean."""
    tower = small_tower.prompted(16)
    hand = jax.jit(lambda w, c: family.hand_written(tower, w, c))(tower.weights(), classes)
    return np.asarray(base.vector(make(name).embed(finished(name), inputs)) @ hand.T)


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_class_is_described_by_itself_or_the_method_says_otherwise(name):
    table, inputs, rows = problem(name).classes, problem(name).sets["test_unseen"].inputs[:7], [9, 2, 14]
    if "other candidates" in make(name).sees:
        pytest.skip("its scores depend on the other candidates")
    every, some = scores(name, inputs, table), scores(name, inputs, table[rows])
    np.testing.assert_allclose(some, every[:, rows], atol=2e-5)
    described = compiled(name)[0](finished(name), table)
    assert all(leaf.shape[0] == len(table) for leaf in jax.tree.leaves(described))


@pytest.mark.long
@pytest.mark.parametrize("name", ["csp", "bayesian_prompts", "linear_probe", "attribute_prompts"])
def test_two_halves_of_a_batch_give_the_update_of_the_whole_and_the_tower_stays(name):
    method, task = make(name), problem(name)
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.arange(16) < 12)
    state, _ = small_trainer.steps(method, task, batch)
    expected, metrics = jax.jit(method.update)(state, batch, task.seen_classes, small_trainer.KEY)

    @jax.jit
    def divided(state, halves, classes):
        def one(half):
            half = half._replace(axis_name=data.dataset.AxisName("halves"))
            return method.update(state, half, classes, small_trainer.KEY)

        return jax.vmap(one, axis_name="halves")(halves)

    halves = jax.tree.map(lambda x: x.reshape(2, -1, *x.shape[1:]), batch)
    found, found_metrics = divided(state, halves, task.seen_classes)
    (found, _), (expected, tower) = base.split(found), base.split(expected)
    for one, whole in zip(jax.tree.leaves((found, found_metrics)), jax.tree.leaves((expected, metrics))):
        np.testing.assert_allclose(one, np.stack([whole, whole]), rtol=1e-3, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, tower[0], small_tower.prompted(16).weights())


@pytest.mark.long
@pytest.mark.parametrize("name", ["csp", "coop_class", "cocoop", "linear_probe"])
def test_training_begins_at_the_template(name):
    """Every name is one token here, so that learned vectors begin as the tokens themselves."""
    task, tower = problem(name), small_tower.prompted(16)
    like = data.Batch(task.train.inputs[:4], task.train.labels[:4], np.ones(4, bool))
    method = small_trainer.make(CASES[name][0])
    state = jax.jit(lambda train, classes: small_trainer.started(method, like, train, classes))(
        task.train, task.seen_classes
    )
    found = jax.jit(lambda s, x, c: base.score(method, s, x, c))(state, like.inputs, task.classes)
    hand = jax.jit(lambda w, c: family.hand_written(tower, w, c))(tower.weights(), task.classes)
    centred = like.inputs - task.train.inputs.mean(axis=0)
    wanted = centred / np.linalg.norm(centred, axis=1, keepdims=True) @ np.asarray(hand).T
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_a_file_may_take_any_number_of_inputs(name):
    small_trainer.check_symbolic(make(name), problem(name))


def test_texts_of_pieces_are_those_of_the_tower():
    """Names of one to three tokens in one array, on either side of others, and in several blocks."""
    tower = small_tower.prompted()
    names = ["red star", "dot", "old green cat", "ring"]
    wanted = tower.tower.encode([f"a photo of a {name}." for name in names])
    ids = jnp.asarray(tower(names))
    encode = jax.jit(lambda w, x: family.hand_written(tower, w, data.ClassTable(x, np.ones(len(x), bool))))
    np.testing.assert_allclose(encode(tower.weights(), ids), wanted, atol=1e-6)
    many = encode(tower.weights(), jnp.tile(ids, (50, 1)))
    np.testing.assert_allclose(many, np.tile(wanted, (50, 1)), atol=1e-6)
    # A hole in the middle is none.
    apart = jnp.stack([ids[:, 0], jnp.full(4, prompts.NOTHING), *ids[:, 1:].T], axis=1)
    np.testing.assert_allclose(encode(tower.weights(), apart), wanted, atol=1e-6)
    np.testing.assert_array_equal(family.rows_among(apart, ids), np.arange(4))


def test_a_step_encodes_each_training_pair_once(monkeypatch):
    """Whatever the batch: texts are of classes, not of images."""
    task, method = problem("csp"), make("csp")
    seen, encode = [], prompts.PromptTower._in_blocks
    monkeypatch.setattr(prompts.PromptTower, "_in_blocks", lambda *given: seen.append(given[2].shape) or encode(*given))
    batch = data.Batch(task.train.inputs[:64], task.train.labels[:64], np.ones(64, bool))
    state = jax.eval_shape(lambda *g: small_trainer.started(method, *g), batch, task.train, task.seen_classes)
    jax.eval_shape(method.update, state, batch, task.seen_classes, small_trainer.KEY)
    assert seen == [(task.num_seen, 7)]  # a photo of a ATTRIBUTE OBJECT .


@pytest.mark.long
@pytest.mark.parametrize("name", ["learned_names", "linear_probe"])
def test_classes_that_are_added_leave_what_was_learned_as_it_is(name):
    task = problem(name)
    inputs = task.sets["test_seen"].inputs
    before = scores(name, inputs, task.seen_classes)
    both = scores(name, inputs, task.classes)
    np.testing.assert_array_equal(both[:, : task.num_seen], before)
    hand = hand_scores(name, inputs, task.classes)
    np.testing.assert_allclose(both[:, task.num_seen :], hand[:, task.num_seen :], atol=1e-5)
    assert np.abs(before - hand[:, : task.num_seen]).max() > 0.01


def test_a_mask_leaves_weights_out_and_its_gradient_goes_straight_through():
    rng = np.random.default_rng(0)
    tower = {f"layer_{i}": {"dense": {"kernel": rng.standard_normal((2, 3)), "bias": np.ones(3)}} for i in range(12)}
    assert set(masked_tower.matrices(tower, 2)) == {"layer_10/dense/kernel", "layer_11/dense/kernel"}
    with pytest.raises(errors.UserError, match=r"config.method.layers=13 is more than the tower has: 12"):
        masked_tower.matrices(tower, 13)
    scores = {"layer_11/dense/kernel": jnp.array([[0.3, -0.1, 0.0], [1.0, 2.0, jnp.nan]])}
    weights, found = tower["layer_11"]["dense"]["kernel"], masked_tower.masked(tower, scores)
    np.testing.assert_array_equal(found["layer_10"]["dense"]["kernel"], tower["layer_10"]["dense"]["kernel"])
    expected = np.float32(weights) * np.array([[1, 0, 0], [1, 1, np.nan]], np.float32)
    np.testing.assert_array_equal(found["layer_11"]["dense"]["kernel"], expected)

    def weighted(scores):
        return jnp.sum(
            masked_tower.masked(tower, scores)["layer_11"]["dense"]["kernel"] * jnp.arange(6.0).reshape(2, 3)
        )

    gradient = jax.grad(weighted)(scores)["layer_11/dense/kernel"]
    np.testing.assert_allclose(gradient, weights * np.arange(6).reshape(2, 3), rtol=1e-6)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_a_probe_begins_at_the_texts_and_is_held_near_them(weight_decay):
    """The second step sees what the first one moved: the loss has the squared distance in it."""
    task = problem("linear_probe")
    batch = data.Batch(task.train.inputs[:16], task.train.labels[:16], np.ones(16, bool))
    method = small_trainer.make("linear_probe", learning_rate=0.05, weight_decay=weight_decay)
    (state, (first,)), (_, losses) = (small_trainer.steps(method, task, batch, count=n) for n in (1, 2))
    tower = small_tower.prompted(16)
    hand = np.asarray(jax.jit(lambda w, c: family.hand_written(tower, w, c))(tower.weights(), task.seen_classes))
    vectors, images = np.asarray(state["params"]["vectors"]), np.asarray(method.embed(state, batch.inputs))
    distance = np.mean(np.sum((vectors - hand) ** 2, axis=1))
    assert 0.5 < distance / (16 * 0.05**2) <= 1.001  # Adam's first step is its step size where a gradient is

    def loss(vectors):
        logits = 20 * images @ vectors.T
        return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(16), batch.labels])

    assert first == pytest.approx(loss(hand), rel=1e-3)
    assert losses[1] == pytest.approx(loss(vectors) + weight_decay * distance, rel=1e-3)


@pytest.mark.long
def test_a_bayesian_prediction_is_a_mean_of_probabilities():
    name = "bayesian_prompts"
    task, knobs = problem(name), CASES[name][1]
    inputs = task.sets["test_seen"].inputs[:5]
    found = scores(name, inputs, task.classes)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-4)
    described = np.asarray(compiled(name)[0](finished(name), task.classes))
    assert described.shape[:2] == (len(task.classes), knobs["test_samples"])
    images = np.asarray(make(name).embed(finished(name), inputs))
    logits = 20 * np.einsum("bf,clf->lbc", images, described)
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    likely = (likely / likely.sum(-1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(np.exp(found), likely, rtol=1e-3, atol=1e-5)


@pytest.mark.long
def test_an_amortised_prompt_gives_each_image_contexts_of_its_own():
    """Against texts that are encoded one context at a time, and the divergence in its closed form."""
    name, rng = "amortised_prompts", np.random.default_rng(0)
    task, knobs, tower = problem(name), CASES[name][1], small_tower.prompted(16)
    method, weights = (
        small_trainer.make(CASES[name][0], **knobs, kl_weight=0.5),
        jax.tree.map(jnp.asarray, tower.weights()),
    )
    batch = data.Batch(task.train.inputs[:3], task.train.labels[:3], np.ones(3, bool))
    state, _ = small_trainer.steps(method, task, batch, count=0)
    network = [
        {k: 0.3 * rng.standard_normal(x.shape) for k, x in layer.items()} for layer in state["params"]["network"]
    ]
    network[1]["bias"] += np.repeat([0, 2 * np.log(knobs["spread"])], 12)
    params = state["params"] | {"network": jax.tree.map(jnp.float32, network)}
    state, classes = state | {"params": params}, task.classes[:2]
    images = np.asarray(method.embed(state, batch.inputs))
    hidden = np.maximum(images @ network[0]["weights"] + network[0]["bias"], 0)
    mean, log_variance = np.split(hidden @ network[1]["weights"] + network[1]["bias"], 2, axis=1)

    def expected(draws, key):
        noise = np.asarray(jax.random.normal(key, (draws, 12)))
        moved = mean[:, None] + np.exp(log_variance / 2)[:, None] * noise  # [B, L, D]
        contexts = np.asarray(params["context"]) + tower.spread * moved[:, :, None]
        flat = jnp.float32(np.repeat(contexts.reshape(-1, *contexts.shape[2:]), 2, axis=0))
        ids = jnp.tile(family.names(classes), (3 * draws, 1))
        texts = jax.jit(lambda c, i: coop.text(tower, weights, c, i))(flat, ids)
        likely = np.exp(20 * np.einsum("bf,blcf->blc", images, np.asarray(texts).reshape(3, draws, 2, 16)))
        return (likely / likely.sum(axis=-1, keepdims=True)).mean(axis=1)

    found = jax.jit(lambda s, x, c: base.score(method, s, x, c))(state, batch.inputs, classes)
    np.testing.assert_allclose(np.exp(found), expected(3, jax.random.key(0)), rtol=1e-3, atol=1e-5)
    batch = batch._replace(labels=np.array([0, 1, 1]), where=np.array([True, True, False]))
    _, metrics = jax.jit(method.update)(state, batch, classes, small_trainer.KEY)
    likely = expected(2, small_trainer.KEY)[[0, 1], [0, 1]]
    divergence = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2
    wanted = np.mean(-np.log(likely) + 0.5 * divergence[:2] / 12)
    assert float(metrics["loss"]) == pytest.approx(wanted, rel=1e-3)


@functools.cache
def by_texts() -> prompts.PromptTower:
    """The small tower with phrases on classes, of some two and of some one."""
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "texts.json").write_text(json.dumps({"red star": ["wings", "old stripes"], "dot": ["stripes"]}))
    options = described.Options(by="texts", texts=str(folder / "texts.json"))
    small = small_tower.prompted(16)
    return prompts.PromptTower(small.tower, small.tie, "a photo of a {}, which has {text}.", options)


@pytest.mark.long
@pytest.mark.parametrize("start", ["description", "nothing"])
def test_a_name_begins_as_the_mean_word_of_a_description_and_other_classes_have_theirs(start):
    tower = by_texts()
    ids, seen = tower(["red star", "dot"]), np.array([True, False])
    table = data.ClassTable(ids, seen, ("red star", "dot"))
    method = methods.factory("learned_names")(tower, start=start)
    like = data.Batch(np.zeros((3, 16), np.float32), np.zeros(3, np.int32), np.ones(3, bool))
    weights = jax.tree.map(jnp.asarray, tower.weights())
    state = method.init(small_trainer.KEY, like, table[:1], weights)
    words = tower.tower.tokenizer.encode("red star, which has wings red star, which has old stripes").ids
    mean = np.asarray(tower.words(weights, jnp.array(words))).mean(axis=0)
    found = np.asarray(state["params"]["names"])
    assert np.allclose(found, mean, atol=1e-6) == (start == "description")
    described = jax.jit(method.describe)(state, table)
    named = jax.jit(lambda w: tower.encode(weights, "prefix", tower.learned(w, 1), "suffix"))(found[:, None])
    np.testing.assert_allclose(described[0], named[0], atol=1e-5)
    written = tower.tower.encode(["a photo of a dot, which has stripes."]) - tower.tie.text_mean
    written = written @ tower.tie.map
    np.testing.assert_allclose(described[1], written[0] / np.linalg.norm(written), atol=1e-5)
    # A class of two texts that was not trained on has the mean of these.
    swapped = jax.jit(method.describe)(method.init(small_trainer.KEY, like, table[1:], weights), table)
    both = [f"a photo of a red star, which has {text}." for text in ("wings", "old stripes")]
    both = (tower.tower.encode(both) - tower.tie.text_mean) @ tower.tie.map
    both = (both / np.linalg.norm(both, axis=1, keepdims=True)).sum(axis=0)
    np.testing.assert_allclose(swapped[0], both / np.linalg.norm(both), atol=1e-5)


def test_attribute_prompts_score_a_whole_and_a_transport_of_its_parts():
    """Against plain sums, and a linear programme for the plan, on a class of two phrases and one of one."""
    tower, rng = by_texts(), np.random.default_rng(0)
    table = data.ClassTable(tower(["red star", "dot"]), np.ones(2, bool), ("red star", "dot"))
    assert (table.embedding >= 0).any(axis=2).tolist() == [[True, True], [True, False]]
    method = methods.factory("attribute_prompts")(tower, looks=3, weight=0.7, epsilon=0.003, iterations=500)
    inputs = rng.standard_normal((5, 4, 16)).astype(np.float32)
    like = data.Batch(inputs, np.zeros(5, np.int32), np.ones(5, bool))

    @jax.jit
    def scored(inputs, table, weights):
        state = method.init(small_trainer.KEY, like, table, weights)
        return state["params"]["queries"], base.score(method, state, inputs, table)

    queries, found = scored(inputs, table, tower.weights())
    sentences = [["red star, which has wings.", "red star, which has old stripes."], ["dot, which has stripes."]]
    texts = [tower.tie(unit(tower.tower.encode([f"a photo of a {s}" for s in some]))) for some in sentences]
    for row, image in enumerate(inputs):
        near = np.asarray(queries) @ unit(image).T
        attention = np.exp(near) / np.exp(near).sum(axis=1, keepdims=True)
        looks, whole = unit(attention @ image), unit(image.mean(axis=0))
        for column, of_class in enumerate(texts):
            cosines = looks @ of_class.T
            shares = [np.full(n, 1 / n) for n in cosines.shape]
            sums = [np.kron(np.eye(3), np.ones(len(of_class))), np.kron(np.ones(3), np.eye(len(of_class)))]
            best = -optimize.linprog(-cosines.ravel(), A_eq=np.vstack(sums), b_eq=np.concatenate(shares)).fun
            wanted = whole @ unit(of_class.sum(axis=0)) + 0.7 * best
            np.testing.assert_allclose(found[row, column], wanted, atol=5e-3)  # the plan is smoothed


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_texts_are_taken_as_many_as_are_asked_for_and_other_methods_refuse_them():
    tower, inputs = by_texts(), np.ones((2, 4, 16), np.float32)
    first = dataclasses.replace(tower, options=tower.options._replace(each=1))
    table = data.ClassTable(tower(["red star", "dot"]), np.ones(2, bool), ("red star", "dot"))
    ids = first(["red star", "dot"])
    np.testing.assert_array_equal(ids[:, 0], table.embedding[:, 0, : ids.shape[2]])
    assert ids.shape[1] == 1
    with pytest.raises(errors.UserError, match=r"towers\.each is of texts, and a name is one: it should be 0"):
        dataclasses.replace(tower, options=described.Options(each=2))
    vector = data.Batch(inputs[:, 0], np.zeros(2, np.int32), np.ones(2, bool))
    with pytest.raises(errors.UserError, match=r"have up to 2 texts each: towers\.by should be names"):
        methods.factory("coop")(tower).init(small_trainer.KEY, vector, table, tower.weights())
    with pytest.raises(errors.UserError, match=r"looks at the patches of an image, \[P, 16\], and an input is \[16\]"):
        methods.factory("attribute_prompts")(tower).init(small_trainer.KEY, vector, table, tower.weights())
    with pytest.raises(errors.UserError, match="no texts of 'ring'"):
        tower(["ring"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A tower, a tie and an archive of pairs on disk."""
    folder = tmp_path_factory.mktemp("prompts")
    small_tower.write(folder / "tower")
    ties.write(folder / "tie.npz", small_tower.prompted(16).tie)
    source = small_prompts.dataset(as_pairs=True)
    attribute, object = (np.array(side)[source.classes.parts[source.labels, i]] for i, side in enumerate(source.parts))
    split = np.full(len(source.labels), "test", "<U5")
    split[source.splits["train"]] = "train"
    np.savez(folder / "pairs.npz", features=source.inputs, attribute=attribute, object=object, split=split)
    return folder


def command(files, verb="train", recipe="csp:pairs", **keys):
    given = {"data.file": "pairs.npz", "towers.text": "tower", "towers.tie": "tie.npz"}
    given = {name: str(files / value) for name, value in given.items()}
    given |= {"plots": "none", "train.epochs": "3", "select.folds": "1", "train.batch_size": "32"} | keys
    return [verb, f"--config={recipe}", *(f"--config.{name}={value}" for name, value in given.items() if value)]


@pytest.mark.long
def test_a_run_learns_two_vectors_a_pair_and_keeps_nothing_of_the_tower(files, tmp_path, capsys):
    keys = {"method.learning_rate": "0.05", "train.epochs": "8", "select.every": "4"}
    assert __main__.main([*command(files, **keys), f"--workdir={tmp_path}"]) == 0
    record = json.loads((tmp_path / "record.json").read_text())
    closed = record["metrics"]["pairs"]["closed"]
    assert set(closed) >= {"seen", "unseen", "harmonic", "auc"}
    assert closed["auc"] > 0.4  # 0.02 before training
    assert (record["setting"], record["sees"]) == ("pretrained", ["other data"])
    lines = (tmp_path / "words.csv").read_text().splitlines()
    parts = {*small_prompts.ATTRIBUTES, *small_prompts.OBJECTS}
    assert {line.partition(",")[0] for line in lines[1:]} == parts
    assert f"words nearest to what was learned: {tmp_path / 'words.csv'}" in capsys.readouterr().out
    weights = hashes.tree_sha256(small_tower.prompted(16).weights())
    assert record["made_of"]["weights"] == weights
    widths = {"tower": 12, "image": 16}
    for manifest in tmp_path.rglob("manifest.json"):
        content = json.loads(manifest.read_text())
        assert content["belongs"]["weights"] == weights
        shapes = [tuple(shape) for shape, _ in content["arrays"].values() if len(shape) > 1]
        assert set(shapes) <= {(4, widths["tower"]), (4, 1), (13, 2), (10, 2), (9, 2)}, shapes
    capsys.readouterr()
    held = np.load(files / "pairs.npz")
    np.save(tmp_path / "new.npy", held["features"][1::4])
    assert __main__.main(["predict", f"--workdir={tmp_path}", str(tmp_path / "new.npy")]) == 0
    found = [line.split(",")[1] for line in capsys.readouterr().out.splitlines()[1:]]
    wanted = [f"{a} {o}" for a, o in zip(held["attribute"][1::4], held["object"][1::4])]
    assert np.mean(np.array(found) == np.array(wanted)) > 0.3  # one of 16


def small_config(files):
    """Two epochs of CSP on the archive, choices on one draw."""
    given = command(files, **{"train.epochs": "2", "train.checkpoint_every": "1"})[2:]
    return command_line.recipe("csp:pairs", command_line.split_overrides(given)[1])


@pytest.mark.long
def test_a_run_that_is_stopped_again_and_again_ends_in_the_same_bits(files, tmp_path):
    config = small_config(files)
    problem, asked, stops = problems.make_problem(config), iter(range(1000)), 0
    given = {"problem": problem, "say": lambda line: None}
    whole = run.run(config, tmp_path / "whole", **given).record
    while stops < 3:
        with contextlib.suppress(errors.Stopped):
            run.run(config, tmp_path / "stopped", should_stop=lambda: next(asked) % 5 == 4, **given)
            break
        stops += 1
    assert stops > 1
    stopped = run.run(config, tmp_path / "stopped", **given).record
    for field in ("state_sha256", "selection", "metrics", "per_class"):
        assert stopped[field] == whole[field], field


@pytest.mark.long
def test_eight_devices_in_every_mode_are_one(files):
    config = small_config(files)
    problem = problems.make_problem(config)
    (task, *_), _ = problem.protocol.tasks(problem.dataset, config)

    def train(mesh, mode):
        training = states.Training(problem.method, task, jax.random.key(0), 32, mesh, mode)
        *_, (_, state, _) = loop.fit(training, epochs=1)
        return jax.device_get(base.split(loop.finish(training, state))[0])

    one = train(parallel.make_mesh(devices=1), "jit")
    for mode in parallel.MODES:
        many = train(parallel.make_mesh(mode=mode), mode)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4), one, many)


def test_zero_shot_describes_pairs_of_the_open_world_as_the_hand_written_prompt_does(files, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    held = np.load(files / "pairs.npz")
    rows = (held["attribute"] != held["attribute"][-1]) | (held["object"] != held["object"][-1])
    np.savez(tmp_path / "fewer.npz", **{name: held[name][rows] for name in held.files})
    tables = []
    for recipe in ("zero_shot:pairs", "hand_prompt:pairs"):
        given = [*command(files, **{"data.file": ""})[2:], f"--config.data.file={tmp_path / 'fewer.npz'}"]
        config = command_line.recipe(recipe, command_line.split_overrides(given)[1])
        problem = problems.make_problem(config)
        tables.append(problem.protocol.tasks(problem.dataset, config)[1].classes)
    described, tokens = tables
    assert described.names == tokens.names
    assert len(described) == 1 + len(problem.dataset.classes)
    tower = small_tower.prompted(16)
    hand = jax.jit(lambda w, c: family.hand_written(tower, w, c))(tower.weights(), tokens)
    np.testing.assert_allclose(described.embedding, hand, atol=1e-5)
    # How near the names are to each other is asked of the tower, without its tie: feasibility by loops.
    attributes, objects = (tower.tower.encode(side) @ tower.tower.encode(side).T for side in problem.dataset.parts)
    seen = {tuple(pair) for pair in tokens.parts[tokens.is_seen].tolist()}
    wanted = np.ones((4, 4))
    for a, o in {(a, o) for a in range(4) for o in range(4)} - seen:
        near = [attributes[a, b] for b in range(4) if b != a and (b, o) in seen]
        wanted[a, o] = (max(near) + max(objects[o, p] for p in range(4) if p != o and (a, p) in seen)) / 2
    for table in tables:
        np.testing.assert_allclose(table.shared["feasibility"], wanted, atol=1e-5)
    assert protocols.PAIRS.looks(problem.protocol.tasks(problem.dataset, config)[1])["open"].num_groups > 2


REFUSED = {
    "no tower": ({"towers.text": ""}, "learns a prompt before a frozen text tower: --config.towers.text=FOLDER"),
    "no tie": ({"towers.tie": ""}, "an input is [16] numbers and a text [12]"),
    "no name in the template": ({"towers.template": "a photo."}, "is not empty, or texts with {}"),
    "two sentences": ({"towers.template": "a {}.|the {}."}, "from one sentence with one {}"),
    "random": ({"towers.by": "random"}, "learned around the names of the classes, or what a file says of them"),
    "no texts": ({"towers.by": "texts"}, "towers.by=texts needs a file"),
    "too long": ({"towers.template": "a " * 62 + "{}."}, "is longer than the 64 that tower reads"),
    "shots": ({"few_shot.of_seen": "99"}, "few_shot.of_seen=99: class"),
    "no word": ({"towers.template": "{}.", "recipe": "coop:pairs"}, "no word before the name"),
    "no description": (
        {"recipe": "learned_names:pairs", "method.start": "description"},
        "start=description is of classes with texts",
    ),
    "a long context": ({"recipe": "coop:pairs", "method.length": "62"}, "is longer than the 64 that tower reads"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line(case, files, tmp_path, capsys):
    keys, message = REFUSED[case]
    keys = dict(keys)
    given = command(files, recipe=keys.pop("recipe", "csp:pairs"), **keys)
    assert __main__.main([*given, f"--workdir={tmp_path / 'run'}"]) == 2
    found = capsys.readouterr().err
    assert message in found
    assert len(found.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_names_that_are_nothing_or_the_same_are_refused():
    tower = small_tower.prompted()
    with pytest.raises(errors.UserError, match="'red star' and 'Red_Star' have the same name"):
        tower(["red star", "dot", "Red_Star"])
    with pytest.raises(errors.UserError, match="class ' ' has a name that is no token"):
        tower(["dot", " "])
    with pytest.raises(errors.UserError, match="csp needs classes that are pairs"):
        small_trainer.steps(make("csp"), problem("hand_prompt"), data.Batch(*problem("hand_prompt").train[:2], None))


@pytest.mark.parametrize("name", ["csp", "learned_names", "coop", "coop_class", "linear_probe", "ale"])
def test_words_near_to_learned_vectors_are_named_by_what_they_stand_for(name, tmp_path, monkeypatch):
    """Learned vectors that are words of the tower with a little of another: those words come first."""
    tower = small_tower.prompted(16)
    monkeypatch.setattr(problems, "prompt_tower", lambda config: tower)
    method = CASES[name][0] if name in CASES else name
    source = small_prompts.dataset(as_pairs=name in OF_PAIRS)
    words = np.asarray(tower.words(tower.weights(), np.arange(1, 17)))
    words = 3 * words + 0.2 * np.roll(words, 1, axis=0)
    params = {
        "csp": {"attribute_tokens": words[2:6], "object_tokens": words[6:10]},
        "learned_names": {"names": words[:13]},
        "coop": {"context": words[:2]},
        "coop_class": {"context": np.broadcast_to(words[:2], (13, 2, 12))},
        "linear_probe": {"vectors": words[:13]},
    }.get(name)
    classes = source.classes[np.argsort(~np.asarray(source.classes.is_seen), stable=True)]
    found = learned_words.nearest(toy_runs.recipe(method), {"params": params}, classes, source, count=2)
    learned_words.write(tmp_path, found)
    if name in ("linear_probe", "ale"):
        assert found == {}
        assert not (tmp_path / "words.csv").exists()
        return
    wanted = {
        "csp": dict(zip((*small_prompts.ATTRIBUTES, *small_prompts.OBJECTS), small_tower.WORDS[2:10])),
        "learned_names": dict(zip(classes.names, small_tower.WORDS[:13])),
        "coop": {"context 1": "a", "context 2": "photo"},
        "coop_class": {f"context {i} of {c}": w for c in classes.names[:13] for i, w in ((1, "a"), (2, "photo"))},
    }[name]
    assert {vector: near[0][0] for vector, near in found.items()} == wanted
    header, first, *rest = (tmp_path / "words.csv").read_text().splitlines()
    assert header == "vector,word_1,cosine_1,word_2,cosine_2"
    assert len(rest) == len(wanted) - 1
    ((vector, near), *_) = found.items()
    assert first == f"{vector},{near[0][0]},{near[0][1]:.3f},{near[1][0]},{near[1][1]:.3f}"
    assert near[0][1] > near[1][1]


def test_base_to_new_asks_base_among_base_and_new_among_new():
    """Rows by hand: two base classes, two new ones, and where the other side wins among all."""
    labels = np.array([0, 1, 1, 2, 3, 3])
    scores = [[3, 1, 2, 0], [1, 3, 4, 0], [2, 1, 0, 0], [5, 0, 4, 1], [0, 0, 1, 2], [0, 0, 1, 3]]
    sets = {"test_seen": slice(0, 3), "test_unseen": slice(3, 6)}
    table = data.ClassTable(np.eye(4, dtype=np.float32), np.array([True, True, False, False]), tuple("abcd"))
    examples = {name: data.Examples(np.array(scores, np.float32)[rows], labels[rows]) for name, rows in sets.items()}
    asked, task = protocols.BASE_TO_NEW, data.Task(examples["test_seen"], examples, table)
    method = methods.Method(lambda *given: (), None, lambda state, images, described: images @ described.T)
    facts = {"is_seen": jnp.asarray(table.is_seen)}

    @jax.jit
    def evaluated(examples, classes):
        rows = scoring.score_arrays(method, (), examples, classes, asked.looks(task))
        return asked.report(rows, facts, {}), asked.counts(rows, facts, {})

    report, counts = evaluated(examples, table)
    found = report["base_to_new"]
    wanted = {"base": 2 / 3, "new": 1, "harmonic": 0.8}
    assert {name: float(found[name]) for name in wanted} == pytest.approx(wanted)
    assert jax.tree.map(float, found["per_class"]) == pytest.approx({"base": 0.75, "new": 1, "harmonic": 6 / 7})
    assert jax.tree.map(float, found["all"]) == pytest.approx({"base": 1 / 3, "new": 2 / 3, "harmonic": 4 / 9})
    assert {name: x.tolist() for name, x in counts.items()} == {
        "correct": [1, 1, 1, 2],
        "all_correct": [1, 0, 0, 2],
        "images": [1, 2, 1, 2],
    }


def test_what_a_method_says_of_its_inputs_is_not_taken_for_too_many_texts(files, tmp_path):
    """attribute_prompts takes several texts of a class, and no vectors."""
    source = small_prompts.dataset()
    (tmp_path / "texts.json").write_text(json.dumps({name: ["wings", "stripes"] for name in source.classes.names}))
    names = np.array(source.classes.names)
    np.savez(tmp_path / "named.npz", features=source.inputs, labels=source.labels, class_names=names)
    keys = {
        "data.file": str(tmp_path / "named.npz"),
        "towers.texts": str(tmp_path / "texts.json"),
        "data.num_unseen": "3",
    }
    given = command(files, **{"data.file": ""})[2:]
    config = command_line.recipe("attribute_prompts:npz", command_line.split_overrides(given)[1] | keys)
    with pytest.raises(errors.UserError, match=r"looks at the patches of an image, \[P, 16\], and an input is \[16\]"):
        problems.make_problem(config)


@pytest.mark.long
def test_halves_of_the_classes_and_a_few_images_of_each(files, tmp_path):
    """base_to_new on an archive with names, the last classes held out, four images per base class."""
    source = small_prompts.dataset(moved="context")
    np.savez(
        tmp_path / "named.npz",
        features=source.inputs,
        labels=source.labels,
        class_names=np.array(source.classes.names),
        split=np.where(np.arange(len(source.labels)) % 4 == 0, 2, 0),
    )
    keys = {
        "data.file": "",
        "protocol": "base_to_new",
        "select.on": "nothing",
        "data.num_unseen": "8",
        "data.held_out": "last",
        "few_shot.of_seen": "4",
        "method.learning_rate": "0.05",
    }
    given = [*command(files, recipe="coop:npz", **keys), f"--config.data.file={tmp_path / 'named.npz'}"]
    assert __main__.main([*given, f"--workdir={tmp_path / 'run'}"]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    found = record["metrics"]["base_to_new"]
    assert found["harmonic"] == pytest.approx(2 * found["base"] * found["new"] / (found["base"] + found["new"]))
    assert [entry["seen"] for entry in record["per_class"].values()] == [True] * 8 + [False] * 8
    assert record["dataset"]["counts"]["train"] == 32
