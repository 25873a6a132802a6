"""The gradient-trained methods: first steps by hand, special cases that must agree, real data against controls."""

import dataclasses
import functools

import embedding_trial
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from zsl_jax import class_encoders, data, errors, losses, methods
from zsl_jax.data import few_shot
from zsl_jax.methods import distances, mlp
from zsl_jax.training import evaluation, loop, parallel

GRADIENT = (
    *("ale", "ale_learned", "ale_sgd", "cmt", "cmt_novelty", "dem", "devise", "latem"),
    *("psr", "semantic_consistency", "sje", "softmax"),
)


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def first_batch(task, size=8, where=None):
    return data.Batch(
        task.train.inputs[:size], task.train.labels[:size], np.ones(size, bool) if where is None else where
    )


def compiled(method):
    return method._replace(init=jax.jit(method.init), update=jax.jit(method.update), scores=jax.jit(method.scores))


@functools.cache
def by_name(name):
    """The method with its functions compiled once for all tests here: they share the shapes of their arguments."""
    return compiled(methods.normalized(methods.factory(name)()))


def steps(method, task, batch, count=1, classes=None):
    classes = task.seen_classes if classes is None else classes
    state, values = method.init(jax.random.key(0), batch, classes), []
    for number in range(count):
        state, metrics = method.update(state, batch, classes, jax.random.fold_in(jax.random.key(0), number))
        values.append(float(metrics["loss"]))
    return state, values


@pytest.mark.parametrize("name", GRADIENT)
def test_loss_falls_and_rows_that_fill_up_do_not_count(name, task):
    method = by_name(name)
    batch = first_batch(task, where=np.arange(8) < 6)
    junk = batch._replace(inputs=batch.inputs.copy(), labels=batch.labels.copy())
    junk.inputs[6:], junk.labels[6:] = 7.0, 0
    (one, values), (other, _) = (steps(method, task, b, count=15) for b in (batch, junk))
    assert values[-1] < 0.5 * values[0], values
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one, other)


@pytest.mark.parametrize(
    "name", ["devise", "dem", "semantic_consistency", "ale_learned", "dap", "sync", "eszsl", "gfzsl"]
)
def test_the_order_of_the_classes_does_not_matter(name, task):
    method, batch = by_name(name), first_batch(task)
    order = np.random.default_rng(0).permutation(task.num_seen)
    shuffled, row = (
        dataclasses.replace(task.seen_classes, embedding=task.seen_classes.embedding[order]),
        np.argsort(order),
    )
    one, _ = steps(method, task, batch, count=3)
    other, _ = steps(method, task, batch._replace(labels=row[batch.labels]), count=3, classes=shuffled)
    one = method.finish(one, task.train, task.seen_classes, jax.random.key(0))
    other = method.finish(other, task.train._replace(labels=row[task.train.labels]), shuffled, jax.random.key(0))
    inputs = task.test_unseen.inputs
    np.testing.assert_allclose(
        method.scores(one, inputs, task.classes), method.scores(other, inputs, task.classes), atol=1e-4
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["ale_sgd", "dem"])
def test_one_device_trains_as_eight(name, task):
    method, key = methods.normalized(methods.factory(name)()), jax.random.key(0)
    one = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    scores = []
    for mesh in (one, parallel.make_mesh()):
        (*_, (_, state, _)) = loop.fit(method, task, key=key, epochs=1, batch_size=16, mesh=mesh)
        scores.append(np.asarray(by_name(name).scores(jax.device_get(state), task.test_unseen.inputs, task.classes)))
    np.testing.assert_allclose(*scores, atol=1e-4)


def by_hand(task, batch, weigh):
    """Gradient in W at W = 0 and margin 1, where every other class has violation 1; `weigh(C - 1)` weighs each."""
    phi, count = task.seen_classes.embedding, task.num_seen
    gradient = np.zeros((batch.inputs.shape[1], phi.shape[1]))
    for x, y in zip(batch.inputs, batch.labels):
        for c in range(count):
            if c != y:
                gradient += weigh(count - 1) * np.outer(x, phi[c] - phi[y]) / len(batch.labels)
    return gradient


