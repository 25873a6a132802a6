"""The triplet and matching losses against loops, under masks, at the ugly points, and on eight devices."""

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

from zsl_jax import losses
from zsl_jax.losses import _sorted_pairs

BATCH, WIDTH = 16, 3
rng = np.random.default_rng(0)
EMBEDDINGS, POSITIVES, NEGATIVES = rng.normal(size=(3, BATCH, WIDTH)).astype(np.float32)
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4, 4, 4, 4], np.int32)  # one of them alone
WHERE = np.arange(BATCH) % 5 != 3
ALL = np.ones(BATCH, bool)
SCORES = rng.normal(size=(BATCH, BATCH)).astype(np.float32)


class Case(NamedTuple):
    """`loss(*arrays, where=)`, and `oracle(*arrays, where)` in loops; the floating arrays are differentiated."""

    name: str
    loss: Callable
    oracle: Callable
    arrays: tuple[Any, ...]


def distance(x, y):
    return np.sqrt(np.sum((x - y) ** 2))


def of_triplets(formula):
    def oracle(anchors, positives, negatives, where):
        rows = zip(anchors, positives, negatives, where)
        return np.array([formula(a, p, n) if kept else 0.0 for a, p, n, kept in rows])

    return oracle


def mined(formula):
    """`formula(distances to positives, distances to negatives)` of each anchor that has both."""

    def oracle(embeddings, labels, where):
        values = np.zeros(len(labels))
        for i in np.flatnonzero(where):
            positives = [j for j in np.flatnonzero(where) if j != i and labels[j] == labels[i]]
            negatives = [j for j in np.flatnonzero(where) if labels[j] != labels[i]]
            if positives and negatives:
                values[i] = formula(
                    *([distance(embeddings[i], embeddings[j]) for j in group] for group in (positives, negatives))
                )
        return values

    return oracle


def hinge(positive, negative, margin=0.4):
    return max(0.0, margin + positive - negative)


def semi_hard(positives, negatives):
    total = 0.0
    for p in positives:
        farther = [n for n in negatives if n > p]
        total += hinge(p, min(farther) if farther else max(negatives))
    return total / len(positives)


def n_pair(anchors, positives, where):
    values = np.zeros(len(anchors))
    for i in np.flatnonzero(where):
        rivals = [j for j in np.flatnonzero(where) if j != i]
        values[i] = np.log1p(sum(np.exp(anchors[i] @ positives[j] - anchors[i] @ positives[i]) for j in rivals))
    return values


def bidirectional(choose):
    def oracle(scores, where):
        where = np.broadcast_to(where, scores.shape)
        values = np.zeros(len(scores))
        for i in np.flatnonzero(np.diagonal(where)):
            of_row = [hinge(scores[i, j], scores[i, i]) for j in range(len(scores)) if j != i and where[i, j]]
            of_column = [hinge(scores[j, i], scores[i, i]) for j in range(len(scores)) if j != i and where[j, i]]
            values[i] = choose([*of_row, 0.0]) + choose([*of_column, 0.0])
        return values

    return oracle


TRIPLETS = (EMBEDDINGS, POSITIVES, NEGATIVES)
IN_BATCH = [
    Case(
        "batch_hard",
        functools.partial(losses.batch_hard_triplet, margin=0.4),
        mined(lambda positives, negatives: hinge(max(positives), min(negatives))),
        (EMBEDDINGS, LABELS),
    ),
    Case(
        "batch_all",
        functools.partial(losses.batch_all_triplet, margin=0.4),
        mined(lambda positives, negatives: np.mean([hinge(p, n) for p in positives for n in negatives])),
        (EMBEDDINGS, LABELS),
    ),
    Case("semi_hard", functools.partial(losses.semi_hard_triplet, margin=0.4), mined(semi_hard), (EMBEDDINGS, LABELS)),
    Case("n_pair", losses.n_pair, n_pair, (EMBEDDINGS, POSITIVES)),
]
CASES = [
    *IN_BATCH,
    Case(
        "triplet_margin",
        functools.partial(losses.triplet_margin, margin=0.4),
        of_triplets(lambda a, p, n: hinge(distance(a, p), distance(a, n))),
        TRIPLETS,
    ),
    Case(
        "triplet_ratio",
        losses.triplet_ratio,
        of_triplets(lambda a, p, n: (1 / (1 + np.exp(distance(a, n) - distance(a, p)))) ** 2),
        TRIPLETS,
    ),
    Case(
        "adaptive_relevance_margin",
        losses.adaptive_relevance_margin,
        of_triplets(lambda q, p, n: (q @ p - q @ n - (p @ n + 1) / 2) ** 2),
        TRIPLETS,
    ),
    Case(
        "bidirectional_hinge",
        functools.partial(losses.bidirectional_hinge, margin=0.4),
        bidirectional(sum),
        (SCORES,),
    ),
    Case(
        "bidirectional_hinge of the hardest",
        functools.partial(losses.bidirectional_hinge, margin=0.4, hardest=True),
        bidirectional(max),
        (SCORES,),
    ),
]
BY_NAME = {case.name: case for case in CASES}
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_in_batch = pytest.mark.parametrize("case", IN_BATCH, ids=lambda case: case.name)


