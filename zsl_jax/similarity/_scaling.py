"""Lengths of vectors whose squares would leave float32: they are first scaled by a power of two, which is exact."""

import functools

import jax
import jax.numpy as jnp

# Within these, squares and the cubes of lengths in the gradients of unit vectors are normal numbers of float32.
_SMALLEST, _LARGEST = 1e-12, 1e12


# Compiled of their own, so that programs in which they stand often trace them once for a shape.
@functools.partial(jax.jit, static_argnames="axis")
def power_of_two(x: jax.Array, axis: int | None = -1) -> jax.Array:
    """Power of two that brings the largest magnitude along an axis near 1; exactly 1 where it is of ordinary size.

    The axis is kept; a product with the result is exact. It is a constant for the gradient. NaN and infinity give 1.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axis, keepdims=True, initial=0.0))
    is_unusual = ((largest > _LARGEST) & (largest < jnp.inf)) | ((largest < _SMALLEST) & (largest > 0))
    limit = jnp.finfo(x.dtype).maxexp - 2
    exponent = jnp.clip(jnp.frexp(jnp.where(is_unusual, largest, 1.0))[1], -limit, limit)
    return jnp.where(is_unusual, jnp.ldexp(jnp.ones_like(largest), -exponent), 1.0)


@functools.partial(jax.jit, static_argnames="axis")
def unit(x: jax.Array, axis: int = -1) -> jax.Array:
    """Vectors of length one along an axis; a zero vector stays zero and gets a zero gradient."""
    x = x * power_of_two(x, axis)
    squared = jnp.sum(x * x, axis=axis, keepdims=True)
    is_zero = squared == 0
    return x * jnp.where(is_zero, 0.0, jax.lax.rsqrt(jnp.where(is_zero, 1.0, squared)))


@functools.partial(jax.jit, static_argnames="axis")
def length(x: jax.Array, axis: int = -1) -> jax.Array:
    """Euclidean length along an axis, which is kept; its gradient at 0 is 0."""
    scale = power_of_two(x, axis)
    scaled = x * scale
    squared = jnp.sum(scaled * scaled, axis=axis, keepdims=True)
    is_positive = ~(squared <= 0)  # so that NaN stays NaN
    return jnp.where(is_positive, jnp.sqrt(jnp.where(is_positive, squared, 1.0)), 0.0) / scale
