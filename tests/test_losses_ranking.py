"""The losses over scores against loops, under every mask, at the ugly points, and at their limits."""

import functools
import itertools

import contract
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import score_loss_cases
from score_loss_cases import BATCH, CASES, CLASSES

from zsl_jax import losses

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
BY_NAME = {case.name: case for case in CASES}
HINGES = ("warp", "rank_hinge", "structured_hinge", "multilabel_hinge")


@functools.cache
def compiled(name):
    """(scores, target, where, knobs) -> losses and the gradient of their sum in the scores; the knobs are traced."""
    loss = BY_NAME[name].loss

    def run(scores, target, where, knobs):
        values, pull = jax.vjp(lambda s: loss(s, target, where=where, **knobs), scores)
        return values, pull(jnp.ones_like(values))[0]

    return jax.jit(run)


def values_of(case, scores, target, where, **knobs):
    return np.asarray(compiled(case.name)(scores, target, where, {**case.knobs, **knobs})[0])


@every_case
def test_is_its_definition_under_any_mask(case):
    scores, target, where = score_loss_cases.arguments(case.target)
    none, all_classes = np.zeros_like(where), np.ones_like(where)
    for mask in (where, none, all_classes):
        actual = values_of(case, scores, target, mask)
        contract.assert_close(actual, score_loss_cases.expected(case, scores, target, mask), atol=1e-5)
    contract.assert_close(case.loss(scores, target, **case.knobs), values_of(case, scores, target, all_classes))
    of_classes = np.arange(CLASSES) != 3  # [C], as numpy would broadcast it
    actual = case.loss(scores, target, where=of_classes, **case.knobs)
    contract.assert_close(actual, score_loss_cases.expected(case, scores, target, of_classes), atol=1e-5)


@every_case
def test_what_is_masked_does_not_matter_whatever_it_holds(case):
    scores, target, where = score_loss_cases.arguments(case.target)
    _, pull = compiled(case.name)(scores, target, where, case.knobs)
    for junk in (np.nan, np.inf, -np.inf):
        values, gradient = compiled(case.name)(np.where(where, scores, junk), target, where, case.knobs)
        contract.assert_close(values, values_of(case, scores, target, where))
        contract.assert_close(gradient, pull)
        assert np.all(np.asarray(gradient)[~where] == 0)


@pytest.mark.parametrize("case", [c for c in CASES if not c.weights_are_fixed], ids=lambda case: case.name)
def test_the_gradient_is_that_of_the_definition(case):
    scores, target, where = score_loss_cases.arguments(case.target)
    _, actual = compiled(case.name)(scores, target, where, case.knobs)
    step, expected = 1e-5, np.zeros(scores.shape)
    for b, c in np.ndindex(*scores.shape):
        up, down = (scores.astype(np.float64) for _ in range(2))
        up[b, c] += step
        down[b, c] -= step
        difference = [score_loss_cases.expected(case, x, target, where)[b] for x in (up, down)]
        expected[b, c] = (difference[0] - difference[1]) / (2 * step)
    contract.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


@every_case
def test_jit_and_vmap(case):
    scores, target, where = score_loss_cases.arguments(case.target)
    loss = jax.jit(lambda s, t, w: case.loss(s, t, where=w, **case.knobs))  # plain: in the first test
    contract.check_vmap(loss, scores, target, where, atol=1e-5)


