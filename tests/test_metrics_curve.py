"""The exact seen-unseen curve: its constants reproduce it, its area is that of a dense grid, its edges are right."""

import contract
import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import metrics

N, C, BINS = 24, 6, 4
HALF_SEEN = np.arange(C) % 2 == 0
EVERYTHING = np.ones(N, bool)


def score_rows(rng, kind):
    scores = rng.normal(size=(N, C))
    return {
        "random": scores,
        "ties": np.round(2 * scores) / 2,
        "sums that round": np.round(10 * scores).astype(np.float32) / np.float32(10),
        "large with small steps": 1e6 * np.round(scores) + rng.integers(0, 3, scores.shape),
        "all equal": np.zeros_like(scores),
        "some classes excluded": np.where(rng.random(C) < 0.4, -np.inf, scores),
    }[kind].astype(np.float32)


KINDS = ("random", "ties", "sums that round", "large with small steps", "all equal", "some classes excluded")

exact = jax.jit(metrics.seen_unseen_curve)
pairs = jax.jit(lambda s, y, is_seen, where: metrics.compositional_curve(s, y, is_seen, where=where))
binned = jax.jit(
    lambda s, y, is_seen, candidates, where: metrics.binned_compositional_curve(
        s, y, is_seen, candidates=candidates, num_bins=BINS, where=where
    )
)
area = jax.jit(metrics.ausuc)


def accuracies(predictions, labels, is_seen, where, *, per_class):
    """Accuracy on unseen and on seen labels, in loops."""
    out = []
    for group in (False, True):
        mine = [i for i in range(N) if where[i] and is_seen[labels[i]] == group]
        blocks = [[i for i in mine if labels[i] == c] for c in range(C)] if per_class else [mine]
        means = [np.mean([predictions[i] == labels[i] for i in block]) for block in blocks if block]
        out.append(np.mean(means) if means else 0.0)
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_argmax_at_the_returned_constants_gives_the_curve(kind, seed):
    rng = np.random.default_rng(seed)
    scores, labels = score_rows(rng, kind), rng.integers(0, C, N)
    is_seen, where = rng.random(C) < 0.5, rng.random(N) < 0.8
    for fn, per_class in (exact, True), (pairs, False):
        unseen, seen, gamma = map(np.asarray, fn(scores, labels, is_seen, where))
        assert np.all(np.isfinite(gamma))
        for m in range(N + 1):
            shifted = np.where(is_seen, scores - gamma[m], scores)  # calibrated_stacking in float32
            at_gamma = accuracies(shifted.argmax(1), labels, is_seen, where, per_class=per_class)
            np.testing.assert_allclose([unseen[m], seen[m]], at_gamma, atol=1e-6)


@pytest.mark.parametrize("kind", ["ties", "all equal"])
def test_equal_breakpoints_are_one_move(kind):
    scores = score_rows(np.random.default_rng(0), kind)
    unseen, seen, gamma = map(np.asarray, exact(scores, np.arange(N) % C, HALF_SEEN, EVERYTHING))
    breakpoints = scores[:, HALF_SEEN].max(1) - scores[:, ~HALF_SEEN].max(1)
    assert not set(gamma) & set(breakpoints)
    assert len(set(gamma)) == len(set(breakpoints)) + 1
    assert len(set(zip(unseen, seen))) <= len(set(gamma))


