"""Spread over seeds against scipy, and the bootstrap against a truth that is known because it was simulated."""

import functools

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from zsl_jax import metrics

pytestmark = pytest.mark.long

TOTAL = np.array([30, 25, 40, 0, 35, 1, 30, 20])
CORRECT = np.array([12.0, 25.0, 0.0, 0.0, 30.5, 1.0, 21.0, 10.0])
IS_SEEN = np.arange(8) % 2 == 1
A, B = np.array([0.61, 0.60, 0.64, 0.62]), np.array([0.58, 0.59, 0.60, 0.61])


@functools.cache
def counts():
    return metrics.resampled_counts(jax.random.key(0), CORRECT, TOTAL, num_samples=2000)


def test_mean_and_deviation_over_seeds():
    values = np.stack([A, B])
    mean, deviation = metrics.mean_and_deviation(values)
    contract.assert_close((mean, deviation), (values.mean(axis=0), values.std(axis=0, ddof=1)))
    assert np.isnan(metrics.mean_and_deviation(A[:1])[1])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.paired_p_value, lambda a, b: scipy.stats.ttest_rel(a, b)),
        (metrics.unpaired_p_value, lambda a, b: scipy.stats.ttest_ind(a, b, equal_var=False)),
    ],
    ids=["paired", "unpaired"],
)
def test_p_values_are_those_of_scipy(ours, theirs):
    for a, b in ((A, B), (B, A), (A, B - 0.3), (A, A[::-1])):
        np.testing.assert_allclose(ours(a, b), theirs(a, b).pvalue, rtol=1e-3, atol=1e-6)
    contract.check_jit_and_vmap(ours, jnp.float32(A), jnp.float32(B), rtol=1e-4)
    contract.check_half_precision(ours, A, B)


def test_unpaired_p_value_of_different_numbers_of_seeds():
    expected = scipy.stats.ttest_ind(A, B[:2], equal_var=False).pvalue
    np.testing.assert_allclose(metrics.unpaired_p_value(A, B[:2]), expected, rtol=1e-3)


@pytest.mark.parametrize("p_value", [metrics.paired_p_value, metrics.unpaired_p_value])
def test_p_value_where_nothing_varies(p_value):
    """Closed forms give the same for every seed."""
    constant = jnp.full(3, 0.5)
    assert p_value(constant, constant) == 1
    assert p_value(constant, constant + 0.1) == 0


def test_resampled_counts_are_binomial():
    drawn, share = np.asarray(counts()), CORRECT / np.maximum(TOTAL, 1)
    assert drawn.shape == (2000, 8)
    np.testing.assert_array_equal(drawn, np.round(drawn))
    assert (drawn >= 0).all()
    assert (drawn <= TOTAL).all()
    variance = TOTAL * share * (1 - share)
    # Five standard errors of the mean and of the variance of 2000 draws; exact where nothing can vary.
    assert (np.abs(drawn.mean(axis=0) - CORRECT) <= 5 * np.sqrt(variance / 2000)).all()
    assert (np.abs(drawn.var(axis=0) - variance) <= 5 * variance * np.sqrt(2 / 2000)).all()
    assert np.abs(np.corrcoef(drawn[:, [0, 4, 6, 7]].T) - np.eye(4)).max() < 5 / np.sqrt(2000)


def test_classes_of_thousands_of_images():
    """The mass of no right image underflows there; the mean and the deviation do not."""
    total = np.full(8, 5000)
    correct = np.array([1, 50, 2500, 3500, 4900, 4999, 5000, 0])
    drawn = np.asarray(metrics.resampled_counts(jax.random.key(2), correct, total, num_samples=2000))
    variance = correct * (1 - correct / 5000)
    assert (np.abs(drawn.mean(axis=0) - correct) <= 5 * np.sqrt(variance / 2000)).all()
    # The fourth moment of a Poisson count of mean 1 is 4: twice the standard error of a normal one, and no more.
    assert (np.abs(drawn.var(axis=0) - variance) <= 5 * variance * np.sqrt(3 / 2000)).all()


def test_resampled_metrics_are_those_of_each_sample():
    drawn, present = np.asarray(counts())[:5], TOTAL > 0
    ratio = np.divide(drawn, TOTAL, where=present, out=np.zeros_like(drawn))
    unseen, seen = (ratio[:, present & side].mean(axis=1) for side in (~IS_SEEN, IS_SEEN))
    result = metrics.resampled_gzsl(drawn, TOTAL, IS_SEEN)
    contract.assert_close(result, {"unseen": unseen, "seen": seen, "harmonic": 2 * unseen * seen / (unseen + seen)})
    contract.assert_close(metrics.resampled_accuracy(drawn, TOTAL), ratio[:, present].mean(axis=1))
    contract.check_jit_and_vmap(metrics.resampled_accuracy, jnp.asarray(drawn), jnp.asarray(TOTAL))


