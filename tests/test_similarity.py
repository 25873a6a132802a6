"""The flat similarities, Gaussians and sets against loops, at the ugly points, and at their limits."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import contract
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from zsl_jax import similarity

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
PHI = rng.normal(size=(5, 2)).astype(np.float32)
VX, VY = rng.uniform(0.3, 2.0, X.shape).astype(np.float32), rng.uniform(0.3, 2.0, Y.shape).astype(np.float32)
W, U, V, T = (rng.normal(size=s).astype(np.float32) for s in ((3, 2), (3, 4), (2, 4), (3, 2)))
LATENT = rng.normal(size=(3, 3, 2)).astype(np.float32)
XS, YS = rng.normal(size=(4, 2, 3)).astype(np.float32), rng.normal(size=(5, 4, 3)).astype(np.float32)


class Case(NamedTuple):
    """`fn(*arrays) -> [B, C]`, of which `pair` makes one entry from the rows of it."""

    name: str
    fn: Callable
    pair: Callable
    arrays: tuple[Any, ...]
    sides: str  # one letter per array: whether it has rows of images (b), of classes (c), or neither (-)


def unit(x):
    return x / np.linalg.norm(x)


def negative_kl(m, v, n, w):
    return -0.5 * sum(np.log(w[d] / v[d]) + (v[d] + (m[d] - n[d]) ** 2) / w[d] - 1 for d in range(len(m)))


def max_sim(elements, others):
    return sum(max(x @ y for y in others) for x in elements)


CASES = [
    Case("dot", similarity.dot, lambda x, y: x @ y, (X, Y), "bc"),
    Case("cosine", similarity.cosine, lambda x, y: unit(x) @ unit(y), (X, Y), "bc"),
    Case("bilinear", similarity.bilinear, lambda x, y, w: x @ w @ y, (X, PHI, W), "bc-"),
    Case(
        "low_rank_bilinear",
        similarity.low_rank_bilinear,
        lambda x, y, u, v: (x @ u) @ (y @ v),
        (X, PHI, U, V),
        "bc--",
    ),
    Case(
        "latent_bilinear",
        similarity.latent_bilinear,
        lambda x, y, ws: max(x @ w @ y for w in ws),
        (X, PHI, LATENT),
        "bc-",
    ),
    Case(
        "negative_squared_euclidean",
        similarity.negative_squared_euclidean,
        lambda x, y: -np.sum((x - y) ** 2),
        (X, Y),
        "bc",
    ),
    Case("negative_euclidean", similarity.negative_euclidean, lambda x, y: -np.linalg.norm(x - y), (X, Y), "bc"),
    Case(
        "mahalanobis",
        similarity.mahalanobis,
        lambda x, y, t: -np.sum(((x - y) @ t) ** 2),
        (X, Y, T),
        "bc-",
    ),
    Case("gaussian_negative_kl", similarity.gaussian_negative_kl, negative_kl, (X, VX, Y, VY), "bbcc"),
    Case("late_interaction", similarity.late_interaction, max_sim, (XS, YS), "bc"),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
# Compiled without the passes that would make it run faster: all is small, and compiling is what takes the time.


@functools.cache
def compiled(name):
    case = next(case for case in CASES if case.name == name)
    return jax.jit(case.fn)


def expected(case, arrays):
    arrays = [x.astype(np.float64) for x in arrays]
    rows, columns = (len(arrays[case.sides.index(letter)]) for letter in "bc")
    scores = np.zeros((rows, columns))
    for b, c in np.ndindex(rows, columns):
        scores[b, c] = case.pair(*(x[{"b": b, "c": c}[s]] if s != "-" else x for x, s in zip(arrays, case.sides)))
    return scores


@every_case
def test_is_its_definition(case):
    contract.assert_close(compiled(case.name)(*case.arrays), expected(case, case.arrays), atol=1e-5)
    contract.assert_close(case.fn(*case.arrays), expected(case, case.arrays), atol=1e-5)


@every_case
def test_the_gradient_is_that_of_the_definition(case):
    """Along a few directions, by central differences in float64."""
    total, pull = jax.jit(
        jax.value_and_grad(lambda *arrays: jnp.sum(jnp.sin(case.fn(*arrays))), range(len(case.arrays)))
    )(*case.arrays)
    np.testing.assert_allclose(total, np.sum(np.sin(expected(case, case.arrays))), rtol=1e-4, atol=1e-4)
    rng = np.random.default_rng(1)
    for _ in range(3):
        directions = [rng.normal(size=x.shape) for x in case.arrays]
        slope = sum(np.sum(g * d) for g, d in zip(pull, directions))
        up, down = (
            np.sum(np.sin(expected(case, [x + sign * 1e-6 * d for x, d in zip(case.arrays, directions)])))
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-3, atol=1e-3)


@every_case
def test_jit_vmap_and_half_precision(case):
    contract.check_vmap(compiled(case.name), *case.arrays, rtol=1e-4, atol=1e-5)
    contract.check_half_precision(case.fn, *case.arrays)


@pytest.mark.long
def test_eight_devices_are_one():
    """Images divided over the devices, classes on all of them: values and gradients of all in one program."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    divided, replicated = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes)) for axes in (("data",), ())
    )
    arguments = {
        case.name: [x[np.arange(8) % 4] if s == "b" else x for x, s in zip(case.arrays, case.sides)] for case in CASES
    }
    places = {case.name: [divided if s == "b" else replicated for s in case.sides] for case in CASES}

    @jax.jit
    def everything(arguments):
        def one(case):
            scores, pull = jax.vjp(case.fn, *arguments[case.name])
            return scores, pull(jnp.cos(scores))

        return {case.name: one(case) for case in CASES}

    on_eight = everything(jax.device_put(arguments, places))
    contract.assert_close(on_eight, everything(arguments), rtol=1e-4, atol=1e-5)


