"""One matrix between features and attributes, F(x, c) = x^T W phi_c, and the ranking losses that train it.

The problem is convex in W and starts at W = 0. For the scale of the margin to mean something, features and class
descriptions should have unit length (`methods.normalized`).
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import optax

from zsl_jax import losses, similarity
from zsl_jax.methods import base, gradient


def ale(*, margin: float = 1.0, learning_rate: float = 1e-3) -> base.Method:
    """Attribute Label Embedding: the bilinear map under the weighted approximate ranking loss with exact ranks.

        l(x, y) = (beta_R / R) sum_{c != y} [m + F(x, c) - F(x, y)]_+,   beta_R = sum_{j <= R} 1 / j

    where R counts the classes that violate the margin m; see `losses.warp`.

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of Adam, > 0.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    return bilinear(functools.partial(losses.warp, margin=margin), optax.adam(learning_rate))


def bilinear(loss: Callable, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains W `[F, A]` by `loss(scores [B, C], labels [B]) -> [B]`."""

    def init_params(key, batch, classes):
        del key
        return jnp.zeros((batch.inputs.shape[-1], classes.embedding.shape[-1]))

    def scores(weights, inputs, classes):
        return similarity.bilinear(inputs, classes.embedding, weights)

    return gradient.by_gradient(
        init_params=init_params,
        loss=lambda weights, batch, classes, key: loss(scores(weights, batch.inputs, classes), batch.labels),
        scores=scores,
        optimizer=optimizer,
    )
