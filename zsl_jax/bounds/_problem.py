"""The problem behind every bound: a class-attribute matrix, and how far the detectors of the attributes may be off it.

`matrix[c, a] = P(attribute a is present | class c)`. What a map sees is what detectors say; with perfect detectors that
has the marginals of the matrix, with imperfect ones marginals near it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Allowance(NamedTuple):
    """How far the marginals of the detectors, `q [C, A]`, may be from the matrix; at most one of the two is given.

    Args:
      entry: `[C, A]`: `|q_ca - matrix_ca| <= entry_ca`, or None.
      budget: `[A]`: `mean_c |q_ca - matrix_ca| <= budget_a`, or None.
    """

    entry: np.ndarray | None = None
    budget: np.ndarray | None = None

    def penalty(self, slope: np.ndarray) -> float:
        """The most that `sum_ca slope_ca (matrix_ca - q_ca)` can be: what an adversary gains from the errors."""
        if self.entry is not None:
            return float(np.sum(self.entry * np.abs(slope)))
        if self.budget is not None:
            return float(len(slope) * np.sum(self.budget * np.max(np.abs(slope), axis=0)))
        return 0.0

    def nearest(self, matrix: np.ndarray, marginals: np.ndarray) -> np.ndarray:
        """Allowed marginals near the given ones: between these and the matrix, entry by entry."""
        if self.entry is not None:
            return np.clip(marginals, matrix - self.entry, matrix + self.entry)
        if self.budget is not None:
            deviation = marginals - matrix
            total = np.sum(np.abs(deviation), axis=0)
            return matrix + deviation * np.minimum(1.0, len(matrix) * self.budget / np.maximum(total, 1e-300))
        return matrix


def checked(matrix: ArrayLike, error_rates: ArrayLike | None = None) -> tuple[np.ndarray, Allowance]:
    """Returns the matrix as float64 `[C, A]` and the allowance that the error rates give.

    Raises:
      ValueError: shapes that do not fit, or a value outside [0, 1].
    """
    matrix = _probabilities("matrix", matrix)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"matrix must be [C, A] with at least one class and one attribute, not {matrix.shape}")
    if error_rates is None:
        return matrix, Allowance()
    rates = _probabilities("error_rates", error_rates)
    if rates.shape == matrix.shape:
        return matrix, Allowance(entry=rates)
    if rates.shape == matrix.shape[1:]:
        return matrix, Allowance(budget=rates)
    raise ValueError(f"error_rates must be [A] or [C, A] of the matrix {matrix.shape}, not {rates.shape}")


def _probabilities(name: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, np.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name} must hold probabilities in [0, 1], not {values[where]:g} at {where}")
    return values
