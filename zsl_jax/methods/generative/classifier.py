"""The linear softmax classifier that generative methods lean on while they train and end with."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses


def init(num_features: int, num_classes: int) -> dict[str, jax.Array]:
    return {"weights": jnp.zeros((num_features, num_classes)), "bias": jnp.zeros(num_classes)}


def logits(classifier, features: jax.Array) -> jax.Array:
    """Returns `[B, C]` x^T W + b."""
    return features @ classifier["weights"] + classifier["bias"][None, :]


def cross_entropy(classifier, features: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns `[B]` the negative log-probability of the label."""
    return losses.softmax_cross_entropy(logits(classifier, features), labels)


def fit(
    key: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    num_classes: int,
    *,
    epochs: int,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
) -> dict[str, jax.Array]:
    """Returns the classifier trained by Adam from zero.

    Args:
      key: PRNG key of the order.
      features: `[N, F]`.
      labels: `[N]` int in `[0, C)`.
      num_classes: C.
      epochs: passes over the examples; those that fill no whole batch are left out of a pass.
      batch_size: examples a step, fewer where there are fewer.
      learning_rate: of Adam, > 0.
    """
    size = min(batch_size, len(labels))
    num_steps = len(labels) // size
    optimizer = optax.adam(learning_rate)
    start = init(features.shape[1], num_classes)

    def step(carry, rows):
        params, memory = carry
        gradient = jax.grad(lambda p: jnp.mean(cross_entropy(p, features[rows], labels[rows])))(params)
        updates, memory = optimizer.update(gradient, memory, params)
        return (optax.apply_updates(params, updates), memory), None

    def epoch(carry, key):
        rows = jax.random.permutation(key, len(labels))[: num_steps * size].reshape(num_steps, size)
        return jax.lax.scan(step, carry, rows)

    (params, _), _ = jax.lax.scan(epoch, (start, optimizer.init(start)), jax.random.split(key, epochs))
    return params
