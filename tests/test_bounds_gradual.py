"""The certified interval for many classes: both ends against exact values, and the search that proves the lower one."""

import numpy as np
import pytest

from zsl_jax import bounds
from zsl_jax.bounds import _certify, _exact, _first_order, _gradual, _groups, _problem

RNG = np.random.default_rng(0)
MATRIX = np.random.default_rng(1).random((8, 20))


class Clock:
    """Seconds left that pass with each look, whatever the machine does."""

    def __init__(self, seconds):
        self.left = seconds

    def __call__(self):
        self.left -= 0.5
        return self.left


def never():
    return False


@pytest.mark.parametrize("seed", range(12))
def test_the_search_bounds_the_largest_total(seed):
    rng = np.random.default_rng(seed)
    num_classes, num_attributes = rng.integers(2, 10), rng.integers(1, 7)
    slope = rng.normal(size=(num_classes, num_attributes)) * rng.uniform(0.2, 1)
    rule = bounds.AffineRule(0.5 * rng.normal(size=num_classes) - 0.3 * rng.random() * num_attributes, slope)
    largest = _groups.totals(_groups.all_of(num_classes), rule).max()
    for at_least in (1e-3, 0.5 * largest, 1.2 * largest):
        total, met = _certify.largest_total(rule, at_least=at_least, out_of_time=never)
        assert largest <= total <= max(at_least, largest) + 3e-4 or largest <= 0
        if len(met):
            assert _groups.totals(met, rule).min() > at_least - 3e-4


def test_the_search_gives_up_when_told():
    rule = bounds.AffineRule(np.full(12, 0.1), RNG.normal(size=(12, 5)) * 0.1)
    assert _certify.largest_total(rule, at_least=0.1, out_of_time=lambda: True)[0] == np.inf
    assert _certify.largest_total(rule, at_least=0.1, out_of_time=never, max_nodes=3)[0] == np.inf
    with pytest.raises(ValueError, match="at most 64 classes are searched, not 65"):
        _certify.largest_total(bounds.AffineRule(np.zeros(65), np.zeros((65, 2))), at_least=1.0, out_of_time=never)


def test_one_more_class_is_what_totals_says():
    rule = bounds.AffineRule(RNG.normal(size=5).astype(np.float32), RNG.normal(size=(5, 7)).astype(np.float32))
    some = _groups.all_of(5)
    found = _groups.with_one_more(some, rule)
    for group, row in zip(some, found):
        for extra in range(5):
            larger = group | (np.arange(5) == extra)
            expected = -np.inf if group[extra] else _groups.totals(larger[None], rule)[0]
            np.testing.assert_allclose(row[extra], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["perfect", "entry", "attribute"])
def test_the_interval_holds_the_exact_value(kind):
    wrong = {"perfect": None, "entry": np.full(MATRIX.shape, 0.02), "attribute": np.full(MATRIX.shape[1], 0.02)}[kind]
    matrix, allowance = _problem.checked(MATRIX, wrong)
    *_, truth = _exact.narrow(matrix, allowance, tolerance=1e-7, time_left=lambda: np.inf)
    before = None
    for found in _gradual.narrow(matrix, allowance, tolerance=0.02, time_left=Clock(100.0)):
        assert found.lower <= truth.lower + 1e-5
        assert found.upper >= truth.upper - 1e-5
        assert before is None or (found.lower >= before.lower and found.upper <= before.upper)
        before = found
    assert before.width < 0.04
    assert bounds.guarantee(before.rule, MATRIX, error_rates=wrong) == pytest.approx(before.lower, abs=1e-6)
    assert _groups.totals(_groups.all_of(8), before.rule).max() <= 1 + 1e-4


def test_few_attributes_of_many_classes_are_certified_over_patterns():
    matrix = np.random.default_rng(2).random((16, 5))
    *_, found = _gradual.narrow(*_problem.checked(matrix), tolerance=0.02, time_left=Clock(60.0))
    truth = bounds.dense(matrix).accuracy
    assert found.lower - 1e-5 <= truth <= found.upper + 1e-5
    assert found.width < 0.05


def test_many_classes_get_an_interval_at_once_and_a_narrower_one_later():
    steps = bounds.narrow(np.random.default_rng(3).random((30, 40)), time_limit=1.0)
    first = next(steps)
    assert (first.lower, first.upper) == (1 / 30, 1.0)
    *_, last = steps
    assert 1 / 30 <= last.lower <= last.upper < 1


def test_iterations_reach_the_program_over_groups():
    matrix, allowance = _problem.checked(MATRIX[:4, :6])
    every = _groups.all_of(4).astype(np.float32)
    zeros = _first_order.State(np.zeros(4), np.zeros((4, 6)), np.zeros(len(every)), np.zeros((len(every), 6)))
    state = _first_order.run(every, matrix, allowance, zeros, _first_order.steps(every), 4000)
    found = np.sum(state.weights) / 4
    assert found == pytest.approx(bounds.worst_case(matrix)[0], abs=1e-3)
