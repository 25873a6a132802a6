"""Closed forms against numpy and scipy, streamed against solved at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import small_trainer
import toy

from zsl_jax import data, errors, methods, metrics
from zsl_jax.methods import closed_form, shifted

pytestmark = pytest.mark.long

KEY = jax.random.key(0)
FACTORIES = {
    "eszsl": methods.eszsl,
    "ridge": methods.ridge,
    "sae": methods.sae,
    "gfzsl": methods.gfzsl,
}
KNOBS = {"eszsl": "feature_ridge", "ridge": "feature_ridge", "sae": "encoder_weight", "gfzsl": "class_ridge"}
REAL_MARGIN = 0.3


@pytest.fixture(scope="module")
def task():
    return data.test_task(toy.dataset(num_seen=10, num_unseen=3, per_class=16))


def at_once(method, task):
    """The solution from one batch of all training examples, two of the rows of which are padding with NaN."""
    inputs = np.concatenate([task.train.inputs, np.full((2, task.train.inputs.shape[1]), np.nan, np.float32)])
    labels = np.concatenate([task.train.labels, [0, 1]])
    batch = data.Batch(inputs, labels, np.arange(len(labels)) < len(task.train.labels))
    state = method.init(KEY, batch, task.seen_classes, ())
    state, metrics = method.update(state, batch, task.seen_classes, KEY)
    assert metrics["examples"] == len(task.train.labels)
    return method.finish(state, task.train, task.seen_classes, KEY)


def normal_equations(task):
    """X, one-hot Y and Phi of the seen classes in float64."""
    one_hot = np.eye(task.num_seen)[task.train.labels]
    return task.train.inputs.astype(float), one_hot, task.seen_classes.embedding.astype(float)


@pytest.mark.parametrize("other_target", [-1.0, 0.0])
def test_eszsl_solves_its_normal_equations(task, other_target):
    state = at_once(methods.eszsl(feature_ridge=2.0, class_ridge=0.5, other_target=other_target), task)
    weights = state.value
    x, one_hot, phi = normal_equations(task)
    y = np.where(one_hot == 1, 1.0, other_target)
    left, right = x.T @ x + 2.0 * np.eye(x.shape[1]), phi.T @ phi + 0.5 * np.eye(phi.shape[1])
    expected = np.linalg.solve(left, x.T @ y @ phi) @ np.linalg.inv(right)
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    inputs = task.sets["test_unseen"].inputs
    scores = methods.score(methods.eszsl(), state, inputs, task.classes)
    np.testing.assert_allclose(scores, inputs @ expected @ task.classes.embedding.T, rtol=1e-3, atol=1e-4)


def test_eszsl_in_units_of_the_variances_scores_alike_at_any_scale(task):
    method, scales = methods.eszsl(feature_ridge=0.5, class_ridge=0.3, unit="variance"), (30.0, 0.2)

    def scaled(examples):
        return examples._replace(inputs=examples.inputs * scales[0])

    classes = dataclasses.replace(task.classes, embedding=task.classes.embedding * scales[1])
    sets = {name: scaled(examples) for name, examples in task.sets.items()}
    other = dataclasses.replace(task, train=scaled(task.train), sets=sets, classes=classes)
    one, two = (
        methods.score(method, at_once(method, each), each.sets["test_unseen"].inputs, each.classes)
        for each in (task, other)
    )
    np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4 * np.abs(one).max())
    x, _, phi = normal_equations(task)
    units = [np.sum((rows - rows.mean(axis=0)) ** 2) / rows.shape[1] for rows in (x, phi)]
    plain = methods.eszsl(feature_ridge=0.5 * units[0], class_ridge=0.3 * units[1])
    same = methods.score(plain, at_once(plain, task), task.sets["test_unseen"].inputs, task.classes)
    np.testing.assert_allclose(task.num_seen * same, one, rtol=1e-3, atol=1e-4 * np.abs(one).max())


@pytest.mark.parametrize(("count", "width"), [(7, 5), (7, 512), (7, 1030), (1024, 600), (2055, 600)])
def test_the_gram_matrix_is_the_product(count, width):
    x = np.random.default_rng(0).standard_normal((count, width)).astype(np.float32)
    found = np.asarray(closed_form.gram(jnp.asarray(x)))
    np.testing.assert_allclose(found, x.T.astype(np.float64) @ x, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(found, found.T)


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


@pytest.mark.parametrize("name", FACTORIES)
def test_streaming_padding_and_epochs_do_not_change_the_solution(task, name):
    method, inputs = FACTORIES[name](), task.sets["test_unseen"].inputs
    scores = methods.score(method, at_once(method, task), inputs, task.classes)
    for epochs in (1, 2):
        state = small_trainer.fitted(method, task, epochs=epochs, batch_size=16)
        streamed = methods.score(method, state, inputs, task.classes)
        np.testing.assert_allclose(streamed, scores, atol=1e-3 * np.abs(scores).max())


@pytest.mark.parametrize("name", FACTORIES)
def test_settings_side_by_side_are_the_single_solutions(task, name):
    """A map over a knob shares the sums, which do not depend on it."""
    factory, knob = FACTORIES[name], KNOBS[name]
    batch = data.Batch(task.train.inputs, task.train.labels, np.ones(len(task.train.labels), bool))
    sums = factory().init(KEY, batch, task.seen_classes, ())
    sums, _ = factory().update(sums, batch, task.seen_classes, KEY)

    def scores(value):
        method = factory(**{knob: value})
        state = method.finish(sums, task.train, task.seen_classes, KEY)
        return methods.score(method, state, task.sets["test_unseen"].inputs, task.classes)

    values = jnp.array([0.3, 3.0])
    together, single = jax.jit(jax.vmap(scores))(values), [scores(value) for value in values]
    assert np.abs(single[0] - single[1]).max() > 1e-3 * np.abs(single[0]).max()
    np.testing.assert_allclose(together, single, atol=1e-3 * np.abs(single).max())


def test_ridge_is_the_least_squares_map(task):
    state = at_once(methods.ridge(feature_ridge=3.0), task)
    weights = state.value
    x, one_hot, phi = normal_equations(task)
    expected = np.linalg.solve(x.T @ x + 3.0 * np.eye(x.shape[1]), x.T @ one_hot @ phi)
    np.testing.assert_allclose(weights, expected, rtol=1e-3, atol=1e-5)
    inputs = task.sets["test_unseen"].inputs
    embedded = inputs @ expected
    attributes = task.classes.embedding
    dots = methods.score(methods.ridge(score="dot"), state, inputs, task.classes)
    np.testing.assert_allclose(dots, embedded @ attributes.T, rtol=1e-3, atol=1e-4)
    lengths = np.linalg.norm(embedded, axis=1)[:, None] * np.linalg.norm(attributes, axis=1)[None, :]
    cosines = methods.score(methods.ridge(score="cosine"), state, inputs, task.classes)
    np.testing.assert_allclose(cosines, embedded @ attributes.T / lengths, atol=1e-4)


def test_sylvester_is_that_of_scipy():
    rng = np.random.default_rng(1)
    halves = rng.standard_normal((40, 7)), rng.standard_normal((50, 9))
    (left, right), targets = (half.T @ half for half in halves), rng.standard_normal((7, 9))
    for weight in (0.2, 5.0):
        expected = scipy.linalg.solve_sylvester(left, weight * right, targets)
        actual = methods.sylvester(left, right, targets, weight=weight)
        assert np.linalg.norm(actual - expected) < 1e-5 * np.linalg.norm(expected)


def test_sae_solves_its_sylvester_equation(task):
    """In float64, from the examples themselves."""
    weight = 0.7
    state = at_once(methods.sae(encoder_weight=weight), task)
    weights = state.value
    x, one_hot, phi = normal_equations(task)
    s = (one_hot @ phi).T
    expected = scipy.linalg.solve_sylvester(s @ s.T, weight * x.T @ x, (1 + weight) * s @ x)
    assert np.linalg.norm(weights - expected) < 1e-5 * np.linalg.norm(expected)
    inputs, attributes = task.sets["test_unseen"].inputs, task.classes.embedding
    for direction, (a, b) in {
        "to_attributes": (inputs @ expected.T, attributes),
        "to_features": (inputs, attributes @ expected),
    }.items():
        cosines = a @ b.T / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)[None, :]
        scores = methods.score(methods.sae(direction=direction), state, inputs, task.classes)
        np.testing.assert_allclose(scores, cosines, atol=1e-4)


def test_sae_rows_of_unit_length_are_those_of_the_solution(task):
    solved, unit = (np.asarray(at_once(methods.sae(rows=rows), task).value) for rows in ("solved", "unit"))
    np.testing.assert_allclose(unit, solved / np.linalg.norm(solved, axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    assert np.ptp(np.linalg.norm(solved, axis=1)) > 0.01


def test_sylvester_of_two_singular_matrices_is_finite():
    ones = jnp.ones((6, 6))
    assert np.all(np.isfinite(methods.sylvester(ones, ones, ones)))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_gfzsl_scores_are_the_log_likelihoods(task, kernel):
    method = methods.gfzsl(class_ridge=0.2, prior_count=5.0, kernel=kernel, bandwidth=3.0)
    state = at_once(method, task)
    x, one_hot, phi = normal_equations(task)
    groups = [x[one_hot[:, c] == 1] for c in range(task.num_seen)]
    means = np.stack([group.mean(axis=0) for group in groups])
    scatter = np.stack([((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in groups])
    counts = one_hot.sum(axis=0)[:, None]
    log_variances = np.log((scatter + 5.0 * scatter.sum(axis=0) / len(x)) / (counts + 5.0))

    def gram(a, b):
        distances = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
        return a @ b.T if kernel == "linear" else np.exp(-distances / 9.0)

    def regressed(targets):
        weights = np.linalg.solve(gram(phi, phi) + 0.2 * np.eye(len(phi)), targets - targets.mean(axis=0))
        return gram(task.classes.embedding.astype(float), phi) @ weights + targets.mean(axis=0)

    mean, variance = regressed(means), np.exp(regressed(log_variances))
    inputs = task.sets["test_unseen"].inputs[:5]
    squares = (inputs[:, None, :] - mean[None]) ** 2 / variance[None] + np.log(variance)[None]
    expected = -0.5 * squares.mean(axis=-1)
    np.testing.assert_allclose(methods.score(method, state, inputs, task.classes), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("factory", "knob"),
    [
        *((methods.ridge, "score"), (methods.sae, "direction"), (methods.sae, "rows")),
        *((methods.gfzsl, "kernel"), (methods.eszsl, "unit")),
    ],
)
def test_unknown_choices_are_refused_with_the_known_ones(factory, knob):
    with pytest.raises(errors.UserError, match=f"unknown {knob} 'sideways'.*choices"):
        factory(**{knob: "sideways"})


def test_inputs_that_are_no_vectors_are_refused(task):
    batch = data.Batch(np.zeros((2, 4, 4), np.float32), np.zeros(2, int), np.ones(2, bool))
    with pytest.raises(errors.UserError, match=r"not inputs \[4, 4\]: choose features of the images"):
        methods.eszsl().init(KEY, batch, task.seen_classes, ())


@pytest.fixture(scope="module")
def birds(shared_data):
    """33 unseen classes, chance .03."""
    return data.test_task(data.load("xlsa17", dir=str(shared_data / "xlsa17" / "CUB127"), semantics="att"))


@pytest.mark.long
@pytest.mark.parametrize("name", FACTORIES)
def test_real_unseen_classes_beat_permuted_descriptions(birds, name):
    task = birds
    rows = np.random.default_rng(0).permutation(len(task.classes))
    accuracies = []
    for embedding in (task.classes.embedding, task.classes.embedding[rows]):
        permuted = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=embedding))
        method = methods.normalized(FACTORIES[name]())
        state = at_once(method, permuted)
        unseen = task.sets["test_unseen"]
        scores = methods.score(method, state, unseen.inputs, permuted.unseen_classes)
        predictions = task.num_seen + jnp.argmax(scores, axis=1)
        accuracies.append(metrics.per_class_accuracy(predictions, unseen.labels, num_classes=len(task.classes)))
    assert accuracies[0] > accuracies[1] + REAL_MARGIN
    assert accuracies[1] < 0.15