def test_interval_is_numpys_quantile():
    samples = np.random.default_rng(0).normal(size=501)
    contract.assert_close(metrics.percentile_interval(samples, level=0.9), tuple(np.quantile(samples, [0.05, 0.95])))


def test_intervals_cover_the_truth_at_about_their_level():
    """Experiments of known class accuracies, their counts drawn from them, an interval from each experiment's counts.

    Of 400 experiments 90 % should cover, with a standard error of sqrt(.9 * .1 / 400) = 1.5 points. Classes of 40
    images make the bootstrap's deviation sqrt(39 / 40) of the true one, which costs 0.5 points of coverage; quantiles
    of 300 samples cost about as much again. Three standard errors around 89.5 %: 85 to 94.
    """
    experiments, images, samples = 400, 40, 300
    truth = np.random.default_rng(0).uniform(0.3, 0.95, size=8)
    observed = np.random.default_rng(1).binomial(images, truth, size=(experiments, 8)).astype(np.float32)
    total = np.full(8 * experiments, images)
    # All experiments are classes of one long table: one compiled draw serves them.
    drawn = metrics.resampled_counts(jax.random.key(0), observed.ravel(), total, num_samples=samples)
    drawn = np.asarray(drawn).reshape(samples, experiments, 8)

    @jax.jit
    @jax.vmap
    def intervals(drawn):
        values = metrics.resampled_gzsl(drawn, jnp.full(8, images), IS_SEEN)
        values["all"] = metrics.resampled_accuracy(drawn, jnp.full(8, images))
        return {name: metrics.percentile_interval(value, level=0.9) for name, value in values.items()}

    unseen, seen = truth[~IS_SEEN].mean(), truth[IS_SEEN].mean()
    true = {"all": truth.mean(), "unseen": unseen, "seen": seen, "harmonic": 2 * unseen * seen / (unseen + seen)}
    for name, (low, high) in intervals(jnp.asarray(drawn.swapaxes(0, 1))).items():
        coverage = np.mean((low <= true[name]) & (true[name] <= high))
        assert 0.85 <= coverage <= 0.94, (name, coverage)


def test_seeds_that_share_their_test_images():
    """The spread from mean counts is the largest that the mean over seeds can have: here, when seeds always agree."""
    images, share, experiments = 50, 0.7, 4000
    right = np.random.default_rng(0).random((experiments, images)) < share
    agreeing = np.stack([right, right, right]).mean(axis=(0, 2)).std()
    independent = (np.random.default_rng(1).random((3, experiments, images)) < share).mean(axis=(0, 2)).std()
    right, total = np.array([share * images]), np.array([images])
    drawn = metrics.resampled_counts(jax.random.key(0), right, total, num_samples=4000)
    ours = float(metrics.resampled_accuracy(drawn, total).std())
    assert abs(ours / agreeing - 1) < 0.07  # the deviations of 4000 values each: standard error 1.6 % of the ratio
    assert ours > 1.5 * independent


def test_resampled_pair_keeps_what_the_methods_share():
    total, a, b = np.array([40, 40, 40]), np.array([20, 20, 20]), np.array([24, 24, 20])
    both = np.array([20, 4, 10])  # b is right wherever a is; they exclude each other; they are independent
    draw_a, draw_b = map(np.asarray, metrics.resampled_pair(jax.random.key(0), a, b, both, total, num_samples=4000))
    for drawn, correct in ((draw_a, a), (draw_b, b)):
        assert (np.abs(drawn.mean(axis=0) - correct) < 5 * np.sqrt(10 / 4000)).all()
        assert (drawn <= total).all()
    assert (draw_a[:, 0] <= draw_b[:, 0]).all()
    only_a, only_b = (a - both) / total, (b - both) / total
    variance = total * (only_a + only_b - (only_a - only_b) ** 2)
    np.testing.assert_allclose((draw_a - draw_b).var(axis=0), variance, rtol=5 * np.sqrt(2 / 4000))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.mean_and_deviation(np.zeros((0, 2))), r"\(0, 2\)"),
        (lambda: metrics.paired_p_value(A, B[:3]), r"\(4,\), \(3,\)"),
        (lambda: metrics.paired_p_value(A[:1], B[:1]), r"at least two seeds, not \(1,\)"),
        (lambda: metrics.unpaired_p_value(A, B[:1]), r"b must be \[S\] with at least two seeds, not \(1,\)"),
        (lambda: metrics.resampled_counts(jax.random.key(0), A, B[:3], num_samples=3), r"\(4,\), \(3,\)"),
        (lambda: metrics.resampled_accuracy(A, B), r"\[R, C\] and total \[C\], not \(4,\) and \(4,\)"),
        (lambda: metrics.resampled_gzsl(A[None], B, IS_SEEN), r"\(4,\), \(8,\)"),
        (lambda: metrics.percentile_interval(A[None]), r"\(1, 4\)"),
    ],
)
def test_shapes_that_do_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()
