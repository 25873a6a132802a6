"""Both models of hyperbolic space against each other, their definitions in float64, and the laws of a distance."""

import functools

import contract
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses, similarity

pytestmark = pytest.mark.long

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
CURVATURES = (0.3, 1.0, 4.0)
# Compiled without the passes that would make it run faster: all is small, and compiling is what takes the time.
MODELS = {
    "lorentz": (similarity.lorentz, similarity.lorentz_exp0, similarity.lorentz_log0),
    "poincare": (similarity.poincare, similarity.poincare_exp0, similarity.poincare_log0),
}
every_model = pytest.mark.parametrize("model", MODELS)


@functools.cache
def compiled(model):
    """Tangent vectors at the origin -> negative distances, points, and tangent vectors again."""
    distance, exp0, log0 = MODELS[model]

    def run(x, y, curvature):
        x, y = exp0(x, curvature=curvature), exp0(y, curvature=curvature)
        return distance(x, y, curvature=curvature), x, log0(x, curvature=curvature)

    return jax.jit(run)


def lorentz_distance(x, y, curvature):
    times = [np.sqrt(1 / curvature + z @ z) for z in (x, y)]
    return np.arccosh(max(curvature * (times[0] * times[1] - x @ y), 1.0)) / np.sqrt(curvature)


def poincare_distance(x, y, curvature):
    room = (1 - curvature * x @ x) * (1 - curvature * y @ y)
    return np.arccosh(1 + 2 * curvature * np.sum((x - y) ** 2) / room) / np.sqrt(curvature)


def exterior_angle(x, y, curvature):
    """Of the triangle origin, x, y: pi minus the angle at x, by the hyperbolic law of cosines."""
    root = np.sqrt(curvature)
    origin = np.zeros_like(x)
    pairs = ((origin, x), (x, y), (origin, y))
    to_x, across, to_y = (root * lorentz_distance(a, b, curvature) for a, b in pairs)
    cosine = (np.cosh(to_x) * np.cosh(across) - np.cosh(to_y)) / (np.sinh(to_x) * np.sinh(across))
    return np.pi - np.arccos(cosine)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_distances_are_their_definitions(curvature):
    x, y = X.astype(np.float64), Y.astype(np.float64)
    expected = [[-lorentz_distance(a, b, curvature) for b in y] for a in x]
    contract.assert_close(similarity.lorentz(X, Y, curvature=curvature), expected, rtol=1e-4)
    x, y = x / (3 * np.sqrt(curvature)), y / (3 * np.sqrt(curvature))
    expected = [[-poincare_distance(a, b, curvature) for b in y] for a in x]
    actual = similarity.poincare(x.astype(np.float32), y.astype(np.float32), curvature=curvature)
    contract.assert_close(actual, expected, rtol=1e-4)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_the_models_are_one_space(curvature):
    """The point of a tangent vector v lies at distance 2 |v| in the ball's metric, and at |v| on the hyperboloid."""
    in_lorentz, *_ = compiled("lorentz")(X, Y, curvature)
    in_poincare, *_ = compiled("poincare")(X / 2, Y / 2, curvature)
    contract.assert_close(in_lorentz, in_poincare, rtol=1e-3, atol=1e-4)
    origin = np.zeros((1, 3), np.float32)
    for name, factor in (("lorentz", 1), ("poincare", 2)):
        distances, *_ = compiled(name)(origin, Y, curvature)
        contract.assert_close(distances[0], -factor * np.linalg.norm(Y, axis=1), rtol=1e-4)


@every_model
@pytest.mark.parametrize("length", [0.0, 1e-6, 1e-3, 0.1, 1.0, 3.0])
def test_log_undoes_exp(model, length):
    vectors = length * X / np.linalg.norm(X, axis=1, keepdims=True)
    for curvature in CURVATURES:
        _, points, back = compiled(model)(vectors, Y, curvature)
        contract.assert_close(back, vectors, rtol=1e-2 if model == "poincare" and length == 3 else 1e-4, atol=1e-9)
        if model == "poincare":
            assert np.all(np.sqrt(curvature) * np.linalg.norm(points, axis=1) < 1)


