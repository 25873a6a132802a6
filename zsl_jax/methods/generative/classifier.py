"""The linear softmax classifier that generative methods lean on while they train and end with."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses

_OPTIMIZER = optax.adam(1e-3)
_BATCH_SIZE = 64


def init(num_features: int, num_classes: int) -> dict[str, jax.Array]:
    return {"weights": jnp.zeros((num_features, num_classes)), "bias": jnp.zeros(num_classes)}


def logits(classifier, features: jax.Array) -> jax.Array:
    """Returns `[B, C]` x^T W + b."""
    return features @ classifier["weights"] + classifier["bias"][None, :]


def cross_entropy(classifier, features: jax.Array, labels: jax.Array) -> jax.Array:
    """Returns `[B]` the negative log-probability of the label."""
    return losses.softmax_cross_entropy(logits(classifier, features), labels)


def fit(
    key: jax.Array, features: jax.Array, labels: jax.Array, num_classes: int, *, epochs: int
) -> dict[str, jax.Array]:
    """Returns the classifier trained by Adam from zero, in batches of 64.

    Args:
      key: PRNG key of the order.
      features: `[N, F]`.
      labels: `[N]` int in `[0, C)`; an example with another one counts nowhere.
      num_classes: C.
      epochs: passes over the examples; those that fill no whole batch are left out of a pass.
    """
    num_steps = steps_per_epoch(len(labels))
    size = min(_BATCH_SIZE, len(labels))

    def epoch(carry, key):
        rows = jax.random.permutation(key, len(labels))[: num_steps * size].reshape(num_steps, size)
        return jax.lax.scan(lambda carry, rows: (_step(carry, features[rows], labels[rows]), None), carry, rows)

    (params, _), _ = jax.lax.scan(epoch, _start(features.shape[1], num_classes), jax.random.split(key, epochs))
    return params


def fit_drawn(
    key: jax.Array, examples: Callable, num_features: int, num_classes: int, num_steps: int | jax.Array
) -> dict[str, jax.Array]:
    """Returns the classifier trained by Adam from zero, every batch made when its step comes.

    Args:
      key: PRNG key of the examples.
      examples: `(key, size) -> (features [size, F], labels [size])`.
      num_features, num_classes: F, C.
      num_steps: >= 0; of 0 comes zero.
    """

    def step(i, carry):
        return _step(carry, *examples(jax.random.fold_in(key, i), _BATCH_SIZE))

    return jax.lax.fori_loop(0, num_steps, step, _start(num_features, num_classes))[0]


def steps_per_epoch(num_examples: int) -> int:
    """Returns how many whole batches the examples fill; one where they are fewer than a batch."""
    return num_examples // min(_BATCH_SIZE, num_examples)


def _start(num_features: int, num_classes: int):
    params = init(num_features, num_classes)
    return params, _OPTIMIZER.init(params)


def _step(carry, features, labels):
    params, memory = carry
    gradient = jax.grad(lambda p: jnp.mean(cross_entropy(p, features, labels)))(params)
    updates, memory = _OPTIMIZER.update(gradient, memory, params)
    return optax.apply_updates(params, updates), memory