@pytest.mark.parametrize(
    ("name", "weigh"),
    [
        ("devise", lambda others: 1.0),  # all violate
        ("sje", lambda others: 1.0 / others),  # all tie for the largest and share it
        ("softmax", lambda others: 1.0 / (others + 1)),  # all classes equally likely
    ],
)
def test_first_step_of_the_bilinear_methods(name, weigh, task):
    batch = first_batch(task)
    state, _ = steps(methods.factory(name)(learning_rate=0.1), task, batch)
    np.testing.assert_allclose(state.inner.params @ state.basis.T, -0.1 * by_hand(task, batch, weigh), atol=1e-5)


def test_scaling_margin_and_learning_rate_scales_the_scores(task):
    batch, inputs = first_batch(task), task.test_seen.inputs
    scores = []
    for factor in (1.0, 4.0):
        method = methods.devise(margin=factor, learning_rate=0.01 * factor)
        state, _ = steps(method, task, batch, count=5)
        scores.append(method.scores(state, inputs, task.classes) / factor)
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)


def test_ale_of_one_image_a_step_is_the_literal_loop(task):
    batch = first_batch(task, 8, where=np.arange(8) < 7)
    method = methods.ale_sgd(learning_rate=0.05)
    weights = steps(method, task, batch, count=2)[0]["weights"]
    phi = jnp.asarray(task.seen_classes.embedding)

    @jax.jit
    def gradient(w, x, y):
        return jax.grad(lambda w: losses.warp(x[None] @ w @ phi.T, y[None])[0])(w)

    expected = jnp.zeros_like(weights)
    for _ in range(2):
        for x, y in zip(batch.inputs[:7], batch.labels[:7]):
            expected -= 0.05 * gradient(expected, x, y)
    np.testing.assert_allclose(weights, expected, atol=1e-4)


def test_learned_descriptions_held_fast_are_the_given_ones(task):
    """The stronger the pull, the less they move, and the nearer the full form is to plain ALE."""
    batch, inputs = first_batch(task), task.test_seen.inputs
    knobs = {"learning_rate": 0.01, "momentum": 0.0}
    plain = methods.ale(**knobs)
    expected = plain.scores(steps(plain, task, batch, count=20)[0], inputs, task.classes)
    moved, apart = [], []
    for attachment in (0.0, 50.0):
        method = methods.ale_learned(attachment=attachment, **knobs)
        state, _ = steps(method, task, batch, count=20)
        moved.append(float(jnp.linalg.norm(state.inner["trained"].params["shift"])))
        apart.append(float(jnp.linalg.norm(method.scores(state, inputs, task.classes) - expected)))
    assert moved[1] < 0.2 * moved[0], moved
    assert apart[1] < 0.5 * apart[0], apart


def test_learned_descriptions_belong_to_their_class_in_any_table(task):
    method = methods.ale_learned(attachment=0.0)
    state, _ = steps(method, task, first_batch(task), count=5)
    shift = state.inner["trained"].params["shift"]
    moved = jax.tree.map(lambda x: x, state)
    moved.inner["trained"].params["shift"] = shift.at[3].add(1.0)
    before, after = (method.scores(s, task.test_seen.inputs, task.classes[[12, 3, 0]]) for s in (state, moved))
    changed = np.asarray(jnp.max(jnp.abs(after - before), axis=0)) > 1e-3
    np.testing.assert_array_equal(changed, [False, True, False])


def test_one_map_of_latem_is_ale_from_another_start(task):
    """The first update from the same weights is the same: one map leaves no choice."""
    batch, rate = first_batch(task), 0.1
    latem, ale = methods.latem(num_maps=1, learning_rate=rate), methods.ale(learning_rate=rate)
    state = latem.init(jax.random.key(0), batch, task.seen_classes)
    start = state.inner.params[0]
    stepped, _ = latem.update(state, batch, task.seen_classes, jax.random.key(0))
    same = ale.init(jax.random.key(0), batch, task.seen_classes)
    same = same._replace(inner=same.inner._replace(params=start))
    expected, _ = ale.update(same, batch, task.seen_classes, jax.random.key(0))
    np.testing.assert_allclose(stepped.inner.params[0], expected.inner.params, atol=1e-5)


