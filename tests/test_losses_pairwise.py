"""The sums over all pairs: blocks against one plain matrix, values and gradients, and the memory they compile to."""

import contract
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zsl_jax import losses
from zsl_jax.losses import _pairwise, _pairwise_softplus

pytestmark = pytest.mark.long

ROWS, COLUMNS, WIDTH = 7, 5, 3
# Without the passes that would make a program run faster: these run once, on seven rows.
jit = jax.jit


def sides(seed: int = 0) -> tuple[_pairwise.Side, _pairwise.Side]:
    keys = jax.random.split(jax.random.key(seed), 4)
    rows = _pairwise.Side(
        jax.random.normal(keys[0], (ROWS, WIDTH)),
        jax.random.normal(keys[1], (ROWS,)).at[2].set(-jnp.inf),
        jnp.arange(ROWS),
        jnp.arange(ROWS) % 3,
    )
    columns = _pairwise.Side(
        jax.random.normal(keys[2], (COLUMNS, WIDTH)),
        jax.random.normal(keys[3], (COLUMNS,)).at[1].set(-jnp.inf),
        jnp.arange(COLUMNS) + 1,
        jnp.arange(COLUMNS) % 3,
    )
    return rows, columns


def plain(rows: _pairwise.Side, columns: _pairwise.Side, scale):
    """The sums in one matrix each, by autodiff; -1e30 for a log-sum over nothing."""
    logits = scale * rows.embeddings @ columns.embeddings.T + rows.bias[:, None] + columns.bias[None, :]
    allowed = jnp.isfinite(logits) & (rows.ids[:, None] != columns.ids[None, :])
    positive = allowed & (rows.labels[:, None] == columns.labels[None, :])
    finite = jnp.where(allowed, logits, 0.0)

    def over(axis):
        total = jnp.sum(jnp.where(allowed, jnp.exp(finite), 0.0), axis=axis)
        log_sum = jnp.where(total > 0, jnp.log(jnp.where(total > 0, total, 1.0)), -1e30)
        return _pairwise.Sums(log_sum, jnp.sum(jnp.where(positive, finite, 0.0), axis), jnp.sum(positive, axis))

    return over(1), over(0), jnp.sum(jnp.where(allowed, jax.nn.softplus(finite), 0.0), axis=1)


def weighted(sums: _pairwise.Sums, seed: int) -> jax.Array:
    """A sum with another weight for each entry; what is a sum over nothing is left out."""
    weights = jax.random.normal(jax.random.key(seed), (2, *sums.log_sum.shape))
    log_sum = jnp.where(sums.log_sum > -1e29, sums.log_sum, 0.0)
    return jnp.sum(weights[0] * log_sum) + jnp.sum(weights[1] * sums.positive_sum)


KINDS = {
    "rows": (
        lambda r, c, s, **k: weighted(_pairwise.row_sums(r, c, s, axis_name=None, **k), 0),
        lambda r, c, s: weighted(plain(r, c, s)[0], 0),
    ),
    "both": (
        lambda r, c, s, **k: sum(
            weighted(x, i) for i, x in enumerate(_pairwise.both_sums(r, c, s, axis_name=None, **k))
        ),
        lambda r, c, s: sum(weighted(x, i) for i, x in enumerate(plain(r, c, s)[:2])),
    ),
    "symmetric": (
        lambda r, c, s, **k: weighted(_pairwise.symmetric_sums(r, s, axis_name=None, **k), 0),
        lambda r, c, s: weighted(plain(r, r, s)[0], 0),
    ),
    "softplus": (
        lambda r, c, s, **k: jnp.vdot(
            jnp.arange(ROWS, dtype=float), _pairwise_softplus.row_softplus_sums(r, c, s, axis_name=None, **k)
        ),
        lambda r, c, s: jnp.vdot(jnp.arange(ROWS, dtype=float), plain(r, c, s)[2]),
    ),
    "softplus, equal weights": (
        lambda r, c, s, **k: jnp.mean(_pairwise_softplus.row_softplus_sums(r, c, s, axis_name=None, **k)),
        lambda r, c, s: jnp.mean(plain(r, c, s)[2]),
    ),
}


def of_arrays(total):
    """The value and the gradients in embeddings, biases and scale."""

    def one(row_embeddings, row_bias, column_embeddings, column_bias, scale):
        rows, columns = sides()
        rows = rows._replace(embeddings=row_embeddings, bias=row_bias)
        return total(rows, columns._replace(embeddings=column_embeddings, bias=column_bias), scale)

    return jax.value_and_grad(one, argnums=(0, 1, 2, 3, 4))


