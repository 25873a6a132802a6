"""What every method must keep: the contract of `methods.base`, on a small problem."""

import dataclasses
import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_generative
import small_trainer
import toy
import toy_frame

from zsl_jax import data, errors, methods
from zsl_jax.data import dataset as dataset_lib
from zsl_jax.methods import base, seen_classes
from zsl_jax.methods.generative import scaling
from zsl_jax.training import protocols
from zsl_jax.verbs import command_line

SHORT = ("ale", "conse", "dap", "eszsl", "latem", "softmax")  # one of a kind


def among(names):
    return [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in names]


NAMES = among(sorted(methods.METHODS.keys() - toy.OF_OTHER_DATA))
# Mixtures of the attributes of known classes say little of a new one; the minimax map pays for what does not happen.
WEAK = {"conse": 0.5, "iap": 0.5, "minimax": 0.5}
EPOCHS = dict.fromkeys(small_generative.KNOBS, 80) | {"cada_vae": 40}


@functools.cache
def problem() -> data.Task:
    return data.test_task(toy.dataset(num_seen=16, num_unseen=4, per_class=20))


@functools.cache
def by_name(name):
    return methods.normalized(small_trainer.make(name))


@functools.cache
def finished(name):
    return small_trainer.fitted(by_name(name), problem(), epochs=EPOCHS.get(name, 20))


@functools.cache
def compiled(name):
    """Its functions after training, each compiled once for a shape."""
    method = by_name(name)
    return types.SimpleNamespace(
        embed=jax.jit(method.embed), describe=jax.jit(method.describe), scores=jax.jit(method.scores)
    )


def scores(name, inputs, classes):
    functions, state = compiled(name), finished(name)
    return functions.scores(state, functions.embed(state, inputs), functions.describe(state, classes))


def first_batch(size=16, valid=12) -> data.Batch:
    train = problem().train
    rows = np.random.default_rng(1).permutation(len(train.labels))[:size]
    return data.Batch(train.inputs[rows], train.labels[rows], np.arange(size) < valid)


@pytest.mark.parametrize("name", NAMES)
def test_unseen_classes_are_recognised_and_shuffled_descriptions_are_not(name):
    task = problem()
    unseen, inputs = task.sets["test_unseen"], task.sets["test_unseen"].inputs
    right = small_trainer.top1(scores(name, inputs, task.unseen_classes), unseen.labels, first=task.num_seen)
    assert right > WEAK.get(name, 0.7)  # one in four by chance
    shuffled = dataclasses.replace(task.unseen_classes, embedding=np.roll(task.unseen_classes.embedding, 1, axis=0))
    assert small_trainer.top1(scores(name, inputs, shuffled), unseen.labels, first=task.num_seen) < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_class_is_described_and_scored_by_itself_or_the_method_says_otherwise(name):
    method, state, table = by_name(name), finished(name), problem().classes
    described = compiled(name).describe(state, table)
    assert all(leaf.shape[0] == len(table) for leaf in jax.tree.leaves(described)), jax.tree.map(jnp.shape, described)
    inputs, rows = problem().sets["test_unseen"].inputs, [7, 2, 17]
    every = scores(name, inputs, table)
    largest = np.abs(every).max()
    if name != "minimax":
        np.testing.assert_allclose(scores(name, inputs, table[rows]), every[:, rows], atol=1e-5 * largest)
    if "other candidates" not in method.sees:
        for row in rows:
            alone = compiled(name).describe(state, table[row : row + 1])
            for one, all_ in zip(jax.tree.leaves(alone), jax.tree.leaves(described)):
                largest = max(1.0, np.abs(np.asarray(all_)).max())
                np.testing.assert_allclose(one[0], all_[row], atol=1e-5 * largest)


@pytest.mark.parametrize("name", NAMES)
def test_classes_made_up_after_training_are_scored(name):
    inputs = problem().sets["test_seen"].inputs
    table = data.ClassTable(np.ones((2, 8), np.float32) * [[1], [-1]], np.zeros(2, bool), ("made", "up"))
    found = scores(name, inputs, dataclasses.replace(table, embedding=table.embedding.astype(np.float32)))
    assert found.shape == (len(inputs), 2)
    assert np.all(np.isfinite(found))
    assert np.ptp(found) > 0


