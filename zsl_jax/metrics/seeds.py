"""How far a measured accuracy may be from the true one, by its spread over seeds.

Mean, standard deviation, and Student's t for a difference of two methods.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("mean_and_deviation", "paired_p_value", "unpaired_p_value")


def mean_and_deviation(values: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Mean and sample standard deviation over seeds.

    `mean = sum_s v_s / S`, `deviation = sqrt(sum_s (v_s - mean)^2 / (S - 1))`

    Args:
      values: `[S, ...]`, one row per seed.

    Returns:
      `(mean [...], deviation [...])`; the deviation is nan for one seed, which says nothing about spread.

    Raises:
      ValueError: no seed.

    >>> import jax.numpy as jnp
    >>> mean, deviation = mean_and_deviation(jnp.array([0.50, 0.52, 0.54]))
    >>> print(f"{mean:.2f} +- {deviation:.2f}")
    0.52 +- 0.02
    """
    values = arguments.as_float(values)
    if values.ndim < 1 or len(values) < 1:
        raise ValueError(f"values must be [S, ...] with at least one seed, not {values.shape}")
    if len(values) == 1:
        return values[0], jnp.full_like(values[0], jnp.nan)
    return jnp.mean(values, axis=0), jnp.std(values, axis=0, ddof=1)


def paired_p_value(a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Probability of a mean difference this large if the two methods were equal, both run with the same seeds.

    `t = mean(a - b) / (deviation(a - b) / sqrt(S))`, two-sided by Student's t with S - 1 degrees of freedom

    Args:
      a: `[S]`, the metric of one method, one entry per seed.
      b: `[S]`, that of the other with the same seeds.

    Returns:
      A float32 scalar in [0, 1]. Where all S differences are equal: 1 if they are 0, else 0.

    Raises:
      ValueError: other shapes, or fewer than two seeds.

    >>> import jax.numpy as jnp
    >>> print(f"{paired_p_value(jnp.array([0.60, 0.61, 0.62]), jnp.array([0.55, 0.58, 0.58])):.3f}")
    0.020

    Reference: Student, "The Probable Error of a Mean", Biometrika, 1908.
    """
    arguments.check_same_shape(1, a=a, b=b)
    mean, deviation = _several(arguments.as_float(a) - arguments.as_float(b), "a and b")
    size = jnp.shape(a)[0]
    return _two_sided(mean, deviation**2 / size, size - 1.0)


def unpaired_p_value(a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Probability of a mean difference this large if the two methods were equal, each run with seeds of its own.

        v_a = variance(a) / S,    t = (mean(a) - mean(b)) / sqrt(v_a + v_b)
        degrees of freedom        (v_a + v_b)^2 / (v_a^2 / (S - 1) + v_b^2 / (T - 1))

    The variances need not be equal.

    Args:
      a: `[S]`, the metric of one method, one entry per seed.
      b: `[T]`, that of the other.

    Returns:
      A float32 scalar in [0, 1]. Where neither method varies: 1 if the means are equal, else 0.

    Raises:
      ValueError: other shapes, or fewer than two seeds of either.

    >>> import jax.numpy as jnp
    >>> print(f"{unpaired_p_value(jnp.array([0.60, 0.61, 0.62]), jnp.array([0.55, 0.58, 0.58, 0.57])):.3f}")
    0.007

    Reference: Welch, "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika, 1947.
    """
    mean_a, deviation_a = _several(arguments.as_float(a), "a")
    mean_b, deviation_b = _several(arguments.as_float(b), "b")
    size_a, size_b = jnp.shape(a)[0], jnp.shape(b)[0]
    part_a, part_b = deviation_a**2 / size_a, deviation_b**2 / size_b
    variance = part_a + part_b
    # Shares of the variance: their squares do not underflow where those of the parts would.
    share_a = jnp.where(variance > 0, part_a / jnp.where(variance > 0, variance, 1.0), 0.5)
    freedom = 1 / (share_a**2 / (size_a - 1) + (1 - share_a) ** 2 / (size_b - 1))
    return _two_sided(mean_a - mean_b, variance, freedom)


def _several(values: jax.Array, name: str) -> tuple[jax.Array, jax.Array]:
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"{name} must be [S] with at least two seeds, not {values.shape}")
    return mean_and_deviation(values)


def _two_sided(difference: jax.Array, variance: jax.Array, freedom: ArrayLike) -> jax.Array:
    """P(|T| >= |t|), from P(|T| >= |t|) = I_{f / (f + t^2)}(f / 2, 1 / 2), without dividing by a variance of 0."""
    varies = ~(variance <= 0)  # so that NaN stays NaN
    squared = jnp.square(difference) / jnp.where(varies, variance, 1.0)
    p = jax.scipy.special.betainc(freedom / 2, 0.5, freedom / (freedom + squared))
    return jnp.where(varies, p, jnp.where(difference == 0, 1.0, 0.0))
