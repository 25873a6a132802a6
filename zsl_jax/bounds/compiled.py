"""A good map inside a compiled function: fixed shapes, no host, no certificate.

Rounds of the primal-dual method of `first_order`; between them each of the heaviest groups grows, class by class, into
the one that the map violates most for its size.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax.bounds import _first_order, pairs
from zsl_jax.bounds import _groups as groups_lib
from zsl_jax.bounds import rule as rule_lib

_MOST_PAIRS = 2048


@functools.partial(jax.jit, static_argnames=("rounds", "iterations", "grown"))
def approximate(
    matrix: ArrayLike,
    *,
    error_rates: ArrayLike | None = None,
    rounds: int = 12,
    iterations: int = 150,
    grown: int = 128,
) -> rule_lib.AffineRule:
    """A map near the one of `worst_case`, for use under `jit` and `vmap`.

    Nothing is certified: its positive activations may add to a little more than 1 at patterns that were not met.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class).
      error_rates: `[A]`, how often detectors are wrong on average over the classes, or None for perfect ones.
      rounds: of the search for groups.
      iterations: of the primal-dual method in each round.
      grown: groups that grow in each round.

    Returns:
      An `AffineRule`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> rule = approximate(jnp.array([[0.9, 0.2], [0.4, 0.3]]))
    >>> value = jnp.mean(rule.offset + jnp.sum(rule.slope * jnp.array([[0.9, 0.2], [0.4, 0.3]]), axis=1))
    >>> bool(0.73 < value < 0.7501)  # the exact guarantee is 0.75
    True
    """
    shape = jnp.shape(matrix)
    if len(shape) != 2:
        raise ValueError(f"matrix must be [C, A], not {shape}")
    if error_rates is not None and jnp.shape(error_rates) != shape[1:]:
        raise ValueError(f"error_rates must be [A] of the matrix {shape}, not {jnp.shape(error_rates)}")
    matrix = jnp.asarray(matrix, jnp.float32)
    num_classes, num_attributes = shape
    price = jnp.zeros(num_attributes) if error_rates is None else num_classes * jnp.asarray(error_rates, jnp.float32)
    singles, couples = jnp.eye(num_classes), _couples(matrix)
    first = num_classes + len(couples)
    listed = jnp.concatenate([singles, couples, jnp.zeros((rounds * grown, num_classes))])
    start = _first_order.State(
        jnp.zeros(num_classes), jnp.zeros(shape), jnp.zeros(len(listed)), jnp.zeros((len(listed), num_attributes))
    )

    def iterate(listed, state):
        share = 1 / jnp.maximum(jnp.sum(listed, axis=1), 1)
        norm = 1.01 * jnp.sqrt(jnp.linalg.eigvalsh(listed.T @ (share[:, None] * listed))[-1])
        kind = None if error_rates is None else "budget"
        return _first_order.iterate(listed, matrix, price, 1 / norm, share / norm, state, iterations, kind)

    def one_round(number, carry):
        listed, state = carry
        state = iterate(listed, state)
        _, heaviest = jax.lax.top_k(jnp.where(jnp.arange(len(listed)) < num_classes, 0, state.weights), grown)
        new = _grown(listed[heaviest], state.offset, state.slope)
        return jax.lax.dynamic_update_slice(listed, new, (first + number * grown, 0)), state

    listed, state = jax.lax.fori_loop(0, rounds, one_round, (listed, start))
    state = iterate(listed, state)
    last = _grown(listed, state.offset, state.slope)
    total = jnp.maximum(jnp.max(_totals(listed, state)), jnp.max(_totals(last, state)))
    return rule_lib.AffineRule(state.offset / total, state.slope / total)


def _couples(matrix: jax.Array) -> jax.Array:
    """All pairs of classes, or the most similar if there are too many, `[P, C]` float32."""
    first: Any
    second: Any
    first, second = np.triu_indices(len(matrix), 1)
    if len(first) > _MOST_PAIRS:
        _, most_alike = jax.lax.top_k(pairs.pairwise(matrix)[first, second], _MOST_PAIRS)
        first, second = jnp.asarray(first)[most_alike], jnp.asarray(second)[most_alike]
    return jax.nn.one_hot(first, len(matrix)) + jax.nn.one_hot(second, len(matrix))


def _totals(listed: jax.Array, state) -> jax.Array:
    return listed @ state.offset + jnp.sum(jnp.maximum(listed @ state.slope, 0), axis=1)


def _grown(groups: jax.Array, offset: jax.Array, slope: jax.Array) -> jax.Array:
    """Each group with the classes that raise its total, while the excess over 1 grows for its size; else nothing."""

    def grow(_, carry):
        now, best, excess = carry
        more = jnp.where(now > 0, -jnp.inf, groups_lib.with_one_more_on_device(now, offset, slope))
        joins = jax.nn.one_hot(jnp.argmax(more, axis=1), now.shape[1])
        now = jnp.minimum(now + joins, 1)
        found = (jnp.max(more, axis=1) - 1) / jnp.sum(now, axis=1)
        return now, jnp.where((found > excess)[:, None], now, best), jnp.maximum(found, excess)

    nothing = jnp.zeros_like(groups)
    return jax.lax.fori_loop(0, 6, grow, (groups, nothing, jnp.full(len(groups), 1e-3)))[1]
