"""Sums over all pairs of a positive and a negative value, in the time of a sort and without the table of pairs.

In sorted order a count of pairs is a cumulative sum, and the sums are linear in the values with those counts as
constant coefficients. So the value is exact, and so is its gradient.
"""

import jax
import jax.numpy as jnp

from zsl_jax import arguments


def hinge_sum(high: jax.Array, low: jax.Array, is_high: jax.Array, is_low: jax.Array) -> jax.Array:
    """`sum over i in high, j in low of max(0, high_i - low_j)`; all `[M]`, an element in one set or none."""
    is_any = is_high | is_low
    values = jnp.where(is_high, high, jnp.where(is_low, low, 0.0))
    # The coefficients sum to zero, so a common offset cancels; taking it out first keeps its digits.
    mean = jnp.sum(values) / arguments.count(is_any)
    values = jnp.where(is_any, values - jax.lax.stop_gradient(mean), 0.0)
    # High before low at a tie: a hinge of exactly zero is no violation.
    _, order, high_first = _sort(values, is_any, ~is_high)
    is_low_sorted, is_high_sorted = is_low[order], ~high_first
    below = jnp.cumsum(is_low_sorted)
    above = jnp.sum(is_high) - jnp.cumsum(is_high_sorted)
    count = jnp.where(is_high_sorted, below, jnp.where(is_low_sorted, -above, 0))
    return jnp.sum(_unsort(order, count.astype(values.dtype)) * values)


def semi_hard_hinge_sum(
    values: jax.Array, is_positive: jax.Array, is_negative: jax.Array, margin: jax.Array
) -> jax.Array:
    """`sum over positive i of max(0, margin + values_i - values_j(i))`, all arguments `[M]` but the margin.

    `j(i)` is the negative with the smallest value above `values_i`; where there is none, that with the largest value.
    """
    size = values.shape[0]
    is_any = is_positive | is_negative
    # Negative before positive at a tie: what follows a positive is strictly above it.
    ordered, order, is_positive_sorted = _sort(values, is_any, is_positive)
    is_negative_sorted = is_negative[order]
    place = jnp.arange(size)
    following = jax.lax.cummin(jnp.where(is_negative_sorted, place, size), reverse=True)
    largest = jnp.max(jnp.where(is_negative_sorted, place, 0), initial=0)
    chosen = jnp.where(following < size, following, largest)
    violation = margin + ordered - ordered[chosen]
    is_violated = is_positive_sorted & (violation > 0) & jnp.any(is_negative)
    count = is_violated.astype(values.dtype)
    count = count.at[chosen].add(-count)
    own = jnp.sum(_unsort(order, count) * jnp.where(is_any, values, 0.0))
    return own + margin * jnp.sum(is_violated, dtype=values.dtype)


def _sort(values: jax.Array, is_any: jax.Array, is_later: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Values in ascending order (those outside `is_any` last), where they were, and `is_later`, which breaks ties."""
    keys = jax.lax.stop_gradient(jnp.where(is_any, values, jnp.inf))
    ordered, is_later, order = jax.lax.sort((keys, is_later, jnp.arange(keys.shape[0])), num_keys=2)
    return ordered, order, is_later


def _unsort(order: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.zeros_like(values).at[order].set(values, unique_indices=True)
