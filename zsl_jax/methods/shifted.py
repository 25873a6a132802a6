"""Solutions of (A + s I) X = B, for one shift s by a Cholesky factor, for many side by side by one eigendecomposition.

    one      A + s I = L L^T,    X = L^-T L^-1 B
    many     A = U a U^T,        X_s = U (U^T B / (a + s))        under `jax.vmap` over s, with one A

So a sweep that maps over ridge weights costs little more than a single solution.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def shifted_solve(matrix: ArrayLike, targets: ArrayLike, shift: ArrayLike) -> jax.Array:
    """Returns X with `(matrix + shift I) X = targets`.

    A shift below four float32 roundings of the trace is taken as that much: what is smaller than the errors of the
    matrix itself would give noise. Not for differentiation.

    Args:
      matrix: `[F, F]`, symmetric, no negative eigenvalue.
      targets: `[F, K]`.
      shift: scalar, >= 0.

    Returns:
      `[F, K]`, float32.

    >>> import jax.numpy as jnp
    >>> print(shifted_solve(jnp.diag(jnp.array([1.0, 3.0])), jnp.eye(2), 1.0).round(3))
    [[0.5  0.  ]
     [0.   0.25]]
    """
    matrix = jnp.asarray(matrix, jnp.float32)
    smallest = 4 * jnp.finfo(jnp.float32).eps * jnp.trace(matrix)
    return _solve(matrix, jnp.asarray(targets, jnp.float32), jnp.maximum(jnp.asarray(shift, jnp.float32), smallest))


def _solve_one(matrix, targets, shift):
    factor = jax.scipy.linalg.cho_factor(matrix + shift * jnp.eye(len(matrix)))
    return jax.scipy.linalg.cho_solve(factor, targets)


_solve = jax.custom_batching.custom_vmap(_solve_one)


@_solve.def_vmap
def _solve_many(axis_size, is_mapped, matrix, targets, shift):
    axes = tuple(0 if mapped else None for mapped in is_mapped)
    if axes[0] == 0 or axes[2] is None:
        # Different matrices share nothing; with one shift, the map over targets is a map over columns.
        return jax.vmap(_solve_one, axes)(matrix, targets, shift), True
    values, basis = jnp.linalg.eigh(matrix)

    def solve(targets, shift):
        return basis @ ((basis.T @ targets) / (jnp.maximum(values, 0) + shift)[:, None])

    return jax.vmap(solve, axes[1:])(targets, shift), True