@pytest.mark.parametrize("name", NAMES)
def test_prepare_keeps_the_tree_and_a_step_is_compiled_once(name):
    method, batch = by_name(name), first_batch()
    classes = small_trainer.training_classes(method, problem().classes)
    like = small_trainer.zeros_like(batch)
    start = jax.eval_shape(lambda c: method.init(small_trainer.KEY, like, c, method.weights()), classes)
    prepared = jax.eval_shape(
        lambda s, t, c: method.prepare(s, t, c, small_trainer.KEY), start, problem().train, classes
    )
    assert jax.tree.structure(start) == jax.tree.structure(prepared)
    shapes = [[(x.shape, x.dtype) for x in jax.tree.leaves(state)] for state in (start, prepared)]
    assert shapes[0] == shapes[1]
    state, _ = jax.eval_shape(method.update, start, batch, classes, small_trainer.KEY)
    assert jax.tree.structure(start) == jax.tree.structure(state)
    # A weak type would compile the second step anew.
    assert [(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(state)] == [
        (x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(start)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_take_any_number_of_inputs(name):
    if by_name(name).together is not None:
        pytest.skip("it decides on all inputs together, which export refuses")
    small_trainer.check_symbolic(by_name(name), problem())


@pytest.mark.parametrize("name", ["two_heads", "label_embed_plus", "symnet", "label_similarity"])
def test_a_file_may_take_any_number_of_inputs_of_other_kinds(name):
    """Of pairs, and of inputs and descriptions in one space."""
    _, task = protocols.PAIRS.tasks(toy_frame.pairs_dataset(), command_line.load_recipe("two_heads"))
    if name == "label_similarity":
        described = np.eye(len(task.classes), task.train.inputs.shape[1], dtype=np.float32)
        task = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=described))
    small_trainer.check_symbolic(by_name(name), task)


def test_similarity_of_two_spaces_is_refused():
    method, batch = methods.factory("label_similarity")(), first_batch()
    with pytest.raises(errors.UserError, match=r"but an input is .* and a description .*: both must come from one enc"):
        method.init(small_trainer.KEY, batch, problem().classes, method.weights())


WHOLE_TABLE = [name for name in sorted(methods.METHODS) if "unseen descriptions" in small_trainer.make(name).sees]


def test_methods_that_fit_anything_on_candidates_say_so():
    assert sorted([*small_generative.KNOBS, "gta_clip", "lbl2vec", "minimax", "self_training"]) == WHOLE_TABLE
    # Lbl2Vec fits a class to the inputs that are near to it, whatever the others are; GTA a map of all classes, and
    # self-training what the method behind it fits.
    for name in {*WHOLE_TABLE} - {"gta_clip", "lbl2vec", "self_training"}:
        assert "other candidates" in small_trainer.make(name).sees


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*WHOLE_TABLE} - toy.OF_OTHER_DATA))
def test_steps_depend_on_unseen_descriptions_in_lsrgan_and_gta_alone(name):
    task, method = problem(), by_name(name)
    moved = np.array(task.classes.embedding)
    moved[task.num_seen :] = moved[task.num_seen :][::-1]
    other = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=moved))
    states = [small_trainer.steps(method, t, first_batch(), count=2)[0] for t in (task, other)]
    same = all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, states)))
    assert same == (name not in ("gta_clip", "lsrgan"))


DIVIDES = [name for name in sorted(methods.METHODS.keys() - toy.OF_OTHER_DATA) if small_trainer.make(name).divides]


def test_methods_without_random_rows_divide_their_batch():
    whole = {
        *small_generative.KNOBS,
        "ale_sgd",
        "gta_clip",
        "infersent",
        "label_embedding",
        "label_similarity",
        "self_training",
        "attribute_network",
        "two_tower",
        "zsl_kg",
    }
    assert sorted(methods.METHODS.keys() - whole - toy.OF_OTHER_DATA) == DIVIDES