def test_calibrated_stacking_is_the_subtraction_that_the_curve_counts():
    scores = score_rows(np.random.default_rng(0), "sums that round")
    stacked = metrics.calibrated_stacking(scores, HALF_SEEN, 0.3)
    np.testing.assert_array_equal(stacked, np.where(HALF_SEEN, scores - np.float32(0.3), scores))
    assert metrics.calibrated_stacking(scores.astype(jnp.bfloat16), HALF_SEEN, 0.3).dtype == jnp.float32
    with pytest.raises(ValueError, match=r"\(24, 6\) and \(5,\)"):
        metrics.calibrated_stacking(scores, HALF_SEEN[:-1], 0.3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_area_is_that_of_a_dense_grid(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(N, C)).astype(np.float32), rng.integers(0, C, N)
    scores[np.arange(N), labels] += 1
    unseen, seen, _ = exact(scores, labels, HALF_SEEN, EVERYTHING)
    grid = np.linspace(-8, 8, 4001)
    points = [
        accuracies(np.argmax(scores - g * HALF_SEEN, 1), labels, HALF_SEEN, EVERYTHING, per_class=True) for g in grid
    ]
    grid_unseen, grid_seen = np.transpose(points)
    # Between two grid points several examples may move: the grid cuts a corner that the exact curve has.
    np.testing.assert_allclose(area(unseen, seen), np.trapezoid(grid_seen, grid_unseen), atol=2e-3)


def test_separable_scores_have_area_one():
    labels = np.arange(N) % C
    scores = 10 * np.eye(C, dtype=np.float32)[labels]
    unseen, seen, _ = exact(scores, labels, HALF_SEEN, EVERYTHING)
    np.testing.assert_allclose(area(unseen, seen), 1.0, rtol=1e-6)
    np.testing.assert_allclose(metrics.curve_summary(unseen, seen), np.ones(4), rtol=1e-6)
    assert unseen[0] == 0.0
    assert seen[-1] == 0.0


@pytest.mark.parametrize("is_seen", [np.ones(C, bool), np.zeros(C, bool)], ids=["all seen", "all unseen"])
def test_with_one_group_the_curve_is_one_point(is_seen):
    labels = np.arange(N) % C
    unseen, seen, gamma = exact(np.eye(C, dtype=np.float32)[labels], labels, is_seen, EVERYTHING)
    np.testing.assert_allclose(unseen, np.full(N + 1, 1.0 - is_seen[0]), rtol=1e-6)
    np.testing.assert_allclose(seen, np.full(N + 1, 1.0 * is_seen[0]), rtol=1e-6)
    assert area(unseen, seen) == 0.0
    assert np.all(np.isfinite(gamma))


def test_padding_changes_nothing():
    rng = np.random.default_rng(0)
    scores, labels = score_rows(rng, "ties"), rng.integers(0, C, N)
    padded = np.concatenate([scores, np.full((N, C), np.nan, np.float32)]), np.concatenate([labels, np.full(N, -1)])
    plain = metrics.curve_summary(*exact(scores, labels, HALF_SEEN, EVERYTHING)[:2])
    contract.assert_close(metrics.curve_summary(*exact(*padded, HALF_SEEN, np.arange(2 * N) < N)[:2]), plain)
    counts = metrics.per_class_counts(np.append(labels, 0), np.append(labels, -1), num_classes=C)
    np.testing.assert_array_equal(counts[1], np.bincount(labels, minlength=C))


finite = hypothesis.extra.numpy.arrays(np.float32, (N, C), elements=st.floats(-4, 4, width=16))


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(finite, hypothesis.extra.numpy.arrays(np.int32, N, elements=st.integers(0, C - 1)), st.randoms())
def test_the_curve_is_monotone_and_ignores_the_order_of_the_examples(scores, labels, random):
    unseen, seen, gamma = map(np.asarray, exact(scores, labels, HALF_SEEN, EVERYTHING))
    assert np.all(np.diff(unseen) >= 0)
    assert np.all(np.diff(seen) <= 0)
    assert np.all(np.diff(gamma) >= 0)
    order = random.sample(range(N), N)
    again = exact(scores[order], labels[order], HALF_SEEN, EVERYTHING)
    contract.assert_close(again, (unseen, seen, gamma), atol=1e-5)


def literal_bins(scores, labels, is_seen, candidates, where):
    """The reference evaluator's list of biases and its accuracies, in loops."""
    scores = np.where(candidates, scores, -1e10)
    unseen_winner = np.argmax(np.where(is_seen, -1e10, scores), axis=1)
    differences = sorted(
        np.float32(max(scores[i][is_seen]) - scores[i, labels[i]]) - np.float32(1e-4)
        for i in range(N)
        if where[i] and not is_seen[labels[i]] and unseen_winner[i] == labels[i]
    )
    biases = differences[:: max(len(differences) // BINS, 1)]
    points = [
        accuracies(np.where(is_seen, scores - b, scores).argmax(1), labels, is_seen, where, per_class=False)
        for b in biases
    ]
    return [*points, accuracies(unseen_winner, labels, is_seen, where, per_class=False)]


@pytest.mark.parametrize("seed", range(4))
def test_the_binned_sweep_is_the_literal_one(seed):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=(N, C)).astype(np.float32), rng.integers(0, C, N)
    scores[np.arange(N), labels] += seed  # more unseen images are right, so the list is longer
    candidates, where = np.arange(C) != seed, rng.random(N) < 0.9
    unseen, seen, bias = binned(scores, labels, HALF_SEEN, candidates, where)
    literal_unseen, literal_seen = np.transpose(literal_bins(scores, labels, HALF_SEEN, candidates, where))
    harmonic = max(2 * u * s / max(u + s, 1e-9) for u, s in zip(literal_unseen, literal_seen))
    expected = np.trapezoid(literal_seen, literal_unseen), harmonic, literal_seen.max(), literal_unseen.max()
    contract.assert_close(tuple(metrics.curve_summary(unseen, seen)), expected)
    assert len(bias) == 2 * BINS
    assert bias[-1] == np.inf
    assert np.all(np.diff(bias[:-1]) >= 0)


def test_the_binned_sweep_without_a_right_unseen_image_is_one_point():
    labels = np.arange(N) % C
    scores = -np.eye(C, dtype=np.float32)[labels]
    unseen, seen, _ = binned(scores, labels, HALF_SEEN, np.ones(C, bool), EVERYTHING)
    np.testing.assert_array_equal(unseen, np.zeros(2 * BINS))
    np.testing.assert_array_equal(seen, np.zeros(2 * BINS))
    assert area(unseen, seen) == 0.0


def test_no_image_is_a_curve_at_zero_and_no_point_is_none():
    none, nowhere = np.zeros((0, C), np.float32), np.zeros(0, np.int32)
    unseen, seen, _ = binned(none, nowhere, HALF_SEEN, np.ones(C, bool), np.zeros(0, bool))
    assert tuple(metrics.curve_summary(unseen, seen)) == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="a curve has one point at least"):
        metrics.curve_summary(unseen[:0], seen[:0])


def test_the_binned_sweep_misses_what_the_exact_one_finds():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, C, N)
    scores = rng.normal(size=(N, C)).astype(np.float32)
    scores[np.arange(N), labels] += 1
    coarse = metrics.curve_summary(*binned(scores, labels, HALF_SEEN, np.ones(C, bool), EVERYTHING)[:2])
    fine = metrics.curve_summary(*pairs(scores, labels, HALF_SEEN, EVERYTHING)[:2])
    assert fine.harmonic > coarse.harmonic
    np.testing.assert_allclose(fine.unseen, coarse.unseen, rtol=1e-6)