@pytest.mark.long
def test_eight_devices_are_one():
    """Every row for itself: nothing may depend on where the rows are. In one program, on eight rows."""
    rows = np.arange(8) % BATCH
    arguments = {case.name: [x[rows] for x in score_loss_cases.arguments(case.target)] for case in CASES}

    @jax.jit
    def everything(arguments):
        def one(case, scores, target, where):
            values, pull = jax.vjp(lambda s: case.loss(s, target, where=where, **case.knobs), scores)
            return values, pull(jnp.ones_like(values))[0]

        return {case.name: one(case, *arguments[case.name]) for case in CASES}

    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    divided = jax.device_put(arguments, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    contract.assert_close(everything(divided), everything(arguments), atol=1e-5)


@every_case
def test_values_and_gradients_are_finite_at_ugly_points(case):
    _, target, where = score_loss_cases.arguments(case.target)
    all_classes = np.ones_like(where)
    alike = np.broadcast_to(np.linspace(-1, 1, CLASSES, dtype=np.float32), (BATCH, CLASSES))
    points = {
        "ties at zero": np.zeros((BATCH, CLASSES), np.float32),
        "identical rows": alike,
        "cosines of exactly one": np.ones((BATCH, CLASSES), np.float32),
        "cosines of exactly minus one": -np.ones((BATCH, CLASSES), np.float32),
        "large": 1e4 * alike,
    }
    targets = [target, np.full_like(target, False if case.target == "labels" else -1)]
    for (name, scores), goal, mask in itertools.product(points.items(), targets, (all_classes, where, ~all_classes)):
        values, gradient = compiled(case.name)(scores, goal, mask, case.knobs)
        assert np.all(np.isfinite(values)), name
        assert np.all(np.isfinite(gradient)), name
    one_class = np.zeros((BATCH, 1), np.float32)
    goal = target[:, :1] if case.target == "labels" else np.zeros_like(target)
    values, gradient = compiled(case.name)(one_class, goal, all_classes[:, :1], case.knobs)
    assert np.all(np.asarray(values) == 0)
    assert np.all(np.asarray(gradient) == 0)


@every_case
def test_half_precision_and_wrong_shapes(case):
    scores, target, _ = score_loss_cases.arguments(case.target)
    contract.check_half_precision(lambda s: case.loss(s, target, **case.knobs), scores)
    wrong = target[:-1]
    with pytest.raises(ValueError, match=r"\(5, 6\).*\(4,"):
        case.loss(scores, wrong, **case.knobs)
    with pytest.raises(ValueError, match=r"broadcastable to \(5, 6\), not \(5,\)"):
        case.loss(scores, target, where=np.ones(BATCH, bool), **case.knobs)
    for knob in case.knobs:
        with pytest.raises(ValueError, match=rf"{knob} must be one number, not an array \(6,\)"):
            case.loss(scores, target, **{**case.knobs, knob: np.ones(CLASSES)})


@every_case
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.integers(0, 2**20))
def test_order_does_not_matter(case, seed):
    """Neither of the classes nor of the examples."""
    rng = np.random.default_rng(seed)
    scores, target, where = score_loss_cases.arguments(case.target)
    scores = rng.uniform(-1, 1, scores.shape).astype(np.float32)
    rows, columns = rng.permutation(BATCH), rng.permutation(CLASSES)
    moved = target[:, columns] if case.target == "labels" else np.argsort(columns)[target].astype(np.int32)
    actual = values_of(case, scores[rows][:, columns], moved[rows], where[rows][:, columns])
    contract.assert_close(actual, values_of(case, scores, target, where)[rows], atol=1e-5)


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.sampled_from(HINGES), st.floats(0.125, 8), st.integers(0, 2**20))
def test_hinges_scale_with_scores_and_margin(name, scale, seed):
    case = BY_NAME[name]
    _, target, where = score_loss_cases.arguments(case.target)
    scores = np.random.default_rng(seed).normal(size=where.shape).astype(np.float32)
    scaled = values_of(case, np.float32(scale) * scores, target, where, margin=0.8 * scale)
    contract.assert_close(scaled, scale * values_of(case, scores, target, where), rtol=1e-4, atol=1e-4)


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(st.sampled_from([*HINGES, "lsep", "softmax_cross_entropy"]), st.floats(-4, 4), st.integers(0, 2**20))
def test_rankings_do_not_change_with_a_constant(name, constant, seed):
    case = BY_NAME[name]
    _, target, where = score_loss_cases.arguments(case.target)
    scores = np.random.default_rng(seed).normal(size=where.shape).astype(np.float32)
    contract.assert_close(
        values_of(case, scores + np.float32(constant), target, where),
        values_of(case, scores, target, where),
        rtol=1e-4,
        atol=1e-4,
    )


def test_warp_with_two_classes_is_the_hinge():
    scores, labels = np.array([[0.2, 0.5], [3.0, 1.0], [-0.1, 0.7]], np.float32), np.array([0, 0, 1])
    expected = [1.3, 0.0, 0.2]
    for loss in (losses.warp, losses.rank_hinge, losses.structured_hinge):
        contract.assert_close(jax.jit(loss)(scores, labels), expected)


def test_warp_without_a_violation_is_zero_with_a_zero_gradient():
    scores, labels = np.zeros((BATCH, CLASSES), np.float32), np.arange(BATCH)
    scores[labels, labels] = 0.8  # the margin exactly
    values, gradient = compiled("warp")(scores, labels, np.ones_like(scores, bool), {"margin": 0.8})
    assert np.all(np.asarray(values) == 0)
    assert np.all(np.asarray(gradient) == 0)


def test_the_margin_is_differentiable_and_may_be_mapped_over():
    scores, labels, where = score_loss_cases.arguments("label")
    margins = jnp.array([0.1, 1.0])
    together = jax.jit(jax.vmap(lambda m: losses.warp(scores, labels, margin=m, where=where)))(margins)
    for margin, values in zip(margins, together):
        contract.assert_close(values, values_of(BY_NAME["warp"], scores, labels, where, margin=margin))
    slope = jax.jit(jax.grad(lambda m: jnp.sum(losses.structured_hinge(scores, labels, margin=m))))(1.0)
    violated = values_of(BY_NAME["structured_hinge"], scores, labels, np.ones_like(where), margin=1.0) > 0
    assert float(slope) == np.sum(violated)


