"""Maps from attributes to classes that come with a guarantee.

    activation_c(v) = offset_c + slope_c . v            for attributes v in [0, 1]^A
    sum_c max(activation_c(v), 0) <= 1                  for every v in {0, 1}^A

The map draws class c with probability at least max(activation_c(v), 0). Its accuracy under *every* distribution with
the marginals of the matrix is then at least the mean over classes of activation_c(matrix_c): the activation is affine,
so its expectation sees the marginals alone. A convex function has its maximum at a corner of the cube, so the second
line holds for v in [0, 1]^A as well, and the map also takes probabilities of attributes.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax.bounds import _problem


class AffineRule(NamedTuple):
    """`offset [C]` and `slope [C, A]` of the activations."""

    offset: Any  # arrays of numpy or jax
    slope: Any


def activations(rule: AffineRule, attributes: ArrayLike) -> jax.Array:
    """Activation of every class.

    `activations[b, c] = offset_c + sum_a slope_ca attributes_ba`

    Args:
      rule: a map.
      attributes: `[B, A]`, 0 or 1, or probabilities.

    Returns:
      `[B, C]`; the class of the largest is the one that `probabilities` favours.

    Raises:
      ValueError: shapes that do not fit.
    """
    if jnp.ndim(attributes) != 2 or jnp.shape(attributes)[1] != jnp.shape(rule.slope)[1]:
        raise ValueError(
            f"attributes must be [B, A] for a map of slope {jnp.shape(rule.slope)}, not {jnp.shape(attributes)}"
        )
    slope = jnp.asarray(rule.slope)
    return jnp.asarray(rule.offset)[None, :] + jnp.asarray(attributes, slope.dtype) @ slope.T


def probabilities(rule: AffineRule, attributes: ArrayLike) -> jax.Array:
    """Probabilities with which the map draws each class.

    `p_bc = max(activation_bc, 0)`, and what is missing to 1 goes to the class of the largest activation.

    Args:
      rule: a map whose positive activations add to 1 at most.
      attributes: `[B, A]`, 0 or 1, or probabilities.

    Returns:
      `[B, C]`; rows add to 1.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> rule = AffineRule(offset=jnp.array([0.0, 0.75]), slope=jnp.array([[1.0], [-1.0]]))
    >>> print(probabilities(rule, jnp.array([[1.0], [0.0], [0.25]])))
    [[1.   0.  ]
     [0.   1.  ]
     [0.25 0.75]]
    """
    activation = activations(rule, attributes)
    positive = jnp.maximum(activation, 0)
    rest = 1 - jnp.sum(positive, axis=1, keepdims=True)
    return positive + rest * jax.nn.one_hot(jnp.argmax(activation, axis=1), activation.shape[1])


def guarantee(rule: AffineRule, matrix: ArrayLike, *, error_rates: ArrayLike | None = None) -> float:
    """Accuracy, averaged over classes, that the map has at least.

    `(1 / C) sum_c activation_c(matrix_c)`, less what the allowed errors of the detectors can take away

    Args:
      rule: a map whose positive activations add to 1 at most.
      matrix: `[C, A]` in [0, 1], P(attribute present | class).
      error_rates: as in `worst_case`.

    Returns:
      A float; can be negative for a map that was not made for this matrix.

    Raises:
      ValueError: shapes that do not fit, or a value outside [0, 1].
    """
    matrix, allowance = _problem.checked(matrix, error_rates)
    return _guarantee(rule, matrix, allowance)


def _guarantee(rule: AffineRule, matrix: np.ndarray, allowance: _problem.Allowance) -> float:
    offset, slope = np.asarray(rule.offset, np.float64), np.asarray(rule.slope, np.float64)
    if slope.shape != matrix.shape or offset.shape != matrix.shape[:1]:
        raise ValueError(f"a map of slope {slope.shape} does not fit a matrix {matrix.shape}")
    return float(np.sum(offset) + np.sum(matrix * slope) - allowance.penalty(slope)) / len(matrix)


def scaled(rule: AffineRule, total: float) -> AffineRule:
    """The map whose positive activations add to 1 at most, from one where they add to `total` at most."""
    return AffineRule(np.asarray(rule.offset, np.float64) / total, np.asarray(rule.slope, np.float64) / total)


def guess(matrix: np.ndarray) -> AffineRule:
    """The map that draws every class with equal probability."""
    return AffineRule(np.full(len(matrix), 1 / len(matrix)), np.zeros(matrix.shape))