# Compiled without the passes that would make it run faster: all is small, and compiling is what takes the time.


def floating(arrays):
    return tuple(i for i, x in enumerate(arrays) if np.issubdtype(x.dtype, np.floating))


@functools.cache
def compiled(name):
    """(arrays, where) -> losses and the gradients of their sum in the floating arrays."""
    case = BY_NAME[name]

    def run(arrays, where):
        def total(*arrays):
            values = case.loss(*arrays, where=where)
            return jnp.sum(values), values

        gradients, values = jax.grad(total, floating(arrays), has_aux=True)(*arrays)
        return values, gradients

    return jax.jit(run)


def expected(case, arrays, where):
    return case.oracle(*(x.astype(np.float64) if x.dtype == np.float32 else x for x in arrays), where)


@every_case
def test_is_its_definition_under_any_mask(case):
    for where in (WHERE, ALL, ~ALL):
        values, _ = compiled(case.name)(case.arrays, where)
        contract.assert_close(values, expected(case, case.arrays, where), rtol=1e-4, atol=1e-5)
    contract.assert_close(case.loss(*case.arrays), compiled(case.name)(case.arrays, ALL)[0], rtol=1e-4, atol=1e-5)


@every_case
def test_the_gradient_is_that_of_the_definition(case):
    """Along a few directions, by central differences of the oracle."""
    _, gradients = compiled(case.name)(case.arrays, WHERE)
    rng = np.random.default_rng(1)
    for _ in range(3):
        moved, slope = [list(case.arrays), list(case.arrays)], 0.0
        for i, gradient in zip(floating(case.arrays), gradients):
            direction = rng.normal(size=gradient.shape)
            moved[0][i], moved[1][i] = (case.arrays[i] + sign * 1e-6 * direction for sign in (1, -1))
            slope += np.sum(gradient * direction)
        up, down = (np.sum(expected(case, arrays, WHERE)) for arrays in moved)
        np.testing.assert_allclose(slope, (up - down) / 2e-6, rtol=1e-3, atol=1e-4)


@every_case
def test_jit_and_vmap(case):
    loss = jax.jit(lambda *arrays: case.loss(*arrays[:-1], where=arrays[-1]))
    contract.check_vmap(loss, *case.arrays, WHERE, rtol=1e-4, atol=1e-5)


@every_case
def test_what_is_masked_does_not_matter_whatever_it_holds(case):
    where = WHERE if case.arrays[0] is not SCORES else WHERE[:, None] & WHERE[None, :]
    values, gradients = compiled(case.name)(case.arrays, where)
    mask = where if where.ndim == 2 else where[:, None]
    for junk in (np.nan, np.inf):
        arrays = [np.where(mask, x, junk).astype(x.dtype) if x.ndim == 2 else x for x in case.arrays]
        junk_values, junk_gradients = compiled(case.name)(tuple(arrays), where)
        contract.assert_close(junk_values, values)
        contract.assert_close(junk_gradients, gradients)


@every_case
def test_values_and_gradients_are_finite_at_ugly_points(case):
    def alike(x, number):
        return np.full_like(x, number) if x.dtype == np.float32 else x

    def one_label(x, number):
        return alike(x, number) if x.dtype == np.float32 else np.zeros_like(x)

    def all_different(x, number):
        return alike(x, number) if x.dtype == np.float32 else np.arange(len(x), dtype=x.dtype)

    for change in (alike, one_label, all_different):
        for number in (0.0, 1.5, 1e3):
            for where in (ALL, WHERE, ~ALL):
                values, gradients = compiled(case.name)(tuple(change(x, number) for x in case.arrays), where)
                assert np.all(np.isfinite(values)), (change.__name__, number)
                assert all(np.all(np.isfinite(g)) for g in gradients), (change.__name__, number)