def by_every_order(row, label, margin):
    """The mean of the sampled losses over all orders in which the other classes can be tried."""
    tried = [c for c in range(len(row)) if c != label]
    warps, hinges = [], []
    for order in itertools.permutations(tried):
        found = [(t, margin + row[c] - row[label]) for t, c in enumerate(order, 1) if margin + row[c] - row[label] > 0]
        trial, violation = found[0] if found else (1, 0.0)
        warps.append(sum(1 / j for j in range(1, len(tried) // trial + 1)) * violation)
        hinges.append(violation)
    return np.mean(warps), np.mean(hinges)


def test_sampled_losses_have_the_mean_of_all_orders():
    scores = np.array([[0.0, 0.5, -3.0, -0.2, -2.0], [4.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    labels = np.array([0, 0, 1])
    keys = jax.random.split(jax.random.key(0), 4000)
    expected = np.array([by_every_order(row, label, 1.0) for row, label in zip(scores.astype(float), labels)]).T
    for loss, mean in zip((losses.sampled_warp, losses.sampled_rank_hinge), expected):
        values = np.asarray(jax.jit(jax.vmap(lambda key, loss=loss: loss(key, scores, labels)))(keys), np.float64)
        error = np.std(values, axis=0) / np.sqrt(len(keys))
        np.testing.assert_array_less(np.abs(np.mean(values, axis=0) - mean), 4 * error + 1e-6)


@pytest.mark.parametrize("loss", [losses.sampled_warp, losses.sampled_rank_hinge], ids=lambda loss: loss.__name__)
def test_sampled_losses_keep_the_contract(loss):
    scores, labels, where = score_loss_cases.arguments("label")
    key = jax.random.key(0, impl="rbg")  # quick to compile
    masked = jax.jit(lambda s, y, w: loss(key, s, y, where=w))
    contract.assert_close(masked(scores, labels, where), loss(key, scores, labels, where=where))
    contract.check_vmap(masked, scores, labels, where)
    contract.check_finite_gradients(lambda s: masked(s, labels, where), jnp.zeros_like(scores))
    contract.check_half_precision(lambda s: masked(s, labels, where), scores)
    with pytest.raises(ValueError, match=r"\(5, 6\).*\(4,\)"):
        loss(key, scores, labels[:-1])
    assert np.all(np.asarray(masked(scores, labels, np.zeros_like(where))) == 0)
    only_rival = np.zeros_like(where)  # with one other class there is nothing to draw
    only_rival[np.arange(BATCH), labels], only_rival[np.arange(BATCH), (labels + 1) % CLASSES] = True, True
    contract.assert_close(masked(scores, labels, only_rival), losses.structured_hinge(scores, labels, where=only_rival))


def test_circle_at_its_goals_counts_the_pairs():
    """Similarities beyond the goals on purpose: all weights are 0, and what is left is the number of pairs."""
    _, is_positive, where = score_loss_cases.arguments("labels")
    positives, negatives = (np.sum(mask & where, axis=1) for mask in (is_positive, ~is_positive))
    similarities = np.where(is_positive, 1.25, -0.25).astype(np.float32)
    actual = values_of(BY_NAME["circle"], similarities, is_positive, where, margin=0.25)
    contract.assert_close(actual, np.log1p(positives * negatives))
    _, labels, _ = score_loss_cases.arguments("label")
    similarities = np.where(np.arange(CLASSES) == labels[:, None], 1.25, -0.25).astype(np.float32)
    actual = values_of(BY_NAME["class_circle"], similarities, labels, np.ones_like(where), margin=0.25)
    contract.assert_close(actual, np.full(BATCH, np.log(CLASSES)))


def test_circle_holds_its_weights_constant():
    """With one pair the loss is softplus(z), and the slopes of z are scale * weight."""
    margin, scale = 0.25, 6.0
    positive, negative = 0.6, 0.3
    similarities = np.full((BATCH, CLASSES), positive, np.float32)
    similarities[:, 1] = negative
    where, is_positive = np.zeros((BATCH, CLASSES), bool), np.zeros((BATCH, CLASSES), bool)
    where[0, :2], is_positive[0, 0] = True, True
    _, gradient = compiled("circle")(similarities, is_positive, where, {"margin": margin, "scale": scale})
    to_positive, to_negative = 1 + margin - positive, negative + margin
    slope = 1 / (1 + np.exp(-scale * (to_negative * (negative - margin) - to_positive * (positive - 1 + margin))))
    expected = np.zeros((BATCH, CLASSES))
    expected[0, :2] = -slope * scale * to_positive, slope * scale * to_negative
    contract.assert_close(gradient, expected)


def test_margin_softmax_without_a_margin_is_the_softmax():
    scores, labels, where = score_loss_cases.arguments("label")
    expected = values_of(BY_NAME["softmax_cross_entropy"], scores, labels, where, scale=5.0)
    for name in ("cosface", "arcface"):
        contract.assert_close(values_of(BY_NAME[name], scores, labels, where, margin=0.0), expected, atol=1e-5)


def test_a_small_cross_entropy_keeps_its_digits():
    scores, labels = np.full((BATCH, CLASSES), 0.75, np.float32), np.arange(BATCH)
    scores[labels, labels] = 1.0
    values = values_of(BY_NAME["softmax_cross_entropy"], scores, labels, np.ones_like(scores, bool), scale=64.0)
    np.testing.assert_allclose(values, np.log1p(5 * np.exp(-16.0)), rtol=1e-5)
