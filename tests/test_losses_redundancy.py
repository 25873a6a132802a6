"""Barlow Twins, VICReg, alignment and uniformity against plain loops, with masks, at the ugly points and the limits."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses, metrics

BATCH, WIDTH = 6, 4
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, BATCH, WIDTH)).astype(np.float32)
MASKS = [np.ones(BATCH, bool), np.array([True, False, True, True, False, True]), np.zeros(BATCH, bool)]


def barlow_twins(a, b, redundancy, epsilon, where):
    a, b = a[where], b[where]
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + epsilon) for z in (a, b))
    loss = 0.0
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            c = np.mean(a[:, i] * b[:, j])
            loss += (1 - c) ** 2 if i == j else redundancy * c**2
    return loss


def vicreg(a, b, weights, epsilon, where):
    a, b = a[where], b[where]
    width = a.shape[1]
    loss = weights[0] * np.mean((a - b) ** 2)
    for z in (a, b):
        covariance = np.cov(z.T)
        for i in range(width):
            loss += weights[1] * max(0.0, 1 - np.sqrt(covariance[i, i] + epsilon)) / width
            loss += weights[2] * sum(covariance[i, j] ** 2 for j in range(width) if j != i) / width
    return loss


def uniformity(z, scale, where):
    z = z[where]
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    return np.log(np.mean([np.exp(-scale * np.sum((z[i] - z[j]) ** 2)) for i, j in pairs]))


CASES = {
    "barlow_twins": (
        lambda a, b, r, e, where: losses.barlow_twins(a, b, redundancy=r, epsilon=e, where=where),
        barlow_twins,
        (A, B, np.float32(0.3), np.float32(1e-3)),
    ),
    "barlow_twins, few rows": (
        lambda a, b, r, e, where: losses.barlow_twins(a, b, redundancy=r, epsilon=e, where=where),
        barlow_twins,
        (np.tile(A, 2) + 0.1 * np.tile(B, 2)[::-1], np.tile(B, 2) ** 2, np.float32(0.3), np.float32(1e-3)),
    ),
    "vicreg": (
        lambda a, b, w, e, where: losses.vicreg(
            a, b, invariance=w[0], variance=w[1], covariance=w[2], epsilon=e, where=where
        ),
        vicreg,
        (0.5 * A, 0.7 * B, np.array([2.0, 3.0, 0.5], np.float32), np.float32(1e-3)),
    ),
    "vicreg, few rows": (
        lambda a, b, w, e, where: losses.vicreg(
            a, b, invariance=w[0], variance=w[1], covariance=w[2], epsilon=e, where=where
        ),
        vicreg,
        (np.tile(A, 2) ** 2, np.tile(B, 2), np.array([2.0, 3.0, 0.5], np.float32), np.float32(1e-3)),
    ),
    "alignment": (
        lambda a, b, p, where: losses.alignment(a, b, power=p, where=where),
        lambda a, b, p, where: np.where(where, np.sum((a - b) ** 2, axis=1) ** (p / 2), 0.0),
        (A, B, np.float32(1.5)),
    ),
    "uniformity": (
        lambda z, s, where: losses.uniformity(z, scale=s, where=where),
        uniformity,
        (A, np.float32(0.7)),
    ),
}
by_case = pytest.mark.parametrize("name", CASES)
ARRAYS = {name: arrays for name, (_, _, arrays) in CASES.items()}


@jax.jit
def everything(where, arrays):
    """Of every case the loss, and the gradients of its sum: one compilation."""

    def one(name):
        def total(*xs):
            loss = CASES[name][0](*xs, where)
            return jnp.sum(loss), loss

        return jax.value_and_grad(total, argnums=tuple(range(len(arrays[name]))), has_aux=True)(*arrays[name])

    return {name: one(name) for name in CASES}


def loss_and_gradients(name, where, arrays):
    (_, loss), gradients = everything(where, ARRAYS | {name: tuple(arrays)})[name]
    return loss, gradients


def all_finite(tree) -> bool:
    return all(np.all(np.isfinite(x)) for x in jax.tree.leaves(tree))


@by_case
def test_value_masks_and_finite_gradients(name):
    _, oracle, arrays = CASES[name]
    doubles = [x.astype(float) for x in arrays]
    for where in MASKS[:2]:
        loss, gradients = loss_and_gradients(name, where, arrays)
        contract.assert_close(loss, oracle(*doubles, where), rtol=1e-4, atol=1e-5)
        assert all_finite(gradients)
    for fill in (0.0, 1.0):
        same = [np.full_like(x, fill) if np.ndim(x) == 2 else x for x in arrays]
        for where in (*MASKS, np.arange(BATCH) == 2):
            assert all_finite(loss_and_gradients(name, where, same)), (fill, where)


@by_case
def test_masked_rows_may_hold_anything(name):
    dirty = [np.where(MASKS[1][:, None], x, np.nan) if np.ndim(x) == 2 else x for x in ARRAYS[name]]
    clean = [np.where(MASKS[1][:, None], x, 0.0) if np.ndim(x) == 2 else x for x in ARRAYS[name]]
    contract.assert_close(loss_and_gradients(name, MASKS[1], dirty), loss_and_gradients(name, MASKS[1], clean))


def test_jit_vmap_and_half_precision():
    flat, tree = jax.tree.flatten(ARRAYS)

    @jax.jit
    def unmasked(*xs):
        return [CASES[name][0](*arrays, None) for name, arrays in jax.tree.unflatten(tree, xs).items()]

    contract.check_vmap(unmasked, *flat, rtol=1e-4, atol=1e-4)
    contract.check_half_precision(unmasked, *flat)


def test_gradient_of_the_gram_form_is_that_of_the_covariance_form():
    """More rows than dimensions take one form, fewer the other: a batch filled up with masked rows takes both."""
    few_a, few_b = np.tile(A, 2)[:5], np.tile(B, 2)[:5]
    tall_a, tall_b = (np.concatenate([x, np.zeros((7, 8), np.float32)]) for x in (few_a, few_b))
    where = np.arange(12) < 5

    @jax.jit
    def both_losses(a, b, where):
        return [jax.value_and_grad(f, argnums=(0, 1))(a, b, where=where) for f in (losses.barlow_twins, losses.vicreg)]

    few_results = both_losses(few_a, few_b, np.ones(5, bool))
    for few, (value, gradients) in zip(few_results, both_losses(tall_a, tall_b, where)):
        contract.assert_close((value, tuple(g[:5] for g in gradients)), few, rtol=1e-3, atol=1e-4)


def test_decorrelated_views_that_agree_cost_nothing():
    z = jnp.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    contract.assert_close(losses.barlow_twins(z, z, epsilon=0.0), 0.0, atol=1e-5)
    contract.assert_close(losses.vicreg(2 * z, 2 * z), 0.0)


def test_uniformity_of_the_training_loss_is_that_of_the_metric():
    where = MASKS[1]
    contract.assert_close(losses.uniformity(A, where=where), metrics.uniformity(A, where=where), rtol=1e-4)
    contract.assert_close(
        np.mean(np.asarray(losses.alignment(A, B, where=where))[where]), metrics.alignment(A, B, where=where), rtol=1e-5
    )


def test_fewer_than_two_examples_have_no_uniformity():
    contract.assert_close(losses.uniformity(A, where=np.arange(BATCH) == 1), 0.0)


@pytest.mark.parametrize("loss", [losses.barlow_twins, losses.vicreg, losses.alignment])
def test_shapes_that_differ_are_named(loss):
    with pytest.raises(ValueError, match=r"\(6, 4\), \(5, 4\)"):
        loss(A, B[:5])


def test_the_released_form_of_vicreg_halves_the_variance():
    knobs = {"invariance": 2.0, "covariance": 0.5}
    contract.assert_close(
        losses.vicreg(0.5 * A, 0.7 * B, variance=6.0, released=True, **knobs),
        losses.vicreg(0.5 * A, 0.7 * B, variance=3.0, **knobs),
    )
