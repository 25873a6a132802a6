"""The in-batch contrastive losses: plain loops, numeric gradients, masks, blocks, the ugly points and the limits."""

import functools

import contract
import contrastive_cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsl_jax import losses
from zsl_jax.losses import contrastive, negatives, self_contrastive

BATCH = 5
CASES = contrastive_cases.make(BATCH)
MASKS = {
    "all": [True] * BATCH,
    "some": [True, False, True, True, True],
    "one": [False] * 4 + [True],
    "none": [False] * 5,
}
KINDS = ("multi_positive_clip", "sigmoid_contrastive", "supervised_contrastive", "nt_xent", "hard_negative_clip")
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def weights(case):
    return jnp.linspace(0.3, 1.7, BATCH * case.views)


def differentiated(case) -> tuple[int, ...]:
    return tuple(i for i, x in enumerate(case.arrays) if contract.is_float(x))


@functools.cache
def compiled(names: tuple[str, ...], chunk: int | None):
    """`(where, {name: arrays})` to the losses of the cases and the gradients of their weighted sums."""
    cases = [case for case in CASES if case.name in names]

    def one(case, where, arrays):
        def total(*arrays):
            loss = case.loss(*arrays, where=where, chunk=chunk)
            return jnp.sum(weights(case) * loss), loss

        return jax.value_and_grad(total, argnums=differentiated(case), has_aux=True)(*arrays)

    # One compilation for all cases.
    return jax.jit(lambda where, arrays: {case.name: one(case, where, arrays[case.name]) for case in cases})


def losses_and_gradients(case, where, arrays, names=tuple(case.name for case in CASES), chunk: int | None = 2):
    everything = {other.name: other.arrays for other in CASES} | {case.name: tuple(arrays)}
    (_, loss), gradients = compiled(names, chunk)(np.asarray(where), everything)[case.name]
    return loss, gradients


def numeric_gradient(case, argnum: int, where, step: float = 1e-5) -> np.ndarray:
    arrays = [np.array(x, float) if contract.is_float(x) else x for x in case.arrays]
    gradient = np.zeros(arrays[argnum].shape)
    for index in np.ndindex(gradient.shape):
        totals = []
        for sign in (1, -1):
            moved = list(arrays)
            moved[argnum] = arrays[argnum].copy()
            moved[argnum][index] += sign * step
            totals.append(np.sum(np.asarray(weights(case), float) * case.oracle(*moved, where)))
        gradient[index] = (totals[0] - totals[1]) / (2 * step)
    return gradient


@by_case
def test_value_and_gradients_equal_plain_loops(case):
    for name, mask in MASKS.items():
        where = np.array(mask)
        loss, gradients = losses_and_gradients(case, where, case.arrays)
        contract.assert_close(loss, case.oracle(*case.arrays, where), rtol=1e-4, atol=1e-5)
        if name == "none":
            contract.assert_close(gradients, jax.tree.map(jnp.zeros_like, gradients))
            continue
        for argnum, gradient in zip(differentiated(case), gradients):
            contract.assert_close(gradient, numeric_gradient(case, argnum, where), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", KINDS)
def test_blocks_equal_the_whole(name):
    """Five rows in blocks of two, the last one padded, the logits made twice; and all rows at once, the logits kept."""
    case = next(case for case in CASES if case.name == name)
    for mask in (MASKS["all"], MASKS["some"]):
        blocks = losses_and_gradients(case, mask, case.arrays)
        contract.assert_close(losses_and_gradients(case, mask, case.arrays, KINDS, None), blocks, rtol=1e-5, atol=2e-6)


@pytest.mark.long
def test_no_mask_is_a_full_mask_under_jit_and_vmap():
    sizes = [len(case.arrays) for case in CASES]

    def everything(*flat):
        flat = iter(flat)
        return [case.loss(*(next(flat) for _ in range(n)), where=None) for case, n in zip(CASES, sizes)]

    flat = [x for case in CASES for x in case.arrays]
    contract.check_vmap(jax.jit(everything), *flat, rtol=1e-4)
    for case, loss in zip(CASES, everything(*flat)):  # outside of jit
        contract.assert_close(loss, case.oracle(*case.arrays, np.ones(BATCH, bool)), rtol=1e-4, atol=1e-5)


@by_case
def test_gradients_are_finite_at_the_ugly_points(case):
    for fill in (0.0, 1.0):
        arrays = [np.full_like(x, fill) if np.ndim(x) == 2 else x for x in case.arrays]
        for mask in MASKS.values():
            results = losses_and_gradients(case, mask, arrays)
            assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(results))


@pytest.mark.long
def test_one_row_has_no_negatives():
    cases = contrastive_cases.make(1)

    @jax.jit
    def values_and_gradients(arrays):
        return [
            jax.value_and_grad(lambda *xs, case=case: jnp.sum(case.loss(*xs, where=None)), differentiated(case))(*xs)
            for case, xs in zip(cases, arrays)
        ]

    results = values_and_gradients([case.arrays for case in cases])
    for case, (value, gradients) in zip(cases, results):
        contract.assert_close(value, np.sum(case.oracle(*case.arrays, np.ones(1, bool))), rtol=1e-4)
        assert all(np.all(np.isfinite(x)) for x in gradients), case.name


