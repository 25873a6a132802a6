"""Divergences between distributions over classes, as losses."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("sharma_mittal", "standard_normal_kl")


def sharma_mittal(
    p: ArrayLike,
    q: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    epsilon: ArrayLike = 1e-12,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Sharma-Mittal divergence of p from q, which holds those of Renyi, Tsallis and Kullback-Leibler as limits.

    `loss = ((sum_c p_c^alpha q_c^(1 - alpha))^((1 - beta) / (1 - alpha)) - 1) / (beta - 1)`

    Use when: features of a class that does not exist should be confident of no seen class (q uniform), at a sharpness
    that is learned.

    Renyi at beta = 1, Tsallis at beta = alpha, Kullback-Leibler at alpha = beta = 1. It is written so that value and
    gradient are smooth through these, also in alpha and beta.

    Args:
      p: `[B, C]` probabilities, rows summing to 1.
      q: `[B, C]`, or `[C]` for every row, summing to 1.
      alpha: scalar > 0; may be traced, may be 1.
      beta: scalar; may be traced, may be 1 or alpha.
      epsilon: scalar > 0: the logarithm of a smaller probability is taken as that of epsilon.
      where: bool, broadcastable to `[B, C]`: the classes that count.

    Returns:
      `[B]` divergences, float32, at least 0; 0 where no class counts.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> p, q = jnp.array([[0.5, 0.5]]), jnp.array([[0.25, 0.75]])
    >>> tsallis = sharma_mittal(p, q, alpha=2.0, beta=2.0)[0]
    >>> print(f"{tsallis:.4f} {(p**2 / q).sum() - 1:.4f}")
    0.3333 0.3333
    >>> kullback_leibler = sharma_mittal(p, q, alpha=1.0, beta=1.0)[0]
    >>> print(f"{kullback_leibler:.4f} {(p * jnp.log(p / q)).sum():.4f}")
    0.1438 0.1438

    Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019 (CIZSL).
    """
    p, q = arguments.as_float(p), arguments.as_float(q)
    if p.ndim != 2 or q.shape not in (p.shape, p.shape[1:]):
        raise ValueError(f"p must be [B, C] and q [B, C] or [C], not {p.shape} and {q.shape}")
    mask = arguments.mask_like(where, p.shape)
    p = jnp.where(mask, p, 0.0)
    q = jnp.where(mask, q if q.ndim == 2 else q[None, :], 1.0)
    log_ratio = jnp.where(mask, jnp.log(jnp.maximum(p, epsilon)) - jnp.log(jnp.maximum(q, epsilon)), 0.0)
    order = arguments.as_float(alpha) - 1
    is_near = jnp.abs(order) < 0.1

    # Near order 0: with sum p = 1, log sum p exp(order r) = log1p(order * inner), and the division by order is exact.
    near = jnp.where(is_near, order, 0.0)
    inner = jnp.sum(p * log_ratio * _expm1_over(near * log_ratio), axis=1)
    renyi_near = inner * _log1p_over(near * inner)

    far = jnp.where(is_near, 1.0, order)
    counts = ~(p <= 0)
    idle = ~jnp.any(counts, axis=1, keepdims=True)
    exponent = jnp.log(jnp.where(counts, p, 1.0)) + far * log_ratio
    log_sum = jax.nn.logsumexp(jnp.where(counts | idle, exponent, -jnp.inf), axis=1)
    renyi_far = jnp.where(idle[:, 0], 0.0, log_sum / far)

    renyi = jnp.where(is_near, renyi_near, renyi_far)
    return renyi * _expm1_over((arguments.as_float(beta) - 1) * renyi)


def standard_normal_kl(means: ArrayLike, log_variances: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Kullback-Leibler divergence of diagonal Gaussians from the standard normal distribution.

    `loss_b = sum_d (mu_bd^2 + exp(v_bd) - 1 - v_bd) / 2`, v the logarithms of the variances

    Use when: the latents of a variational autoencoder should follow a standard normal distribution.

    Args:
      means: `[B, D]` mu.
      log_variances: `[B, D]` v.
      where: `[B]` bool, the examples that count.

    Returns:
      `[B]` losses, float32; 0 where masked.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(standard_normal_kl(jnp.array([[3.0, 1.0], [0.0, 0.0]]), jnp.zeros((2, 2))))
    [5. 0.]

    Reference: Kingma, Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    """
    arguments.check_same_shape(2, means=means, log_variances=log_variances)
    mask = arguments.mask_like(where, jnp.shape(means)[:1])[:, None]
    mean, log_variance = (jnp.where(mask, arguments.as_float(x), 0.0) for x in (means, log_variances))
    return jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance, axis=1) / 2


def _expm1_over(x: jax.Array) -> jax.Array:
    """`(exp(x) - 1) / x`, 1 at 0, with accurate derivatives: a series where they would cancel."""
    is_small = jnp.abs(x) < 0.1
    large, small = jnp.where(is_small, 1.0, x), jnp.where(is_small, x, 0.0)
    return jnp.where(
        is_small, _polynomial(small, (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1)), jnp.expm1(large) / large
    )


def _log1p_over(x: jax.Array) -> jax.Array:
    """`log(1 + x) / x`, 1 at 0, likewise."""
    is_small = jnp.abs(x) < 0.05
    large, small = jnp.where(is_small, 1.0, x), jnp.where(is_small, x, 0.0)
    series = _polynomial(small, (1 / 7, -1 / 6, 1 / 5, -1 / 4, 1 / 3, -1 / 2, 1))
    return jnp.where(is_small, series, jnp.log1p(large) / large)


def _polynomial(x: jax.Array, coefficients: Sequence[float]) -> jax.Array:
    total = jnp.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total