def test_latem_scores_are_the_best_of_its_maps(task):
    method = methods.latem(num_maps=3)
    state = method.init(jax.random.key(0), first_batch(task), task.seen_classes)
    x, phi = task.test_seen.inputs, task.classes.embedding @ np.asarray(state.basis)
    expected = np.max([x @ np.asarray(w) @ phi.T for w in state.inner.params], axis=0)
    np.testing.assert_allclose(method.scores(state, x, task.classes), expected, atol=1e-4)


@pytest.mark.long
def test_novelty_detection_parts_seen_from_unseen(task):
    """An image at a seen class's mean is given to seen classes, one far from all of them to unseen ones."""
    method, key = methods.cmt_novelty(novel_share=0.1), jax.random.key(0)
    state, _ = steps(compiled(method), task, first_batch(task, 64), count=60)
    state = method.finish(state, task.train, task.classes, key)
    means = np.stack([task.train.inputs[task.train.labels == c].mean(0) for c in range(task.num_seen)])
    predicted = np.argmax(method.scores(state, means, task.classes), axis=1)
    assert np.mean(predicted < task.num_seen) > 0.8
    share = np.mean(np.argmax(method.scores(state, task.train.inputs, task.classes), axis=1) >= task.num_seen)
    np.testing.assert_allclose(share, 0.1, atol=0.02)
    # Within a side the order of the classes is that of plain CMT.
    plain = methods.cmt().scores(state.inner, means, task.unseen_classes)
    np.testing.assert_array_equal(
        np.argmax(method.scores(state, means, task.unseen_classes), axis=1), np.argmax(plain, axis=1)
    )


def test_unknown_nonlinearity():
    with pytest.raises(errors.UserError, match="did you mean 'relu'"):
        methods.semantic_consistency(nonlinearity="rely")


def test_layers_are_the_formula():
    layers = mlp.init_layers(jax.random.key(0), (3, 4, 2))
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    hidden = np.tanh(x @ np.asarray(layers[0]["weights"]) + 0.5)
    shifted = [layers[0] | {"bias": jnp.full(4, 0.5)}, layers[1]]
    np.testing.assert_allclose(
        mlp.apply_layers(shifted, x, jnp.tanh), hidden @ np.asarray(layers[1]["weights"]), atol=1e-5
    )


def test_squared_distances_are_the_loop():
    x, y = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    expected = [[np.sum((a - b) ** 2) for b in y] for a in x]
    np.testing.assert_allclose(distances.squared_distances(x, y), expected, rtol=1e-4, atol=1e-5)


def test_few_shot_moves_examples_and_keeps_the_rest(task):
    shifted = few_shot.few_shot(task, 4, seed=1)
    assert len(shifted.train.labels) == len(task.train.labels) + 3 * 4
    assert len(shifted.test_unseen.labels) == len(task.test_unseen.labels) - 3 * 4
    np.testing.assert_array_equal(np.bincount(shifted.train.labels)[10:], [4, 4, 4])
    np.testing.assert_array_equal(shifted.classes.is_seen, task.classes.is_seen)
    assert shifted.num_seen == 10
    assert few_shot.num_trained(shifted) == 13

    def rows(*parts):
        return sorted(tuple(row) for part in parts for row in part.inputs.tolist())

    assert rows(shifted.train, shifted.test_unseen) == rows(task.train, task.test_unseen)
    assert not set(rows(shifted.train)) & set(rows(shifted.test_unseen))
    # Nested: two shots of a seed are among its four.
    assert set(rows(few_shot.few_shot(task, 2, seed=1).train)) <= set(rows(shifted.train))
    assert set(rows(few_shot.few_shot(task, 4, seed=2).train)) != set(rows(shifted.train))
    # With the same reserve the test images are the same whatever the shots.
    reserved = few_shot.few_shot(task, 2, reserve=4, seed=1)
    assert rows(reserved.test_unseen) == rows(shifted.test_unseen)
    assert rows(reserved.train) == rows(few_shot.few_shot(task, 2, seed=1).train)


