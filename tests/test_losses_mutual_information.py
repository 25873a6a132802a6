"""Mutual information: bounds against loops and known values, the critic's penalty, local features at several scales."""

import functools

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses

pytestmark = pytest.mark.long

BATCH = 5
RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(BATCH, BATCH)).astype(np.float32)
X, Y = RNG.normal(size=(2, BATCH, 3)).astype(np.float32)


def nce_bound(f):
    return np.array([f[i, i] - np.log(np.mean([np.exp(f[i, j]) for j in range(BATCH)])) for i in range(BATCH)])


def nwj_bound(f):
    others = [np.mean([np.exp(f[i, j]) for j in range(BATCH) if j != i]) for i in range(BATCH)]
    return np.array([f[i, i] - np.exp(-1) * others[i] for i in range(BATCH)])


WEIGHTS = jnp.asarray(RNG.normal(size=(3, 3)), jnp.float32)


def bilinear(x, y):
    return x @ WEIGHTS @ y


@jax.jit
def everything(scores, x, y):
    return [
        losses.nce_bound(scores),
        losses.nwj_bound(scores),
        losses.wasserstein_dependency(jax.random.key(1), bilinear, x, y, penalty=3.0),
    ]


@pytest.mark.long
def test_all_under_jit_and_vmap_in_half_precision_and_at_zero():
    arrays = SCORES, X, Y
    contract.check_vmap(everything, *arrays, rtol=1e-4)
    contract.check_half_precision(everything, *arrays)

    @jax.jit
    def total(*arrays):
        return sum(jnp.sum(x) for x in everything(*arrays))

    contract.check_finite_gradients(total, *(0 * x for x in arrays))


def test_one_row_has_no_negatives():
    @jax.jit
    def total(x, y):
        return losses.wasserstein_dependency(jax.random.key(1), bilinear, x, y, penalty=0.0)

    arrays = X[:1], Y[:1]
    contract.assert_close(total(*arrays), np.zeros(1))
    contract.check_finite_gradients(total, *arrays)


@pytest.mark.parametrize(("bound", "oracle"), [(losses.nce_bound, nce_bound), (losses.nwj_bound, nwj_bound)])
def test_bounds_equal_plain_loops(bound, oracle):
    contract.assert_close(bound(SCORES), oracle(SCORES.astype(float)), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"\(5, 4\)"):
        bound(SCORES[:, :4])


@pytest.mark.long
def test_bounds_at_their_limits():
    contract.assert_close(losses.nce_bound(100.0 * jnp.eye(4)), np.full(4, np.log(4)))  # no more than log B
    assert np.max(losses.nce_bound(SCORES)) <= np.log(BATCH)
    contract.assert_close(losses.nce_bound(jnp.zeros((1, 1))), np.zeros(1))
    # The nce bound is log B less InfoNCE.
    info_nce = losses.info_nce(X, Y, temperature=1.0)
    contract.assert_close(losses.nce_bound(X @ Y.T), np.log(BATCH) - np.asarray(info_nce), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="two rows"):
        losses.nwj_bound(jnp.zeros((1, 1)))


@pytest.mark.long
def test_an_example_left_out_is_as_if_it_were_not_there():
    """Whatever it holds; the linear critic has the same slope everywhere, so that no random point shows."""
    where = np.arange(BATCH) != 2

    @jax.jit
    def masked(scores, x, y, where):
        def total(scores, x, y):
            found = [
                losses.nce_bound(scores, where=where),
                losses.nwj_bound(scores, where=where),
                losses.wasserstein_dependency(
                    jax.random.key(1), lambda x, y: x @ jnp.arange(3.0) + 2.0 * y[0], x, y, penalty=3.0, where=where
                ),
            ]
            return sum(map(jnp.sum, found)), found

        return jax.grad(total, argnums=(0, 1, 2), has_aux=True)(scores, x, y)

    dirty = (np.where(where[:, None] & where, SCORES, np.nan), *(np.where(where[:, None], z, np.nan) for z in (X, Y)))
    gradients, found = masked(*dirty, where)
    to_rest, rest = masked(SCORES[where][:, where], X[where], Y[where], np.ones(BATCH - 1, bool))
    contract.assert_close([x[where] for x in found], rest, rtol=1e-4, atol=1e-5)
    to_kept = gradients[0][where][:, where], *(g[where] for g in gradients[1:])
    contract.assert_close(to_kept, to_rest, atol=1e-5)
    assert not any(np.any(x[~where]) for x in (*found, *gradients))
    for few in (np.arange(BATCH) == 1, np.zeros(BATCH, bool)):
        gradients, found = masked(*dirty, few)
        assert not any(np.any(x[~few]) for x in (*found, *gradients))
        assert all(np.all(np.isfinite(x)) for x in (*found, *gradients))
    contract.assert_close(found[:2], [np.zeros(BATCH)] * 2)


