"""The small network of the methods that are not bilinear: dense layers with a nonlinearity between them.

x -> act(x W_1 + b_1) -> ... -> h W_n + b_n
"""

import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def dense(key: jax.Array, rows: int, columns: int, *, deviation: float | None = None) -> jax.Array:
    """Returns a random matrix `[rows, columns]`, of variance 1 / rows or of a standard deviation."""
    matrix = jax.random.normal(key, (rows, columns))
    return matrix / jnp.sqrt(rows) if deviation is None else deviation * matrix


def init_layers(key: jax.Array, widths: Sequence[int], *, deviation: float | None = None) -> list[dict[str, jax.Array]]:
    """Returns the layers of a network: random weights, biases of 0.

    Args:
      key: PRNG key.
      widths: of the input, of each hidden layer, and of the output.
      deviation: of the weights; None for a variance of 1 / inputs.

    >>> import jax
    >>> [layer["weights"].shape for layer in init_layers(jax.random.key(0), (3, 5, 2))]
    [(3, 5), (5, 2)]
    """
    keys = jax.random.split(key, len(widths) - 1)
    return [
        {"weights": dense(k, rows, columns, deviation=deviation), "bias": jnp.zeros(columns)}
        for k, (rows, columns) in zip(keys, itertools.pairwise(widths))
    ]


def apply_layers(
    layers: Sequence[dict[str, jax.Array]], x: ArrayLike, nonlinearity: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """Returns the output of the network, linear in the last layer.

    Args:
      layers: what `init_layers` returns.
      x: `[..., inputs]`.
      nonlinearity: applied after every layer but the last.
    """
    for number, layer in enumerate(layers):
        x = (nonlinearity(x) if number else x) @ layer["weights"]
        x = x + jnp.broadcast_to(layer["bias"], x.shape)
    return x
