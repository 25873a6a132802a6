"""Latents as Gaussians with diagonal covariances, as variational autoencoders have them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Gaussian(NamedTuple):
    """`mean [B, L]` and `log_variance [B, L]`."""

    mean: jax.Array
    log_variance: jax.Array

    @property
    def deviation(self) -> jax.Array:
        return jnp.exp(self.log_variance / 2)


def encoded(output: jax.Array) -> Gaussian:
    """Returns the Gaussians that the outputs `[B, 2 L]` of an encoder stand for."""
    return Gaussian(*jnp.split(output, 2, axis=1))


def drawn(key: jax.Array, gaussian: Gaussian) -> jax.Array:
    """Returns `[B, L]`, a draw of each."""
    return gaussian.mean + gaussian.deviation * jax.random.normal(key, gaussian.mean.shape)


def kl_to_standard(gaussian: Gaussian) -> jax.Array:
    """Returns `[B]` the Kullback-Leibler divergence of each from N(0, I).

    >>> print(kl_to_standard(Gaussian(jnp.array([[1.0, 2.0]]), jnp.zeros((1, 2)))))
    [2.5]
    """
    mean, log_variance = gaussian
    return jnp.sum(mean**2 + jnp.exp(log_variance) - 1 - log_variance, axis=1) / 2


def wasserstein_distance(one: Gaussian, other: Gaussian) -> jax.Array:
    """Returns `[B]` the 2-Wasserstein distances of two Gaussians each; the gradient at 0 is 0.

    >>> zeros = jnp.zeros((1, 2))
    >>> print(wasserstein_distance(Gaussian(zeros, zeros), Gaussian(jnp.array([[3.0, 4.0]]), zeros)))
    [5.]
    """
    squares = jnp.sum((one.mean - other.mean) ** 2 + (one.deviation - other.deviation) ** 2, axis=1)
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