@by_case
def test_masked_rows_may_hold_anything(case):
    if case.name == "info_nce":
        pytest.skip("its mask is one of candidates, not of examples")
    where = np.array(MASKS["some"])
    dirty = [x.copy() if np.ndim(x) == 2 else x for x in case.arrays]
    for x in dirty:
        if np.ndim(x) == 2:
            x[~where] = np.nan
    contract.assert_close(losses_and_gradients(case, where, dirty), losses_and_gradients(case, where, case.arrays))


@by_case
def test_half_precision_gives_float32(case):
    contract.check_half_precision(lambda *arrays: case.loss(*arrays, where=None), *case.arrays)


@by_case
def test_order_of_the_batch_does_not_matter(case):
    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(st.permutations(range(BATCH)), st.lists(st.booleans(), min_size=BATCH, max_size=BATCH))
    def check(order, mask):
        order, where = np.array(order), np.array(mask)
        moved = [x[order] if np.ndim(x) and len(x) == BATCH else x for x in case.arrays]
        if case.name == "info_nce":
            moved[-1] = np.argsort(order)[moved[-1]]
        loss = losses_and_gradients(case, where, case.arrays)[0]
        expected = loss.reshape(case.views, BATCH)[:, order].ravel()
        contract.assert_close(losses_and_gradients(case, where[order], moved)[0], expected, rtol=1e-4, atol=1e-5)

    check()


def unit(seed: int, rows: int = BATCH, width: int = 3) -> jax.Array:
    x = jax.random.normal(jax.random.key(seed), (rows, width))
    return x / jnp.linalg.norm(x, axis=1, keepdims=True)


def test_debiased_without_a_prior_is_nt_xent():
    plain = self_contrastive.nt_xent(unit(0), unit(1), temperature=0.5)
    contract.assert_close(negatives.debiased_contrastive(unit(0), unit(1), temperature=0.5, tau_plus=0.0), plain)


def test_debiased_sum_is_never_below_the_least_that_unit_vectors_allow():
    """Two examples that are each other's opposite: their sum is that least, so what is taken off it comes back."""
    z = jnp.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    loss = negatives.debiased_contrastive(z, z, temperature=10.0, tau_plus=0.1)
    contract.assert_close(loss, np.full(4, np.log(1 + 2 * np.exp(-0.1) / np.exp(0.1))), rtol=1e-5)


def test_hardness_zero_is_clip_softmax():
    plain = contrastive.clip_softmax(unit(0), unit(1), scale=7.0)
    contract.assert_close(
        negatives.hardness_weighted_contrastive(unit(0), unit(1), scale=7.0, alpha=0.0), plain, rtol=1e-5
    )


def test_sigmoid_at_zero_is_the_batch_times_log_2():
    loss = contrastive.sigmoid_contrastive(unit(0), unit(1), scale=0.0, bias=0.0)
    contract.assert_close(loss, np.full(BATCH, BATCH * np.log(2.0)))


def test_identical_vectors_leave_the_choice_to_chance():
    same = jnp.ones((BATCH, 3))
    contract.assert_close(contrastive.clip_softmax(same, same, scale=50.0), np.full(5, np.log(5)))
    contract.assert_close(self_contrastive.nt_xent(same, same, temperature=0.1), np.full(10, np.log(9)))
    labels = jnp.array([0, 0, 1, 1, 2])
    expected = np.log(4) * np.array([1, 1, 1, 1, 0])
    contract.assert_close(self_contrastive.supervised_contrastive(same, labels, temperature=0.1), expected)


def test_labels_all_different_are_clip_and_all_alike_are_one_class():
    plain = contrastive.clip_softmax(unit(0), unit(1), scale=7.0)
    contract.assert_close(
        contrastive.multi_positive_clip(unit(0), unit(1), jnp.arange(BATCH), scale=7.0), plain, rtol=1e-5, atol=1e-5
    )


def test_views_as_pairs_of_labels_make_supervised_contrastive_nt_xent():
    both = jnp.concatenate([unit(0), unit(1)])
    labels = jnp.concatenate([jnp.arange(BATCH)] * 2)
    contract.assert_close(
        self_contrastive.supervised_contrastive(both, labels, temperature=0.3),
        self_contrastive.nt_xent(unit(0), unit(1), temperature=0.3),
        rtol=1e-5,
    )


def test_a_small_loss_keeps_its_digits():
    """The positive 60 above four negatives: log(1 + 4 exp(-60)), which a difference of two float32 logits calls 0."""
    x = jnp.eye(BATCH)
    expected = np.full(BATCH, np.log1p(4 * np.exp(-60.0)))
    contract.assert_close(contrastive.clip_softmax(x, x, scale=60.0), expected, rtol=1e-4, atol=0)


