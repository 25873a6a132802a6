"""What goes with the bounds: selection, detector errors, numbers of a matrix, the compiled map."""

import itertools

import numpy as np
import pytest
from contract import check_finite_gradients, check_jit_and_vmap

from zsl_jax import bounds
from zsl_jax.bounds import selection

MATRIX = np.random.default_rng(0).uniform(0.05, 1, (4, 6)).round(2)


def value(columns):
    return bounds.dense(MATRIX[:, list(columns)]).accuracy


def test_greedy_takes_the_best_attribute_each_time():
    chosen = ()
    for step in bounds.greedy(MATRIX, 4):
        best = max(value((*chosen, new)) for new in range(6) if new not in chosen)
        assert step.attributes[:-1] == chosen
        assert value(step.attributes) == pytest.approx(best, abs=1e-6)
        assert step.found.lower == pytest.approx(best, abs=1e-6)
        chosen = step.attributes
    assert len(chosen) == 4


def test_exchange_ends_where_no_exchange_helps():
    start = min(itertools.combinations(range(6), 2), key=value)
    steps = list(bounds.exchange(MATRIX, start))
    assert steps[0].attributes == start
    assert np.all(np.diff([step.found.lower for step in steps]) > 0)
    last = set(steps[-1].attributes)
    neighbours = [(last - {old}) | {new} for old in last for new in set(range(6)) - last]
    assert value(last) >= max(map(value, neighbours)) - 2e-6


def test_selection_ends_with_its_time():
    assert list(bounds.greedy(MATRIX, 2, time_limit=-1.0)) == []
    assert len(list(bounds.exchange(MATRIX, (0, 1), time_limit=-1.0))) == 1


@pytest.mark.parametrize(
    ("fn", "arguments", "message"),
    [
        (bounds.greedy, (MATRIX, 7), "in \\[1, 6\\] for 4 classes, not 7"),
        (bounds.greedy, (np.full((50, 40), 0.5), 12), "in \\[1, 11\\] for 50 classes, not 12"),
        (bounds.exchange, (MATRIX, (0, 0)), "distinct columns"),
        (bounds.exchange, (MATRIX, (6,)), "\\[0, 6\\)"),
        (bounds.separating, (MATRIX, 0, 1, np.ones(3, bool)), "where \\[A\\]"),
        (bounds.error_rates, (np.zeros((2, 3)), np.zeros((2, 2)), np.zeros(2, int)), "\\(2, 3\\) and \\(2, 2\\)"),
        (bounds.marginal_errors, (np.zeros((2, 3)), np.zeros(2, int), np.zeros((4, 2))), "\\(2, 3\\) and \\(4, 2\\)"),
        (bounds.marginal_errors, (np.zeros((2, 3)), np.zeros(3, int), np.zeros((4, 3))), "labels must be \\[N\\]"),
        (bounds.rank_correlation, (np.zeros((2, 2)), np.zeros((3, 3))), "\\(2, 2\\) and \\(3, 3\\)"),
        (bounds.redundancy, (np.zeros(3),), "\\[C, A\\]"),
        (bounds.approximate, (np.zeros(3),), "\\[C, A\\]"),
        (bounds.representativeness, (np.zeros(3),), "2 axes"),
    ],
)
def test_bad_input(fn, arguments, message):
    keywords = {"num_classes": 4} if fn is bounds.error_rates else {}
    with pytest.raises(ValueError, match=message):
        fn(*arguments, **keywords)


def test_selection_is_exact_up_to_a_size():
    assert selection.largest(16) > 1000
    assert 50 * 2 ** selection.largest(50) <= 1 << 17 < 50 * 2 ** (selection.largest(50) + 1)


def test_the_attribute_that_separates_two_classes():
    known = np.array([True, False, True, False, False, False])
    gap = np.abs(MATRIX[1] - MATRIX[3])
    np.testing.assert_allclose(bounds.separating(MATRIX, 1, 3), (1 - gap) / 2, rtol=1e-6)
    expected = [(1 - max(g, *gap[known])) / 2 for g in gap]
    np.testing.assert_allclose(bounds.separating(MATRIX, 1, 3, known), expected, rtol=1e-6)
    pair = bounds.worst_case(MATRIX[[1, 3]][:, [2, 4]])[0]  # attribute 2 is known, 4 is annotated next
    expected = bounds.separating(MATRIX, 1, 3, np.arange(6) == 2)[4]
    assert 1 - pair == pytest.approx(float(expected), abs=1e-6)