@pytest.mark.parametrize("name", among(DIVIDES))
def test_shares_of_a_batch_give_the_update_of_the_whole(name):
    """Of 16 rows the last 4 only fill up, so that of eight shares two hold no example."""
    method, batch = by_name(name), first_batch()
    classes = small_trainer.training_classes(method, problem().classes)
    state, _ = small_trainer.steps(method, problem(), batch, count=2)
    expected, metrics = jax.jit(method.update)(state, batch, classes, small_trainer.KEY)

    @jax.jit
    def divided(state, shares, classes):
        def one(share):
            share = share._replace(axis_name=dataset_lib.AxisName("shares"))
            return method.update(state, share, classes, small_trainer.KEY)

        return jax.vmap(one, axis_name="shares")(shares)

    shares = jax.tree.map(lambda x: x.reshape(8, -1, *x.shape[1:]), batch)
    found, found_metrics = divided(state, shares, classes)
    for one, whole in zip(jax.tree.leaves((found, found_metrics)), jax.tree.leaves((expected, metrics))):
        np.testing.assert_allclose(one, np.stack([whole] * 8), rtol=1e-4, atol=1e-5)


def method_with_everything() -> methods.Method:
    return methods.Method(
        init=lambda key, like, classes, weights: jnp.zeros(()),
        update=lambda state, batch, classes, key: (state, {"loss": state}),
        scores=lambda state, images, described: images @ described.T,
        prepare=lambda state, train, classes, key: state + 1,
        finish=lambda state, train, classes, key: state + 10,
        embed=lambda state, inputs: inputs + state,
        describe=lambda state, classes: classes.embedding,
        together=lambda state, images, where, described, key: images + 100 * state,
        attributes=lambda state, images: images + 1000 * state,
        weights=lambda: "tensors",
        sees=frozenset({"test inputs"}),
        divides=True,
        refresh=3,
        cosine=True,
    )


WRAPPERS = {
    "viewed": lambda method: base.viewed(method, base.View()),
    "normalized": lambda method: methods.normalized(method, inputs="none"),
    "in_class_span": methods.in_class_span,
    "in_range": scaling.in_range,
    "keep_seen": lambda method: seen_classes.keep_seen(
        method, scores=lambda images, described, seen: images, attributes=lambda images, seen: images + 1000 * 11
    ),
    "as_proportions": lambda method: seen_classes.as_proportions(method, lambda attributes, seen: attributes @ seen.T),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_pass_on_what_they_do_not_change(name):
    method = WRAPPERS[name](method_with_everything())
    assert method.weights() == "tensors"
    assert method.sees == {"test inputs"}
    assert (method.divides, method.refresh, method.cosine) == (True, 3, True)
    classes = data.ClassTable(np.eye(3, dtype=np.float32), np.ones(3, bool))
    train = data.Examples(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], np.float32), np.array([0, 1]))
    batch = data.Batch(train.inputs, train.labels, np.ones(2, bool))
    state = method.init(small_trainer.KEY, batch, classes, None)
    state = method.prepare(state, train, classes, small_trainer.KEY)
    state = method.finish(state, train, classes, small_trainer.KEY)  # 1 + 10
    images = method.embed(state, train.inputs)
    np.testing.assert_array_equal(images, train.inputs + 11)
    np.testing.assert_array_equal(method.together(state, images, batch.where, None, None), images + 1100)
    np.testing.assert_array_equal(method.attributes(state, images), images + 11000)
    without = WRAPPERS["viewed"](method_with_everything()._replace(update=None, together=None, attributes=None))
    assert (without.update, without.together, without.attributes) == (None, None, None)
    idle = WRAPPERS["viewed"](method_with_everything()._replace(prepare=base.unchanged, finish=base.unchanged))
    assert idle.prepare is idle.finish is base.unchanged, "nothing is compiled for what does nothing"