def test_a_world_without_the_pair_counts_its_images_as_wrong():
    labels = np.arange(N) % C
    scores = 10 * np.eye(C, dtype=np.float32)[labels]
    world = np.arange(C) != 1  # an unseen pair
    unseen, seen, _ = binned(scores, labels, HALF_SEEN, world, EVERYTHING)
    np.testing.assert_allclose(unseen.max(), 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(seen.max(), 1.0, rtol=1e-6)
    # Without any unseen pair the seen ones keep winning, however large the bias.
    unseen, seen, _ = binned(scores, labels, HALF_SEEN, HALF_SEEN, EVERYTHING)
    np.testing.assert_array_equal(unseen, np.zeros(2 * BINS))
    np.testing.assert_allclose(seen, np.ones(2 * BINS), rtol=1e-6)


def test_pair_feasibility_equals_loops():
    rng = np.random.default_rng(0)
    attributes, objects = rng.uniform(-1, 1, (4, 4)), rng.uniform(-1, 1, (5, 5))
    is_seen = rng.random((4, 5)) < 0.4
    is_seen[2] = False  # an attribute that no seen pair has
    expected = np.ones((4, 5))
    for a, o in zip(*np.nonzero(~is_seen)):
        near_objects = [objects[o, p] for p in range(5) if p != o and is_seen[a, p]]
        near_attributes = [attributes[a, b] for b in range(4) if b != a and is_seen[b, o]]
        expected[a, o] = (max(near_objects, default=-1) + max(near_attributes, default=-1)) / 2
    contract.assert_close(metrics.pair_feasibility(attributes, objects, is_seen), expected)
    with pytest.raises(ValueError, match=r"\(4, 4\), \(5, 5\) and \(5, 4\)"):
        metrics.pair_feasibility(attributes, objects, is_seen.T)


def couples(scores, where):
    """Text, image and group score by loops."""
    found = []
    for (a, b), (c, d) in (scores[i] for i in range(len(scores)) if where[i]):
        found.append((a > b and d > c, a > c and d > b, a > b and d > c and a > c and d > b))
    return np.mean(found, axis=0) if found else np.zeros(3)


def test_matching_equals_loops_and_its_chance_is_what_is_said():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20000, 2, 2)).astype(np.float32)
    scores[:50] = np.round(scores[:50])  # ties
    for where in (np.ones(20000, bool), rng.random(20000) < 0.3, np.zeros(20000, bool)):
        for fn in (metrics.matching_accuracy, jax.jit(metrics.matching_accuracy)):
            contract.assert_close(jnp.stack(fn(scores, where=where)), couples(scores, where))
    np.testing.assert_allclose(metrics.matching_accuracy(scores), (1 / 4, 1 / 4, 1 / 6), atol=0.01)
    stacked = scores[:40].reshape(4, 10, 2, 2)
    looped = [jnp.stack(metrics.matching_accuracy(each)) for each in stacked]
    contract.assert_close(jnp.stack(jax.vmap(metrics.matching_accuracy)(stacked), axis=1), np.stack(looped))
    with pytest.raises(ValueError, match=r"\[N, 2, 2\], not \(4, 2\)"):
        metrics.matching_accuracy(scores[:4, 0])


def test_a_bag_of_words_matches_nothing_and_tells_no_swap():
    scores = np.repeat(np.random.default_rng(0).normal(size=(9, 2, 1)), 2, axis=2)
    assert tuple(metrics.matching_accuracy(scores)) == (0, 0, 0)
    assert metrics.swap_accuracy(scores[:, 0, 0], scores[:, 0, 1]) == 0.5


def test_swaps_equal_loops():
    rng = np.random.default_rng(0)
    own, swapped = rng.integers(0, 3, (2, 60)).astype(np.float32)
    own[0] = np.nan
    where = rng.random(60) < 0.5
    where[0] = True
    wanted = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b, w in zip(own, swapped, where) if w]
    contract.assert_close(metrics.swap_accuracy(own, swapped, where=where), np.mean(wanted))
    assert metrics.swap_accuracy(own, swapped, where=np.zeros(60, bool)) == 0
    with pytest.raises(ValueError, match="own, swapped must have the same shape"):
        metrics.swap_accuracy(own, swapped[:3])
