"""The exact bounds: against closed forms, brute force, and each other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contract import check_finite_gradients, check_half_precision, check_jit_and_vmap

from zsl_jax import bounds
from zsl_jax.bounds import _exact, _groups, _problem, programs
from zsl_jax.bounds import adversary as adversary_lib

pytestmark = pytest.mark.long

RNG = np.random.default_rng(0)
MATRIX = RNG.random((4, 5)).round(2)


def by_columns(matrix, error_rates=None):
    """The last interval of the search over groups."""
    table, allowance = _problem.checked(matrix, error_rates)
    *_, found = _exact.narrow(table, allowance, tolerance=1e-7, time_left=lambda: np.inf)
    return found


def rates(kind, matrix):
    return {
        "perfect": None,
        "entry": 0.2 * np.random.default_rng(1).random(matrix.shape),
        "attribute": 0.2 * np.random.default_rng(1).random(matrix.shape[1]),
    }[kind]


@pytest.mark.parametrize("seed", range(4))
def test_two_classes_have_a_closed_form(seed):
    matrix = np.random.default_rng(seed).random((2, 4))
    expected = (1 + np.abs(matrix[0] - matrix[1]).max()) / 2
    assert bounds.dense(matrix).accuracy == pytest.approx(expected, abs=1e-6)
    assert bounds.worst_case(matrix)[0] == pytest.approx(expected, abs=1e-6)
    assert by_columns(matrix).upper == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(1 - bounds.pairwise(matrix)[0, 1], expected, rtol=1e-6)


def test_two_classes_with_imperfect_detectors_have_a_closed_form():
    matrix, wrong = np.array([[0.9, 0.2], [0.3, 0.4]]), np.array([[0.1, 0.0], [0.05, 0.0]])
    gap = max(0.6 - 0.15, 0.2)
    assert bounds.worst_case(matrix, error_rates=wrong)[0] == pytest.approx((1 + gap) / 2, abs=1e-6)
    # on average over the two classes 0.1 per class, and the two together may spend 0.2 on the first attribute
    gap = max(0.6 - 0.2, 0.2)
    assert bounds.worst_case(matrix, error_rates=np.array([0.1, 0.0]))[0] == pytest.approx((1 + gap) / 2, abs=1e-6)


def worst_of_two_attributes(matrix, maps):
    """The least accuracy of maps `[..., 4, C]` over all joint distributions of two attributes with these marginals.

    Given both marginals one number is free, the share of images with both attributes; the least of a linear function of
    it is at one of its two ends.
    """
    total = 0
    for row, (a, b) in enumerate(matrix):
        ends = []
        for both in (max(0.0, a + b - 1), min(a, b)):
            patterns = np.array([1 - a - b + both, a - both, b - both, both])  # 00, 10, 01, 11: as `dense` orders them
            ends.append(maps[..., row] @ patterns)
        total = total + np.minimum(*ends)
    return total / len(matrix)


@pytest.mark.parametrize("seed", range(3))
def test_no_map_beats_the_program_by_brute_force(seed):
    matrix = np.random.default_rng(seed).random((3, 2))
    steps = 4
    simplex = [np.array(p) / steps for p in itertools.product(range(steps + 1), repeat=3) if sum(p) == steps]
    maps = np.array(list(itertools.product(simplex, repeat=4)))
    found = bounds.dense(matrix)
    assert worst_of_two_attributes(matrix, maps).max() <= found.accuracy + 1e-6
    assert worst_of_two_attributes(matrix, found.probabilities) == pytest.approx(found.accuracy, abs=1e-6)
    drawn = np.asarray(bounds.probabilities(bounds.worst_case(matrix)[1], found.patterns))
    assert worst_of_two_attributes(matrix, drawn) == pytest.approx(found.accuracy, abs=1e-5)


@pytest.mark.parametrize("kind", ["perfect", "entry", "attribute"])
@pytest.mark.parametrize("shape", [(2, 1), (3, 4), (5, 5), (6, 3)], ids=str)
def test_groups_give_what_patterns_give(shape, kind):
    matrix = np.random.default_rng(sum(shape)).random(shape)
    wrong = rates(kind, matrix)
    dense, found = bounds.dense(matrix, error_rates=wrong), by_columns(matrix, wrong)
    assert found.lower == pytest.approx(dense.accuracy, abs=1e-6)
    assert found.upper == pytest.approx(dense.accuracy, abs=1e-6)
    assert bounds.guarantee(found.rule, matrix, error_rates=wrong) == pytest.approx(dense.accuracy, abs=1e-6)
    assert bounds.guarantee(dense.rule, matrix, error_rates=wrong) == pytest.approx(dense.accuracy, abs=1e-6)
    repaired = adversary_lib.upper_bound_by_programs(found.adversary, *_problem.checked(matrix, wrong))
    assert repaired == pytest.approx(dense.accuracy, abs=1e-6)


def test_the_map_draws_a_class_at_every_pattern():
    found = bounds.dense(MATRIX)
    assert found.probabilities.min() > -1e-9
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-9)
    drawn = np.asarray(bounds.probabilities(bounds.worst_case(MATRIX)[1], found.patterns))
    assert drawn.min() > -1e-6
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-6)
    assert _groups.totals(_groups.all_of(4), bounds.worst_case(MATRIX)[1]).max() <= 1 + 1e-9


def test_soft_attributes_keep_the_promise():
    """Probabilities of attributes with the right class means are as good as attributes."""
    accuracy, rule = bounds.worst_case(MATRIX)
    assert (
        np.sum(np.maximum(bounds.activations(rule, np.random.default_rng(2).random((500, 5))), 0), axis=1).max()
        <= 1.00001
    )
    drawn = np.asarray(bounds.probabilities(rule, MATRIX))  # every image has the class's own mean
    assert np.mean(np.diag(drawn)) >= accuracy - 1e-5


def test_the_worst_distribution_holds_the_map_to_the_bound():
    found = by_columns(MATRIX)
    patterns, joint = bounds.distribution(found.adversary)
    np.testing.assert_allclose(joint.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(joint.T @ patterns, MATRIX, atol=1e-6)
    drawn = np.asarray(bounds.probabilities(found.rule, patterns))
    assert np.sum(joint * drawn) / 4 == pytest.approx(found.lower, abs=1e-5)
    assert np.sum(joint.max(axis=1)) / 4 == pytest.approx(found.upper, abs=1e-5)  # the most that any map reaches on it
    dense = bounds.dense(MATRIX)
    np.testing.assert_allclose(dense.joint.T @ dense.patterns, MATRIX, atol=1e-6)
    assert np.sum(dense.joint * dense.probabilities) / 4 == pytest.approx(dense.accuracy, abs=1e-6)


def test_an_adversary_that_is_off_is_repaired_upwards():
    found = by_columns(MATRIX)
    exact_value = found.upper
    noise = np.random.default_rng(3)
    for size in (1e-6, 1e-3, 0.1):
        off = found.adversary._replace(
            weights=np.maximum(found.adversary.weights + size * noise.normal(size=len(found.adversary.weights)), 0),
            marginals=np.clip(
                found.adversary.marginals + size * noise.normal(size=found.adversary.marginals.shape), 0, 1
            ),
        )
        repaired = adversary_lib.upper_bound(off, *_problem.checked(MATRIX))
        assert exact_value - 1e-6 <= repaired <= min(1, exact_value + 40 * size)
        assert (
            exact_value - 1e-6
            <= adversary_lib.upper_bound_by_programs(off, *_problem.checked(MATRIX))
            <= repaired + 1e-6
        )


def test_more_attributes_never_hurt_and_worse_detectors_never_help():
    values = [bounds.worst_case(MATRIX[:, :n])[0] for n in range(1, 6)]
    assert np.all(np.diff(values) >= -1e-6)
    assert values[-1] > values[0] + 0.01
    for shape in (MATRIX.shape, MATRIX.shape[1:]):
        values = [bounds.worst_case(MATRIX, error_rates=np.full(shape, rate))[0] for rate in (0, 0.05, 0.2, 1)]
        assert np.all(np.diff(values) <= 1e-6)
        assert values[0] == pytest.approx(bounds.worst_case(MATRIX)[0], abs=1e-6)
        assert values[-1] == pytest.approx(1 / 4, abs=1e-6)


def test_the_order_of_classes_and_attributes_does_not_matter():
    found, again = by_columns(MATRIX), by_columns(MATRIX[::-1][:, [2, 0, 4, 1, 3]])
    assert found.lower == pytest.approx(again.lower, abs=1e-6)
    flipped = by_columns(np.where(np.arange(5) % 2, MATRIX, 1 - MATRIX))  # present or absent is a matter of words
    assert found.lower == pytest.approx(flipped.lower, abs=1e-6)


def test_equal_classes_share_one_place():
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    *_, found = bounds.narrow(matrix)
    assert found.lower == pytest.approx(2 / 3, abs=1e-6)
    assert bounds.shared(found.adversary)[1, 2] == pytest.approx(1, abs=1e-6)
    assert bounds.pairwise(matrix)[1, 2] == 0.5


def test_one_class_is_always_recognised():
    assert bounds.worst_case(np.array([[0.3, 0.4]]))[0] == 1


def test_more_classes_than_groups_can_be_listed_for_use_patterns():
    matrix = np.random.default_rng(4).random((20, 3))
    *_, found = bounds.narrow(matrix)
    assert found.width < 1e-6
    assert found.lower == pytest.approx(bounds.dense(matrix).accuracy, abs=1e-6)


@pytest.mark.parametrize(
    ("fn", "arguments", "message"),
    [
        (bounds.worst_case, ([[0.5, 1.5]],), "probabilities in \\[0, 1\\], not 1.5 at \\(0, 1\\)"),
        (bounds.worst_case, ([[0.5, float("nan")]],), "not nan"),
        (bounds.narrow, ([0.5, 0.5],), "\\[C, A\\]"),
        (bounds.worst_case, (np.zeros((3, 0)),), "at least one class and one attribute, not \\(3, 0\\)"),
        (bounds.dense, (np.full((10, 20), 0.5),), "too many for the dense form .* bounds.worst_case"),
        (bounds.pairwise, (np.zeros(3),), "\\[C, A\\]"),
        (
            bounds.activations,
            (bounds.AffineRule(np.zeros(2), np.zeros((2, 3))), np.zeros((1, 2))),
            "\\(2, 3\\).*\\(1, 2\\)",
        ),
        (bounds.guarantee, (bounds.AffineRule(np.zeros(2), np.zeros((2, 3))), [[0.5, 0.5]]), "does not fit"),
    ],
)
def test_bad_input(fn, arguments, message):
    with pytest.raises(ValueError, match=message):
        fn(*arguments)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full((2, 2), -0.1)], ids=["shape", "value"])
def test_bad_error_rates(wrong):
    with pytest.raises(ValueError, match="error_rates"):
        bounds.worst_case([[0.5, 0.5], [0.1, 0.2]], error_rates=wrong)


def test_pairwise_is_a_pure_function():
    matrix = jnp.asarray(MATRIX, jnp.float32)
    loop = [[(1 - max(abs(a - b) for a, b in zip(x, y))) / 2 for y in MATRIX] for x in MATRIX]
    np.testing.assert_allclose(bounds.pairwise(matrix), loop, rtol=1e-6)
    check_jit_and_vmap(bounds.pairwise, matrix)
    check_finite_gradients(bounds.pairwise, matrix)
    check_finite_gradients(bounds.pairwise, jnp.ones((3, 2)))
    check_half_precision(bounds.pairwise, matrix)


def test_rules_are_pytrees_for_compiled_code():
    _, rule = bounds.worst_case(MATRIX)
    rule = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), rule)
    patterns = jnp.asarray(np.random.default_rng(5).random((6, 5)), jnp.float32)
    check_jit_and_vmap(jax.jit(lambda x: bounds.probabilities(rule, x)), patterns)


@pytest.mark.parametrize(("count", "expected"), [(12, 0.40474), (20, 0.5234), (40, 0.7074), (85, 0.7381)])
def test_the_unseen_classes_of_awa2(shared_data, count, expected):
    """Figures of the linear program over all subsets of classes: original_att / 100, clipped, the first attributes."""
    from zsl_jax.verbs.bounding import tables

    table = tables.read(str(shared_data / "xlsa17" / "AWA2"), None)
    *_, found = bounds.narrow(table.matrix[:, :count])
    assert found.width < 1e-6
    assert found.lower == pytest.approx(expected, abs=6e-5)


def test_dense_is_the_other_form_on_real_classes(shared_data):
    from zsl_jax.verbs.bounding import tables

    matrix = tables.read(str(shared_data / "xlsa17" / "AWA2"), None).matrix[:, :8]
    assert programs.dense(matrix).accuracy == pytest.approx(by_columns(matrix).lower, abs=1e-6)