@every_case
def test_is_finite_at_zeros_and_at_equal_points(case):
    grad = jax.jit(jax.value_and_grad(lambda *arrays: jnp.sum(case.fn(*arrays)), range(len(case.arrays))))
    for number in (0.0, 1.0, -3.7, 1e4):
        arrays = [np.full_like(x, number) if x is not VX and x is not VY else x for x in case.arrays]
        value, gradients = grad(*arrays)
        assert np.isfinite(value), number
        assert all(np.all(np.isfinite(g)) for g in gradients), number


@every_case
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20))
def test_rows_and_columns_are_apart(case, seed):
    """The order of images and classes does not matter, and what one row holds changes no other."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(4), rng.permutation(5)
    moved = [x if s == "-" else x[rows if s == "b" else columns] for x, s in zip(case.arrays, case.sides)]
    scores = np.asarray(compiled(case.name)(*case.arrays))
    contract.assert_close(compiled(case.name)(*moved), scores[rows][:, columns], rtol=1e-4, atol=1e-5)
    changed = [x.copy() for x in case.arrays]
    changed[0][0] += rng.normal(size=changed[0][0].shape)
    contract.assert_close(np.asarray(compiled(case.name)(*changed))[1:], scores[1:], rtol=1e-4, atol=1e-5)


@every_case
def test_wrong_shapes_are_named(case):
    first = case.arrays[0]
    wrong = first[..., :-1]
    with pytest.raises(ValueError, match=str(wrong.shape).replace("(", r"\(").replace(")", r"\)")):
        case.fn(wrong, *case.arrays[1:])
    with pytest.raises(ValueError, match=r"\(3,\)|\(2, 3\)"):
        case.fn(first[0], *case.arrays[1:])


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_cosines_do_not_know_the_scale(a, b):
    contract.assert_close(compiled("cosine")(np.float32(a) * X, np.float32(b) * Y), similarity.cosine(X, Y), atol=1e-5)


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.floats(-30, 30))
def test_distances_do_not_change_when_all_points_move(shift):
    for name in ("negative_squared_euclidean", "negative_euclidean"):
        moved = compiled(name)(X + np.float32(shift), Y + np.float32(shift))
        contract.assert_close(moved, compiled(name)(X, Y), rtol=1e-4, atol=1e-4)


def test_distances_far_from_the_origin_keep_their_digits():
    x, y = X + 1000.0, Y + 1000.0  # the naive form would lose all but one digit of the squares
    contract.assert_close(
        compiled("negative_squared_euclidean")(x, y),
        -np.sum((x[:, None].astype(np.float64) - y[None].astype(np.float64)) ** 2, axis=2),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.long
def test_l2_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [1e-15, 0.0]], np.float32)
    contract.assert_close(similarity.l2_normalize(x), [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]])
    contract.assert_close(similarity.l2_normalize(x.T, axis=0), similarity.l2_normalize(x).T)
    gradient = jax.grad(lambda x: jnp.sum(similarity.l2_normalize(x)))(jnp.asarray(x))
    assert np.all(np.asarray(gradient[1]) == 0)
    contract.assert_close(gradient[0], [(0.8 - 0.6) * 0.8 / 5, -(0.8 - 0.6) * 0.6 / 5])
    contract.check_half_precision(similarity.l2_normalize, x)


def test_distmult():
    heads, relations, tails = X, X[::-1].copy(), X + 1
    expected = [sum(h * r * t) for h, r, t in zip(heads, relations, tails)]
    contract.assert_close(similarity.distmult(heads, relations, tails), expected)
    contract.assert_close(similarity.distmult(tails, relations, heads), expected)  # symmetric in head and tail
    contract.assert_close(similarity.dot(heads * relations, tails)[1, 1], expected[1])
    contract.check_half_precision(similarity.distmult, heads, relations, tails)
    with pytest.raises(ValueError, match=r"\(4, 3\), \(4, 3\), \(3, 3\)"):
        similarity.distmult(heads, relations, tails[:3])


def test_bilinear_in_less_than_full_precision_is_summed_in_float32():
    x, y = jnp.full((1, 4096), 1.0, jnp.bfloat16), jnp.full((1, 4096), 1.0, jnp.bfloat16)
    assert similarity.dot(x, y)[0, 0] == 4096  # a sum in bfloat16 would stop at 256
    identity = jnp.eye(4096, dtype=jnp.bfloat16)
    assert similarity.bilinear(x, y, identity)[0, 0] == 4096


def test_the_gaussian_vectors_rank_as_the_divergence():
    queries = np.asarray(similarity.gaussian_query(X, VX), np.float64)
    documents = np.asarray(similarity.gaussian_document(Y, VY), np.float64)
    scores = np.asarray(similarity.gaussian_negative_kl(X, VX, Y, VY))
    difference = scores - queries @ documents.T  # a constant of each query
    contract.assert_close(difference, np.broadcast_to(difference[:, :1], scores.shape), rtol=1e-4, atol=1e-4)
    contract.assert_close(np.diagonal(similarity.gaussian_negative_kl(X, VX, X, VX)), np.zeros(4), atol=1e-5)
    with pytest.raises(ValueError, match=r"\(4, 3\), \(3, 3\)"):
        similarity.gaussian_negative_kl(X, VX[:3], Y, VY)


def test_sets_are_what_their_masks_leave():
    image_where, class_where = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool), rng.random((5, 4)) < 0.6
    class_where[:, 0], class_where[4] = True, False
    xs, ys = np.where(image_where[..., None], XS, np.nan), np.where(class_where[..., None], YS, np.nan)

    def late(x, y):
        return max_sim(x, y) if len(x) and len(y) else -np.inf

    def transport(x, y):
        return -exact_transport(x, y) if len(x) and len(y) else -np.inf

    for fn, pair, tolerance in (
        (similarity.late_interaction, late, 1e-5),
        (functools.partial(similarity.optimal_transport, epsilon=0.02, iterations=300), transport, 0.05),
    ):

        def total(xs, ys, fn=fn):
            scores = fn(xs, ys, image_where=image_where, class_where=class_where)
            return jnp.sum(jnp.where(jnp.isfinite(scores), jnp.sin(scores), 0.0)), scores

        gradients, scores = jax.jit(jax.grad(total, (0, 1), has_aux=True))(xs, ys)
        expected = [[pair(x[i], y[j]) for y, j in zip(YS, class_where)] for x, i in zip(XS, image_where)]
        contract.assert_close(scores, expected, atol=tolerance)
        for gradient, where in zip(gradients, (image_where, class_where)):
            assert np.all(np.isfinite(gradient))
            assert np.all(np.asarray(gradient)[~where] == 0)


def exact_transport(x, y):
    """By linear programming."""
    costs = np.sum((x[:, None] - y[None]) ** 2, axis=2)
    rows, columns = costs.shape
    sums = [np.kron(np.eye(rows), np.ones(columns)), np.kron(np.ones(rows), np.eye(columns))]
    shares = np.concatenate([np.full(rows, 1 / rows), np.full(columns, 1 / columns)])
    return scipy.optimize.linprog(costs.ravel(), A_eq=np.vstack(sums), b_eq=shares).fun


def test_transport_takes_half_precision_and_one_epsilon():
    contract.check_half_precision(functools.partial(similarity.optimal_transport, iterations=2), XS, YS)
    with pytest.raises(ValueError, match=r"epsilon must be one number, not an array \(5,\)"):
        similarity.optimal_transport(XS, YS, epsilon=np.ones(5))
    for fn in (similarity.optimal_transport, similarity.late_interaction):
        with pytest.raises(ValueError, match=r"\(4, 2, 3\) and \(5, 4, 2\)"):
            fn(XS, YS[:, :, :2])
        with pytest.raises(ValueError, match=r"broadcastable to \(4, 2\), not \(4,\)"):
            fn(XS, YS, image_where=np.ones(4, bool))


def test_sinkhorn_is_the_loop():
    costs, epsilon = rng.random((3, 4)).astype(np.float32), 0.3
    rows, columns = np.array([0.5, 0.0, 0.5]), np.array([0.1, 0.2, 0.3, 0.4])
    u, v, kernel = np.ones(3), np.ones(4), np.exp(-costs.astype(np.float64) / epsilon)
    for _ in range(20):
        u = np.where(rows > 0, rows / (kernel @ v), 0.0)
        v = columns / (kernel.T @ u)
    plan = similarity.sinkhorn(costs, rows, columns, epsilon=epsilon, iterations=20)
    contract.assert_close(plan, u[:, None] * kernel * v[None, :], atol=1e-6)
    contract.assert_close(np.sum(plan, axis=0), columns)
    assert np.all(np.asarray(plan)[1] == 0)
    with pytest.raises(ValueError, match=r"\(3, 4\), not \(4,\) and \(3,\)"):
        similarity.sinkhorn(costs, columns, rows)


def test_the_implicit_gradient_is_the_unrolled_one_of_a_plan_that_has_converged():
    costs, weights = (rng.random((3, 4)).astype(np.float32) for _ in range(2))
    logits = (np.array([0.3, -np.inf, 0.1], np.float32), np.array([0.2, 0.1, -np.inf, 0.5], np.float32))

    def total(costs, logits, epsilon, gradient):
        given = {"epsilon": epsilon, "iterations": 200, "gradient": gradient}
        return jnp.sum(weights * jnp.sin(similarity.sinkhorn(costs, *map(jax.nn.softmax, logits), **given)))

    found = {
        g: jax.jit(jax.value_and_grad(functools.partial(total, gradient=g), (0, 1, 2)))
        for g in similarity.sets.GRADIENTS
    }
    unrolled, implicit = (found[name](costs, logits, 0.3) for name in similarity.sets.GRADIENTS)
    contract.assert_close(implicit, unrolled, rtol=1e-3, atol=1e-5)
    assert np.abs(unrolled[1][0]).max() > 0.01
    given = {"epsilon": 2.0, "iterations": 100, "image_where": np.arange(2)[None] < np.array([1, 2, 2, 2])[:, None]}
    gradients = [
        jax.jit(jax.grad(lambda x, y, g=g: jnp.sum(jnp.sin(similarity.optimal_transport(x, y, gradient=g, **given)))))(
            XS, YS
        )
        for g in similarity.sets.GRADIENTS
    ]
    contract.assert_close(*gradients, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="gradient='implict' should be unrolled or implicit"):
        similarity.sinkhorn(costs, gradient="implict")


@pytest.mark.parametrize("gradient", ["unrolled", "implicit"])
def test_sinkhorn_does_not_underflow_and_has_a_gradient_everywhere(gradient):
    def total(costs, shares, epsilon):
        given = {"epsilon": epsilon, "iterations": 30, "gradient": gradient}
        return jnp.sum(jnp.sin(similarity.sinkhorn(costs, shares, shares, **given)))

    grad = jax.jit(jax.value_and_grad(total, (0, 2)))
    for costs in (jnp.zeros((3, 3)), 1000.0 * jnp.eye(3), jnp.full((3, 3), 1e4)):
        for shares in (np.full(3, 1 / 3), np.array([1.0, 0.0, 0.0]), np.zeros(3)):
            for epsilon in (1e-3, 10.0):
                value, gradients = grad(costs, shares.astype(np.float32), epsilon)
                assert np.isfinite(value)
                assert all(np.all(np.isfinite(g)) for g in gradients)


def test_sets_in_blocks_are_sets_at_once(monkeypatch):
    def total(xs, ys):
        transported = similarity.optimal_transport(xs, ys, iterations=5)
        return jnp.sum(jnp.sin(transported)) + jnp.sum(jnp.sin(similarity.late_interaction(xs, ys)))

    at_once = jax.jit(jax.value_and_grad(total, (0, 1)))(XS, YS)
    monkeypatch.setattr(similarity.sets, "KEPT_BYTES", 0)
    monkeypatch.setattr(similarity.sets, "BLOCK_BYTES", 600)
    in_blocks = jax.jit(jax.value_and_grad(lambda xs, ys: total(xs, ys), (0, 1)))(XS, YS)
    contract.assert_close(in_blocks, at_once, rtol=1e-4, atol=1e-5)