@every_case
def test_half_precision_and_wrong_shapes(case):
    contract.check_half_precision(case.loss, *case.arrays)
    if case.arrays[0] is SCORES:
        with pytest.raises(ValueError, match=r"not \(16, 15\)"):
            case.loss(SCORES[:, :-1])
        return
    with pytest.raises(ValueError, match=r"\(16, 3\).*\(15,"):
        case.loss(case.arrays[0], case.arrays[1][:-1], *case.arrays[2:])


@every_case
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20))
def test_the_order_of_the_batch_does_not_matter(case, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(BATCH)
    arrays = tuple(rng.normal(size=x.shape).astype(np.float32) if x.dtype == np.float32 else x for x in case.arrays)
    moved = tuple(x[order][:, order] if x.shape == (BATCH, BATCH) else x[order] for x in arrays)
    where = WHERE if case.arrays[0] is not SCORES else ALL
    values, _ = compiled(case.name)(arrays, where)
    contract.assert_close(compiled(case.name)(moved, where[order])[0], np.asarray(values)[order], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["batch_hard", "batch_all", "semi_hard"])
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20))
def test_distances_do_not_change_when_all_points_move(name, seed):
    """Nor when they are turned."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    moved = (EMBEDDINGS @ turn + rng.normal(size=WIDTH)).astype(np.float32)
    values, _ = compiled(name)((EMBEDDINGS, LABELS), WHERE)
    contract.assert_close(compiled(name)((moved, LABELS), WHERE)[0], values, rtol=1e-3, atol=1e-4)


@every_in_batch
def test_blocks_change_nothing(case):
    """Three whole blocks, and one row that is left over."""

    def total(*arrays):
        values = case.loss(*arrays, where=WHERE, chunk=5)
        return jnp.sum(values), values

    gradients, values = jax.jit(jax.grad(total, floating(case.arrays), has_aux=True))(*case.arrays)
    contract.assert_close((values, gradients), compiled(case.name)(case.arrays, WHERE), rtol=1e-4, atol=1e-5)


@pytest.mark.long
@every_in_batch
def test_eight_devices_are_one(case):
    """By sharded arguments, and inside shard_map with the other examples gathered."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    divided, replicated = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()
    weight = np.random.default_rng(2).normal(size=(WIDTH, WIDTH)).astype(np.float32)

    def mean(weight, arrays, where, **options):
        arrays = tuple(x @ weight if x.ndim == 2 else x for x in arrays)
        return jnp.mean(case.loss(*arrays, where=where, **options))

    def mapped(weight, arrays, where):
        weight = jax.lax.pcast(weight, "data", to="varying")
        result = jax.value_and_grad(mean)(weight, arrays, where, axis_name="data")
        return jax.lax.pmean(result, "data")

    one = jax.jit(jax.value_and_grad(mean))(weight, case.arrays, WHERE)
    arrays, where = jax.device_put((case.arrays, WHERE), jax.sharding.NamedSharding(mesh, divided))
    contract.assert_close(jax.jit(jax.value_and_grad(mean))(weight, arrays, where), one, rtol=1e-4, atol=1e-5)
    eight = jax.shard_map(mapped, mesh=mesh, in_specs=(replicated, divided, divided), out_specs=replicated)
    contract.assert_close(jax.jit(eight)(weight, arrays, where), one, rtol=1e-4, atol=1e-5)


def test_equal_distances_are_no_violation_without_a_margin():
    """Where every hinge is exactly zero, so is the gradient of the sorted sum."""
    high, low = np.array([1.0, 0.5, 7.0, 7.0], np.float32), np.array([9.0, 9.0, 1.0, 0.5], np.float32)
    is_high = np.array([True, False, False, False])
    is_low = np.array([False, False, True, False])
    hinge_sum = jax.jit(jax.value_and_grad(_sorted_pairs.hinge_sum, (0, 1)))
    value, gradient = hinge_sum(high, low, is_high, is_low)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((2, 4)))
    is_low[3] = True
    value, gradient = hinge_sum(high, low, is_high, is_low)
    assert value == 0.5
    np.testing.assert_array_equal(gradient, [[1, 0, 0, 0], [0, 0, 0, -1]])


def test_batch_hard_moves_only_the_chosen():
    embeddings = jnp.array([[0.0], [1.0], [3.0], [1.5], [9.0]])
    labels = jnp.array([0, 0, 0, 1, 1])
    gradient = jax.jit(jax.grad(lambda e: losses.batch_hard_triplet(e, labels, margin=1.0)[0]))(embeddings)
    contract.assert_close(gradient, [[0.0], [0.0], [1.0], [-1.0], [0.0]])