def test_detector_errors_against_loops():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 40)
    detections, attributes = rng.random((40, 5)), rng.integers(0, 2, (40, 5))
    rates = bounds.error_rates(detections, attributes, labels, num_classes=4)
    errors = bounds.marginal_errors(detections, labels, np.full((4, 5), 0.3))
    for c in range(3):
        mine = labels == c
        np.testing.assert_allclose(rates[c], np.abs(detections[mine] - attributes[mine]).mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(errors[c], np.abs(detections[mine].mean(axis=0) - 0.3), rtol=1e-4, atol=1e-6)
    assert np.all(np.isnan(rates[3]))
    assert np.all(np.isnan(errors[3]))


def test_errors_that_were_measured_make_a_promise_that_holds():
    """Detectors flip attributes; the map for their measured errors keeps its promise on their detections."""
    rng = np.random.default_rng(2)
    matrix = np.array([[0.95, 0.1, 0.8], [0.1, 0.9, 0.7], [0.2, 0.2, 0.1]])
    labels = np.repeat(np.arange(3), 20000)
    attributes = rng.random((60000, 3)) < matrix[labels]
    detections = (attributes ^ (rng.random((60000, 3)) < 0.06)).astype(np.float32)
    rates = np.asarray(bounds.error_rates(detections, attributes, labels, num_classes=3))
    accuracy, rule = bounds.worst_case(matrix, error_rates=rates)
    drawn = np.asarray(bounds.probabilities(rule, detections))
    assert np.mean(drawn[np.arange(60000), labels]) >= accuracy - 0.01
    assert accuracy < bounds.worst_case(matrix)[0] - 0.03


@pytest.mark.long
def test_numbers_of_a_matrix_against_loops():
    prior = np.array([0.1, 0.2, 0.3, 0.4])
    found = bounds.representativeness(MATRIX, prior=prior)
    for c in range(4):
        others = [d for d in range(4) if d != c]
        mean = MATRIX[others].T @ prior[others] / prior[others].sum()
        np.testing.assert_allclose(found[c], np.log(MATRIX[c] / mean), rtol=1e-4, atol=1e-5)
    assert np.all(np.isfinite(bounds.representativeness(np.eye(3))))
    correlation = np.abs(np.corrcoef(MATRIX.T)) - np.eye(6)
    np.testing.assert_allclose(bounds.redundancy(MATRIX), correlation.max(axis=1), rtol=1e-4)
    assert bounds.redundancy(np.array([[1.0, 0.3], [1.0, 0.6]]))[0] == 1
    nearest = [min(np.abs(MATRIX[c] - MATRIX[d]).max() for d in range(4) if d != c) for c in range(4)]
    np.testing.assert_allclose(bounds.separability(MATRIX), nearest, rtol=1e-5)
    check_jit_and_vmap(bounds.separability, MATRIX)
    check_finite_gradients(bounds.redundancy, np.eye(4, dtype=np.float32))


def test_rank_correlation_is_spearmans():
    from scipy import stats

    rng = np.random.default_rng(3)
    predicted, observed = rng.integers(0, 4, (6, 6)), rng.random((6, 6))
    off = ~np.eye(6, dtype=bool)
    expected = stats.spearmanr(predicted[off], observed[off]).statistic
    assert bounds.rank_correlation(predicted, observed) == pytest.approx(expected)
    assert np.isnan(bounds.rank_correlation(np.ones((3, 3)), observed[:3, :3]))


@pytest.mark.long
@pytest.mark.parametrize("wrong", [None, np.full(6, 0.03)], ids=["perfect", "imperfect"])
def test_the_compiled_map_is_near_the_best(wrong):
    rule = bounds.approximate(MATRIX, error_rates=wrong)
    best, _ = bounds.worst_case(MATRIX, error_rates=wrong)
    patterns = bounds.dense(MATRIX).patterns
    total = np.max(np.sum(np.maximum(bounds.activations(rule, patterns), 0), axis=1))
    assert bounds.guarantee(rule, MATRIX, error_rates=wrong) / total == pytest.approx(best, abs=0.01)
