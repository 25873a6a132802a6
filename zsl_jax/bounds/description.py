"""Quick numbers of a class-attribute matrix: what an attribute says of a class, and what it says that others do not."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax.bounds import pairs
from zsl_jax.similarity import _scaling


@jax.jit
def redundancy(matrix: ArrayLike) -> jax.Array:
    """How well another attribute stands in for each: the largest absolute correlation over the classes.

    Args:
      matrix: `[C, A]`.

    Returns:
      `[A]` in [0, 1]; 1 for an attribute that has a copy or an opposite, and for one that is equal for all classes.

    Raises:
      ValueError: the matrix does not have two axes.

    >>> import jax.numpy as jnp
    >>> print(redundancy(jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])).round(3))
    [1.  1.  0.5]
    """
    if jnp.ndim(matrix) != 2:
        raise ValueError(f"matrix must be [C, A], not {jnp.shape(matrix)}")
    centred = jnp.asarray(matrix, jnp.float32)
    centred = centred * _scaling.power_of_two(centred, axis=None)
    centred = centred - jnp.mean(centred, axis=0, keepdims=True)
    norm = jnp.linalg.norm(centred, axis=0)
    is_constant = norm < 1e-6
    unit = centred / jnp.where(is_constant, 1, norm)[None, :]
    correlation = jnp.abs(unit.T @ unit) * (1 - jnp.eye(unit.shape[1]))
    return jnp.where(is_constant, 1.0, jnp.clip(jnp.max(correlation, axis=1), 0, 1))


@jax.jit
def separability(matrix: ArrayLike) -> jax.Array:
    """How far each class is from the one it is most easily confused with.

    `separability[c] = min_{d != c} max_a |matrix_ca - matrix_da|`

    Args:
      matrix: `[C, A]` in [0, 1], C >= 2.

    Returns:
      `[C]` in [0, 1]; 0 where another class has the same description.

    Raises:
      ValueError: the matrix does not have two axes.

    >>> import jax.numpy as jnp
    >>> print(separability(jnp.array([[1.0, 0.5], [0.25, 0.5], [0.25, 0.0]])))
    [0.75 0.5  0.5 ]
    """
    gaps = 1 - 2 * pairs.pairwise(matrix)
    return jnp.min(jnp.where(jnp.eye(len(gaps), dtype=bool), jnp.inf, gaps), axis=1)


def rank_correlation(predicted: ArrayLike, observed: ArrayLike) -> float:
    """Spearman's rank correlation of two confusion matrices, off the diagonal: are the same pairs mixed up?

    Args:
      predicted: `[C, C]`, e.g. `pairwise(matrix)` or `shared(adversary)`.
      observed: `[C, C]`, how often an image of the class of the row is taken for that of the column.

    Returns:
      A float in [-1, 1]; equal values share the mean of their ranks. NaN where one of the two is constant or holds NaN.

    Raises:
      ValueError: shapes that do not fit.

    >>> import numpy as np
    >>> round(rank_correlation(np.array([[9, 1], [2, 9]]), np.array([[0.0, 0.1], [0.4, 0.0]])), 6)
    1.0
    """
    predicted, observed = np.asarray(predicted, np.float64), np.asarray(observed, np.float64)
    if predicted.ndim != 2 or len(set(predicted.shape)) != 1 or predicted.shape != observed.shape:
        raise ValueError(f"predicted and observed must be [C, C], not {predicted.shape} and {observed.shape}")
    off = ~np.eye(len(predicted), dtype=bool)
    if np.isnan(predicted[off]).any() or np.isnan(observed[off]).any():
        return float("nan")
    first, second = _ranks(predicted[off]), _ranks(observed[off])
    first, second = first - first.mean(), second - second.mean()
    norm = np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(np.sum(first * second) / norm) if norm > 0 else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