def arguments_of(seed: int):
    rows, columns = sides(seed)
    return rows.embeddings, rows.bias, columns.embeddings, columns.bias, jnp.float32(1.3 + seed)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_equal_one_matrix_in_value_and_all_gradients(kind):
    blocked, reference = KINDS[kind]
    chunks = (None, 1, 3, ROWS + 5)

    @jit
    def everything(arrays):
        return of_arrays(reference)(*arrays), [of_arrays(lambda *a, c=c: blocked(*a, chunk=c))(*arrays) for c in chunks]

    expected, results = everything(arguments_of(0))
    for result in results:
        contract.assert_close(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["both", "softplus", "softplus, equal weights"])
def test_vmap_of_the_gradient_is_a_loop(kind):
    one = of_arrays(lambda *a: KINDS[kind][0](*a, chunk=3))
    both = [jnp.stack(x) for x in zip(arguments_of(0), arguments_of(1))]
    loop = jit(one)
    expected = jax.tree.map(lambda *x: jnp.stack(x), loop(*arguments_of(0)), loop(*arguments_of(1)))
    contract.assert_close(jit(jax.vmap(one))(*both), expected, rtol=1e-5, atol=1e-5)


def test_several_parts_equal_one_after_the_other():
    rows, columns = sides()
    scale = jnp.float32(1.3)
    parts = [("both", columns), ("symmetric", rows), ("rows", columns)]
    together = _pairwise.sums(rows, parts, scale, axis_name=None, chunk=3)
    assert together[1][1] is None
    assert together[2][1] is None
    contract.assert_close(together[0], _pairwise.both_sums(rows, columns, scale, axis_name=None, chunk=3))
    contract.assert_close(together[1][0], _pairwise.symmetric_sums(rows, scale, axis_name=None, chunk=3))
    contract.assert_close(together[2][0], together[0][0])


def test_map_rows_equals_vmap():
    x = jnp.arange(7.0)
    for chunk in (None, 3):
        contract.assert_close(_pairwise.map_rows(jnp.square, x, row_bytes=4, chunk=chunk), x**2)
    contract.assert_close(_pairwise.map_rows(jnp.square, x, row_bytes=_pairwise.KEPT_BYTES, chunk=None), x**2)


@pytest.mark.parametrize(("num_rows", "chunk", "block"), [(16, 8, 8), (17, 8, 6), (5, 8, 5), (9, 2, 2), (1, 1, 1)])
def test_blocks_are_even(num_rows, chunk, block):
    assert _pairwise.block_rows(num_rows, 4, chunk) == block


def temporary_bytes(loss, *shapes) -> int:
    floating = tuple(i for i, x in enumerate(shapes) if x.dtype == jnp.float32)
    step = jax.jit(jax.value_and_grad(lambda *arrays: jnp.mean(loss(*arrays)), argnums=floating))
    return step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes


LARGE = {
    "clip_softmax": lambda x, y, labels, s: losses.clip_softmax(x, y, scale=s),
    "sigmoid_contrastive": lambda x, y, labels, s: losses.sigmoid_contrastive(x, y, scale=s, bias=-s),
    "supervised_contrastive": lambda x, y, labels, s: losses.supervised_contrastive(x, labels, temperature=s),
    "nt_xent": lambda x, y, labels, s: losses.nt_xent(x, y, temperature=s),
}


@pytest.mark.parametrize("name", LARGE)
def test_16384_rows_of_512_differentiate_in_less_than_100_mib(name):
    """The matrix alone takes 1 GiB (that of NT-Xent 4). Compiled, not run."""
    batch = jax.ShapeDtypeStruct((16384, 512), jnp.float32)
    labels, scalar = jax.ShapeDtypeStruct((16384,), jnp.int32), jax.ShapeDtypeStruct((), jnp.float32)
    assert temporary_bytes(LARGE[name], batch, batch, labels, scalar) < 100 * 2**20


def test_blocks_take_a_tenth_of_the_memory_of_the_matrix():
    def dense(x, y, scale):
        logits = scale * x @ y.T
        both = jax.nn.logsumexp(logits, axis=1) + jax.nn.logsumexp(logits, axis=0)
        return 0.5 * both - jnp.diagonal(logits)

    batch, scalar = jax.ShapeDtypeStruct((4096, 128), jnp.float32), jax.ShapeDtypeStruct((), jnp.float32)
    blocked = temporary_bytes(lambda x, y, s: losses.clip_softmax(x, y, scale=s, chunk=256), batch, batch, scalar)
    assert blocked < 0.1 * temporary_bytes(dense, batch, batch, scalar)


def test_a_label_of_its_own_is_no_positive():
    rows, _ = sides()
    sums = _pairwise.symmetric_sums(rows, jnp.float32(1.0), axis_name=None, chunk=None)
    expected = [sum(j != i and j != 2 and j % 3 == i % 3 for j in range(ROWS)) * (i != 2) for i in range(ROWS)]
    assert np.array_equal(sums.positive_count, expected)