def test_info_nce_of_a_positive_out_of_range_is_zero():
    loss = contrastive.info_nce(unit(0), unit(1), jnp.array([-1, 0, 5, 2, 4]), temperature=0.5)
    assert np.array_equal(np.asarray(loss) > 0, [False, True, False, True, True])


def test_hard_negatives_left_out_make_clip_softmax():
    none = negatives.hard_negative_clip(unit(0), unit(1), unit(2), scale=5.0, where_negatives=False)
    contract.assert_close(none, contrastive.clip_softmax(unit(0), unit(1), scale=5.0))


def test_curl_block_equals_plain_loops():
    rng = np.random.default_rng(0)
    a, p, n = rng.normal(size=(4, 3)), rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 5, 2, 3))
    v = np.array([[a[i] @ (p[i].mean(0) - n[i, k].mean(0)) for k in range(5)] for i in range(4)])
    logistic = [np.log2(1 + sum(np.exp(-x) for x in row)) for row in v]
    jitted = jax.jit(negatives.curl_block)
    contract.assert_close(jitted(a, p, n), np.array(logistic), rtol=1e-5)
    hinge = [max(0.0, 1 - min(row)) for row in v]
    contract.assert_close(negatives.curl_block(a, p, n, surrogate="hinge"), np.array(hinge), rtol=1e-5)
    contract.check_vmap(jitted, a, p, n)
    contract.check_half_precision(jitted, a, p, n)
    contract.check_finite_gradients(jitted, 0 * a, 0 * p, 0 * n)
    for where in (np.arange(4) != 1, np.zeros(4, bool)):
        dirty = [np.where(where.reshape(-1, *[1] * (x.ndim - 1)), x, np.nan) for x in (a, p, n)]
        masked = jax.jit(lambda *xs, where=where: negatives.curl_block(*xs, where=where))
        contract.assert_close(masked(*dirty), np.where(where, logistic, 0.0), rtol=1e-5)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("said", "loss", "arrays", "options"),
    [
        (r"\(3, 2\), \(4, 2\)", contrastive.clip_softmax, [ones(3, 2), ones(4, 2)], {"scale": 1.0}),
        (r"\(3,\)", contrastive.sigmoid_contrastive, [ones(3), ones(3)], {"scale": 1.0, "bias": 0.0}),
        (r"\(4, 5\)", contrastive.info_nce, [ones(3, 2), ones(4, 5), np.arange(3)], {"temperature": 1.0}),
        (r"\(3, 2\), \(4, 2\)", contrastive.info_nce, [ones(3, 2), ones(4, 2)], {"temperature": 1.0}),
        (r"\(3, 2\), \(3, 4\)", self_contrastive.nt_xent, [ones(3, 2), ones(3, 4)], {"temperature": 1.0}),
        (r"\(4,\)", self_contrastive.supervised_contrastive, [ones(3, 2), np.arange(4)], {"temperature": 1.0}),
        ("integers", self_contrastive.supervised_contrastive, [ones(3, 2), 0.5 * ones(3)], {"temperature": 1.0}),
        (r"\(2,\)", self_contrastive.gated_contrastive, [ones(3, 2), ones(3, 2), ones(2)], {"temperature": 1.0}),
        (r"\(3, 1, 1, 2\)", negatives.curl_block, [ones(3, 2), ones(3, 2), ones(3, 1, 1, 2)], {}),
        ("hinge", negatives.curl_block, [ones(1, 2), ones(1, 1, 2), ones(1, 1, 1, 2)], {"surrogate": "hing"}),
        (r"\(4,\)", contrastive.clip_softmax, [ones(3, 2), ones(3, 2)], {"scale": 1.0, "where": np.ones(4, bool)}),
        (r"scale .* \(2,\)", contrastive.clip_softmax, [ones(3, 2), ones(3, 2)], {"scale": np.ones(2)}),
        (
            "positives must be",
            contrastive.info_nce,
            [ones(3, 2), ones(4, 2), 0.5 * ones(3)],
            {"temperature": 1.0},
        ),
        ("at least 1", contrastive.clip_softmax, [ones(3, 2), ones(3, 2)], {"scale": 1.0, "chunk": 0}),
    ],
)
def test_wrong_arguments_are_named(said, loss, arrays, options):
    with pytest.raises(ValueError, match=said):
        loss(*arrays, **options)


def test_losses_are_exported():
    for module in (contrastive, negatives, self_contrastive):
        for name in module.__all__:
            assert getattr(losses, name) is getattr(module, name)


def test_the_released_form_of_supervised_contrast_is_a_constant_times_the_loss():
    labels = jnp.array([0, 0, 1, 1, 2])

    def slope(temperature, released):
        return jax.value_and_grad(
            lambda t: self_contrastive.supervised_contrastive(unit(0), labels, temperature=t, released=released).sum()
        )(temperature)

    for plain, scaled in zip(slope(0.35, False), slope(0.35, True)):
        contract.assert_close(scaled, 5 * plain, rtol=1e-5)