def test_any_shot_orders_classes_and_keeps_labels_with_their_class(task):
    last = task.classes.names[-1]
    shifted = few_shot.few_shot(task, {last: 3})
    assert shifted.classes.names[10] == last
    assert few_shot.num_trained(shifted) == 11
    for examples in (shifted.train, shifted.test_unseen):
        for x, label in zip(examples.inputs, examples.labels):
            (found,) = [
                old
                for part in (task.train, task.test_unseen)
                for row, old in zip(part.inputs, part.labels)
                if np.array_equal(row, x)
            ]
            assert shifted.classes.names[label] == task.classes.names[found]


def test_few_shot_refuses_what_it_cannot_do(task):
    with pytest.raises(errors.UserError, match="it has 16 examples, one of which must stay"):
        few_shot.few_shot(task, 16)
    with pytest.raises(errors.UserError, match="it has 16 examples, one of which must stay"):
        few_shot.few_shot(task, 1, reserve=16)
    with pytest.raises(errors.UserError, match="unknown unseen class 'yeti'"):
        few_shot.few_shot(task, {"yeti": 1})


def fitted(method, task, *, epochs, batch_size=64):
    mesh, key = parallel.make_mesh(), jax.random.key(0)
    (*_, (_, state, _)) = loop.fit(method, task, key=key, epochs=epochs, batch_size=batch_size, mesh=mesh)
    state = loop.finish(method, state, task, key=key, mesh=mesh)
    return evaluation.make_evaluate(method, task, mesh)(state)


def test_without_shots_any_shot_is_zero_shot(task):
    moved, method = few_shot.few_shot(task, 0), methods.sje()
    wrapped = methods.any_shot(method, few_shot.num_trained(moved))
    plain, _ = steps(method, task, first_batch(task), count=2)
    same, _ = steps(wrapped, moved, first_batch(moved), count=2, classes=moved.classes)
    jax.tree.map(np.testing.assert_array_equal, same, plain)


@pytest.mark.long
def test_examples_of_unseen_digits_help():
    """Learned descriptions with 0 and with 20 images of each unseen digit, on test images that neither takes."""
    zero_shot = data.test_task(data.load("digits"))
    many_shot = few_shot.few_shot(zero_shot, 20)
    zero_shot = dataclasses.replace(zero_shot, test_unseen=many_shot.test_unseen)
    method = methods.normalized(methods.ale_learned(attachment=0.01, learning_rate=1.0))
    accuracy = [
        float(fitted(methods.any_shot(method, few_shot.num_trained(task)), task, epochs=10).zsl["top1"])
        for task in (zero_shot, many_shot)
    ]
    assert accuracy[1] > accuracy[0] + 0.2, accuracy


@pytest.fixture(scope="module")
def birds(shared_data):
    """The birds, by every fourth feature: enough to tell a method from a control, in a quarter of the time."""
    birds = data.load("xlsa17", dir=shared_data / "xlsa17" / "CUB127")
    return dataclasses.replace(birds, inputs=np.ascontiguousarray(birds.inputs[:, ::4]))


@pytest.mark.long
@pytest.mark.parametrize("name", GRADIENT)
def test_birds_beat_the_permuted_control(name, birds):
    """Unseen accuracy among 33 classes, chance .030, lies .15 above that on shuffled descriptions."""
    real = birds.classes.embedding
    shuffled = np.asarray(class_encoders.permuted(jax.random.key(0), real))
    method = methods.normalized(methods.factory(name)())
    (right, control), _ = embedding_trial.accuracies(method, birds, [real, shuffled])
    assert right > control + 0.15, (right, control)
