"""The small network of the methods that are not bilinear: dense layers with a nonlinearity between them.

x -> act(x W_1 + b_1) -> ... -> h W_n + b_n
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def init_layers(key: jax.Array, widths: Sequence[int]) -> list[dict[str, jax.Array]]:
    """Returns the layers of a network: weights of variance 1 / inputs, biases of 0.

    Args:
      key: PRNG key.
      widths: of the input, of each hidden layer, and of the output.

    >>> import jax
    >>> [layer["weights"].shape for layer in init_layers(jax.random.key(0), (3, 5, 2))]
    [(3, 5), (5, 2)]
    """
    keys = jax.random.split(key, len(widths) - 1)
    return [
        {"weights": jax.random.normal(k, (rows, columns)) / jnp.sqrt(rows), "bias": jnp.zeros(columns)}
        for k, rows, columns in zip(keys, widths[:-1], widths[1:])
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