@every_model
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.sampled_from(CURVATURES), st.floats(0.01, 1.5), st.integers(0, 2**20))
def test_it_is_a_distance(model, curvature, length, seed):
    """Zero to itself, the same both ways, and no detour is shorter."""
    x = np.random.default_rng(seed).normal(size=(4, 3))
    x = (length / np.sqrt(curvature) * x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    y = np.concatenate([x, np.zeros((1, 3), np.float32)])
    distances = -np.asarray(compiled(model)(x, y, curvature)[0])[:, :4]
    reach = np.max(distances)
    # The squares of near points in Lorentz space are what is left of a difference of numbers as large as sinh^2.
    noise = 1e-3 * np.sinh(length) / np.sqrt(curvature) if model == "lorentz" else 1e-6
    assert np.all(np.diagonal(distances) <= noise)
    assert np.all(distances >= 0)
    contract.assert_close(distances, distances.T, rtol=1e-3, atol=noise)
    detours = distances[:, :, None] + distances[None, :, :]
    assert np.all(distances[:, None, :] <= detours + noise + 1e-4 * reach)


def test_near_the_origin_space_is_flat():
    """Where the metric is the Euclidean one in Lorentz space and twice it in the ball, to float32 precision."""
    x, y = 1e-4 * X, 1e-4 * Y
    flat = -np.linalg.norm(x[:, None] - y[None], axis=2)
    contract.assert_close(similarity.lorentz(x, y), flat, rtol=1e-4, atol=0)
    contract.assert_close(similarity.poincare(x, y), 2 * flat, rtol=1e-4, atol=0)


def test_the_ball_keeps_its_digits_near_its_edge():
    x = np.array([[1 - 3e-5, 0.0], [0.0, 1 - 3e-5]], np.float32)
    expected = [[-poincare_distance(a, b, 1.0) for b in x.astype(float)] for a in x.astype(float)]
    actual = similarity.poincare(x, x)
    contract.assert_close(np.diagonal(actual), np.zeros(2), atol=0)
    contract.assert_close(actual, expected, rtol=1e-2)


@every_model
def test_jit_vmap_and_half_precision(model):
    distance, exp0, log0 = MODELS[model]
    curvature = np.float32(0.5)

    def run(x, y, curvature):
        return distance(exp0(x, curvature=curvature), log0(y / 9, curvature=curvature), curvature=curvature)

    compiled = jax.jit(run)
    contract.assert_close(run(X, Y, curvature), compiled(X, Y, curvature))
    contract.check_vmap(compiled, X, Y, curvature, rtol=1e-4, atol=1e-5)
    for fn in (exp0, log0, lambda x: distance(x, x)):
        contract.check_half_precision(fn, X / 9)


@every_model
def test_is_finite_at_the_ugly_points(model):
    """At the origin, at equal points, beyond the edge and very far out; and in the curvature."""

    def total(x, y, curvature):
        distance, exp0, log0 = MODELS[model]
        points = exp0(x, curvature=curvature)
        return (
            jnp.sum(distance(points, points, curvature=curvature))
            + jnp.sum(distance(x, y, curvature=curvature))
            + jnp.sum(log0(y, curvature=curvature))
        )

    grad = jax.jit(jax.value_and_grad(total, (0, 1, 2)))
    for number in (0.0, 1e-20, 1e-8, 0.5, 1.0, 30.0, 1e4):
        for curvature in CURVATURES:
            value, gradients = grad(np.full_like(X, number), np.full_like(Y, number), curvature)
            assert np.isfinite(value), (number, curvature)
            assert all(np.all(np.isfinite(g)) for g in gradients), (number, curvature)


@every_model
def test_gradients_are_those_of_the_definition(model):
    definition = {"lorentz": lorentz_distance, "poincare": poincare_distance}[model]
    distance, *_ = MODELS[model]
    x, y, curvature = X / 4, Y / 4, 0.7
    pull = jax.jit(jax.grad(lambda *a: jnp.sum(distance(a[0], a[1], curvature=a[2])), (0, 1, 2)))(x, y, curvature)
    for i in range(3):
        direction = np.random.default_rng(i).normal(size=np.shape((x, y, curvature)[i]))

        def along(step, i=i, direction=direction):
            moved = [np.asarray(a, np.float64) for a in (x, y, curvature)]
            moved[i] = moved[i] + step * direction
            return -sum(definition(a, b, moved[2]) for a in moved[0] for b in moved[1])

        slope = (along(1e-6) - along(-1e-6)) / 2e-6
        np.testing.assert_allclose(np.sum(pull[i] * direction), slope, rtol=1e-3)


def test_wrong_shapes_are_named():
    for fn in (similarity.lorentz, similarity.poincare):
        with pytest.raises(ValueError, match=r"\(4, 3\) and \(5, 2\)"):
            fn(X, Y[:, :2])
    for fn in (similarity.lorentz_exterior_angle, losses.entailment):
        with pytest.raises(ValueError, match=r"\(4, 3\), \(5, 3\)"):
            fn(X, Y)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_cones_are_their_definitions(curvature):
    parents, children = X, Y[:4]
    angles = np.array([exterior_angle(x, y, curvature) for x, y in zip(parents.astype(float), children.astype(float))])
    contract.assert_close(
        similarity.lorentz_exterior_angle(parents, children, curvature=curvature), angles, rtol=1e-3, atol=1e-4
    )
    apertures = np.arcsin(np.minimum(0.2 / (np.sqrt(curvature) * np.linalg.norm(parents, axis=1)), 1.0))
    contract.assert_close(similarity.lorentz_half_aperture(parents, curvature=curvature), apertures, rtol=1e-4)
    contract.assert_close(
        losses.entailment(parents, children, curvature=curvature),
        np.maximum(angles - apertures, 0.0),
        rtol=1e-3,
        atol=1e-3,
    )


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.floats(0.01, 3.0), st.floats(1.01, 5.0), st.sampled_from(CURVATURES))
def test_what_lies_further_out_on_the_ray_is_entailed(length, further, curvature):
    parents = (length * X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    values = entailment(parents, np.float32(further) * parents, curvature)
    assert np.all(np.asarray(values) == 0)


@functools.cache
def _entailment():
    return jax.jit(lambda parents, children, curvature: losses.entailment(parents, children, curvature=curvature))


def entailment(parents, children, curvature):
    return _entailment()(parents, children, curvature)


def test_entailment_has_a_direction_and_a_slope():
    parents = 0.5 * X / np.linalg.norm(X, axis=1, keepdims=True)
    inward = entailment(parents, 0.5 * parents, 1.0)
    contract.assert_close(inward, np.full(4, np.pi) - similarity.lorentz_half_aperture(parents), rtol=1e-3)
    sideways = parents + 0.3 * np.roll(parents, 1, axis=1)
    value, slope = jax.value_and_grad(lambda y: jnp.sum(losses.entailment(parents, y)))(sideways)
    assert value > 0
    assert np.sum(entailment(parents, sideways - 1e-2 * np.asarray(slope), 1.0)) < value


def test_entailment_is_finite_at_the_ugly_points_and_masked():
    where = np.array([True, False, True, False])

    def total(parents, children, curvature, min_radius):
        values = losses.entailment(parents, children, curvature=curvature, min_radius=min_radius, where=where)
        return jnp.sum(values), values

    grad = jax.jit(jax.grad(total, (0, 1, 2, 3), has_aux=True))
    points = [np.zeros_like(X), X, 1e-20 * X, 1e4 * X, np.where(where[:, None], X, np.nan)]
    for parents in points:
        for children in points:
            gradients, values = grad(parents, children, 1.0, 0.1)
            assert np.all(np.isfinite(values))
            assert np.all(np.asarray(values)[~where] == 0)
            assert all(np.all(np.isfinite(g)) for g in gradients)
    contract.assert_close(grad(X, X, 1.0, 0.1)[1], np.zeros(4))  # a child at its parent
    contract.check_vmap(jax.jit(losses.entailment), X, Y[:4], rtol=1e-4, atol=1e-5)
    contract.check_half_precision(losses.entailment, X, Y[:4])