def test_every_method_is_an_attribute_of_the_package_and_states_its_knobs():
    import inspect

    for name, factory in methods.METHODS.items():
        assert getattr(methods, name) is factory
        defaults = {p.name: p.default for p in inspect.signature(factory).parameters.values()}
        for knob, (says, rule) in methods.KNOBS[name].items():
            assert rule.holds(defaults[knob]), (name, knob, rule.words)
            assert says
    assert [name for name in methods.METHODS if methods.trains_encoder(name)] == [
        "attribute_network",
        "cot",
        "infersent",
        "label_embedding",
        "two_tower",
        "zsl_kg",
    ]
    assert methods.KNOBS["psr"]["threshold"].rule.words == "a number in [-1, 1]"
    assert methods.KNOBS["semantic_consistency"]["threshold"].rule.words == "a number in (0, inf)"


@pytest.mark.long
def test_first_step_of_ale_is_that_of_the_formula():
    """By hand at W = 0: every other class violates the margin, R = C - 1."""
    task = problem()
    batch = data.Batch(task.train.inputs[:5], task.train.labels[:5], np.ones(5, bool))
    method, classes = methods.ale(learning_rate=0.1), task.seen_classes
    state = method.init(small_trainer.KEY, batch, classes, ())
    state, metrics = method.update(state, batch, classes, small_trainer.KEY)
    state = method.finish(state, task.train, classes, small_trainer.KEY)
    phi, count = classes.embedding, task.num_seen
    beta = sum(1 / j for j in range(1, count))
    gradient = np.zeros((10, 8))
    for x, y in zip(batch.inputs, batch.labels):
        for c in range(count):
            if c != y:
                gradient += beta / (count - 1) * np.outer(x, phi[c] - phi[y]) / 5
    np.testing.assert_allclose(metrics["loss"], beta, rtol=1e-5)
    np.testing.assert_allclose(metrics["gradient_norm"], np.linalg.norm(gradient), rtol=1e-4)
    np.testing.assert_allclose(state.inner.params @ state.kept.T, -0.1 * gradient, atol=1e-5)


def test_normalized_scores_do_not_depend_on_the_length_of_inputs():
    task, method = problem(), methods.normalized(methods.ale())
    batch = first_batch()
    state, _ = small_trainer.steps(method, task, batch)
    expected = methods.score(method, state, batch.inputs, task.classes)
    found = methods.score(method, state, 7 * batch.inputs, task.classes)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    plain = methods.normalized(methods.ale(), inputs="none")
    longer = methods.score(plain, state, 7 * batch.inputs, task.classes)
    np.testing.assert_allclose(longer[0] / expected[0], 7 * np.linalg.norm(batch.inputs[0]), rtol=1e-4)


def test_normalization_leaves_ids_alone():
    """Descriptions made of ids and of vectors: the vectors alone are divided by their length."""
    plain = method_with_everything()._replace(describe=lambda state, classes: classes.embedding)
    table = data.ClassTable({"ids": np.array([[3, 4]]), "vectors": np.array([[3.0, 4.0]])}, np.ones(1, bool))
    described = methods.normalized(plain).describe(jnp.zeros(()), table)
    assert described["ids"].tolist() == [[3, 4]]
    np.testing.assert_allclose(described["vectors"], [[0.6, 0.8]], rtol=1e-6)
    pixels = methods.normalized(plain).embed(jnp.zeros((), jnp.uint8), np.array([[3, 4]], np.uint8))
    assert pixels.tolist() == [[3, 4]]


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(errors.UserError, match="did you mean 'ale'"):
        methods.factory("alee")
    with pytest.raises(errors.UserError, match="did you mean 'l2'"):
        methods.normalized(methods.ale(), inputs="l3")


def test_a_factory_whose_knobs_are_not_stated_is_refused():
    def made(*, margin: float = 1.0, rate: float = 0.1):
        return None

    with pytest.raises(TypeError, match=r"made takes \['margin', 'rate'\], knobs are stated for \['margin'\]"):
        methods.registry.method(margin=methods.registry.MARGIN)(made)
