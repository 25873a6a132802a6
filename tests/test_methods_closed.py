"""Closed forms against numpy and scipy, streamed against solved at once, one device against eight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from zsl_jax import data, methods
from zsl_jax.methods import shifted
from zsl_jax.training import loop, parallel

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def at_once(method, task):
    """The solution from one batch of all training examples, two of the rows of which are padding with NaN."""
    inputs = np.concatenate([task.train.inputs, np.full((2, task.train.inputs.shape[1]), np.nan, np.float32)])
    labels = np.concatenate([task.train.labels, [0, 1]])
    batch = data.Batch(inputs, labels, np.arange(len(labels)) < len(task.train.labels))
    state = method.init(KEY, batch, task.seen_classes)
    state, metrics = method.update(state, batch, task.seen_classes, KEY)
    assert metrics["examples"] == len(task.train.labels)
    return method.finish(state, task.train, task.classes, KEY)


def streamed(method, task, mesh, epochs=1):
    """The solution after batches of 16, the last of which is filled up."""
    (*_, (_, state, _)) = loop.fit(method, task, key=KEY, epochs=epochs, batch_size=16, mesh=mesh)
    return loop.finish(method, state, task, key=KEY, mesh=mesh)


def normal_equations(task):
    """X, one-hot Y and Phi of the seen classes in float64."""
    one_hot = np.eye(task.num_seen)[task.train.labels]
    return task.train.inputs.astype(float), one_hot, task.seen_classes.embedding.astype(float)


@pytest.mark.parametrize("other_target", [-1.0, 0.0])
def test_eszsl_solves_its_normal_equations(task, other_target):
    weights = at_once(methods.eszsl(feature_ridge=2.0, class_ridge=0.5, other_target=other_target), task)
    x, one_hot, phi = normal_equations(task)
    y = np.where(one_hot == 1, 1.0, other_target)
    left, right = x.T @ x + 2.0 * np.eye(x.shape[1]), phi.T @ phi + 0.5 * np.eye(phi.shape[1])
    expected = np.linalg.solve(left, x.T @ y @ phi) @ np.linalg.inv(right)
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    scores = methods.eszsl().scores(weights, task.test_unseen.inputs, task.classes)
    np.testing.assert_allclose(
        scores, task.test_unseen.inputs @ expected @ task.classes.embedding.T, rtol=1e-3, atol=1e-4
    )


def test_many_shifts_side_by_side_are_the_single_solutions():
    rng = np.random.default_rng(0)
    half = rng.standard_normal((5, 6)).astype(np.float32)  # a matrix of rank 5
    matrix, targets = half.T @ half, rng.standard_normal((6, 3)).astype(np.float32)
    shifts = jnp.array([0.1, 1.0, 10.0])
    expected = np.stack([np.linalg.solve(matrix + s * np.eye(6), targets) for s in shifts])
    many = jax.jit(jax.vmap(lambda s: shifted.shifted_solve(matrix, targets, s)))
    np.testing.assert_allclose(many(shifts), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        [shifted.shifted_solve(matrix, targets, s) for s in shifts], expected, rtol=1e-3, atol=1e-4
    )
    # One eigendecomposition, of the one matrix, however many shifts.
    text = many.lower(shifts).as_text()
    assert "6x6xf32" in text
    assert "3x6x6xf32" not in text
    assert "potrf" not in text
    stacked = jnp.stack([matrix, 2 * matrix, 3 * matrix])
    each = jax.vmap(shifted.shifted_solve, (0, None, None))(stacked, targets, 1.0)
    np.testing.assert_allclose(each[1], shifted.shifted_solve(2 * matrix, targets, 1.0), rtol=1e-4, atol=1e-5)


def test_a_shift_that_float32_cannot_resolve_gives_finite_numbers():
    matrix = jnp.ones((40, 40))
    assert np.all(np.isfinite(shifted.shifted_solve(matrix, jnp.eye(40), 0.0)))
    assert np.all(np.isfinite(jax.vmap(lambda s: shifted.shifted_solve(matrix, jnp.eye(40), s))(jnp.zeros(2))))


FACTORIES = {"eszsl": methods.eszsl}
KNOBS = {"eszsl": "feature_ridge"}


@pytest.mark.parametrize("name", FACTORIES)
def test_streaming_padding_devices_and_epochs_do_not_change_the_solution(task, name):
    method = FACTORIES[name]()
    scores = method.scores(at_once(method, task), task.test_unseen.inputs, task.classes)
    atol = 1e-3 * np.abs(scores).max()
    eight = parallel.make_mesh()
    one = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    assert eight.size == 8
    for mesh, epochs in ((eight, 1), (one, 1), (eight, 2)):
        state = jax.device_get(streamed(method, task, mesh, epochs))
        np.testing.assert_allclose(method.scores(state, task.test_unseen.inputs, task.classes), scores, atol=atol)


@pytest.mark.parametrize("name", FACTORIES)
def test_settings_side_by_side_are_the_single_solutions(task, name):
    """A map over a knob shares the sums, which do not depend on it."""
    factory, knob = FACTORIES[name], KNOBS[name]
    batch = data.Batch(task.train.inputs, task.train.labels, np.ones(len(task.train.labels), bool))
    sums = factory().init(KEY, batch, task.seen_classes)
    sums, _ = factory().update(sums, batch, task.seen_classes, KEY)

    def scores(value):
        method = factory(**{knob: value})
        return method.scores(method.finish(sums, task.train, task.classes, KEY), task.test_unseen.inputs, task.classes)

    values = jnp.array([0.3, 3.0])
    together, single = jax.jit(jax.vmap(scores))(values), [scores(value) for value in values]
    assert np.abs(single[0] - single[1]).max() > 1e-3 * np.abs(single[0]).max()
    np.testing.assert_allclose(together, single, atol=1e-3 * np.abs(single).max())