def test_wasserstein_without_penalty_is_info_nce_of_the_critic():
    loss = losses.wasserstein_dependency(jax.random.key(0), bilinear, X, Y, penalty=0.0)
    contract.assert_close(loss, losses.info_nce(X @ WEIGHTS, Y, temperature=1.0), rtol=1e-4, atol=1e-5)


def test_wasserstein_penalises_a_slope_other_than_one():
    """A linear critic has the slope of its weights everywhere: 5 here, so the penalty is (5 - 1)^2 at any point."""
    x_weights, y_weights = jnp.array([3.0, 0.0, 0.0]), jnp.array([0.0, 4.0, 0.0])

    def critic(x, y):
        return x_weights @ x + y_weights @ y

    plain, full = (losses.wasserstein_dependency(jax.random.key(0), critic, X, Y, penalty=p) for p in (0.0, 2.0))
    contract.assert_close(full - plain, np.full(BATCH, 2.0 * 16.0), rtol=1e-4)


def test_wasserstein_penalty_is_taken_between_a_true_pair_and_a_false_one():
    """The critic's slope in y is 2 y, so the penalty tells the point; it lies between y_i and another row of y."""
    y = jnp.array([[1.0], [2.0], [4.0]])

    def critic(x, y):
        return jnp.sum(y**2)

    loss = jax.jit(lambda key, p: losses.wasserstein_dependency(key, critic, jnp.zeros((3, 1)), y, penalty=p))
    for seed in range(3):
        plain, full = (loss(jax.random.key(seed), p) for p in (0.0, 1.0))
        point = (np.sqrt(full - plain) + 1) / 2
        between = [
            any(min(a, b) <= p <= max(a, b) for b in (1.0, 2.0, 4.0) if b != a) for p, a in zip(point, (1.0, 2.0, 4.0))
        ]
        assert all(between), point
        assert not np.allclose(point, [1.0, 2.0, 4.0], atol=1e-3)


def test_wasserstein_in_blocks_is_the_whole_and_names_the_shapes():
    @functools.partial(jax.jit, static_argnums=0)
    def loss(chunk, x, y):
        return losses.wasserstein_dependency(jax.random.key(1), bilinear, x, y, penalty=3.0, chunk=chunk)

    contract.assert_close(loss(2, X, Y), loss(None, X, Y), rtol=1e-5)
    with pytest.raises(ValueError, match=r"\(5, 3\) and \(4, 3\)"):
        losses.wasserstein_dependency(jax.random.key(1), bilinear, X, Y[:4])


def test_wasserstein_over_devices_is_that_of_the_whole_batch():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    x, y = (np.tile(z, (2, 1))[:8] + np.arange(8.0, dtype=np.float32)[:, None] for z in (X, Y))
    divided = jax.sharding.PartitionSpec("data")

    def per_device(x, y):
        return losses.wasserstein_dependency(jax.random.key(0), bilinear, x, y, penalty=0.0, axis_name="data")

    step = jax.jit(jax.shard_map(per_device, mesh=mesh, in_specs=(divided, divided), out_specs=divided))
    contract.assert_close(step(x, y), losses.info_nce(x @ WEIGHTS, y, temperature=1.0), rtol=1e-4, atol=1e-4)
