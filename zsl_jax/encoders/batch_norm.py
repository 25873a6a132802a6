"""Batch normalisation as in the public checkpoints."""

import flax.linen as nn
import jax.numpy as jnp

EPSILON = 1e-5


def batch_norm(train: bool, *, name: str) -> nn.BatchNorm:
    """A layer in float32 whose running averages keep 0.9; over the whole batch, also where devices share it."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=EPSILON, dtype=jnp.float32, name=name)
