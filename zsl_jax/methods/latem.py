"""LATEM: several bilinear maps, of which the best fitting one counts, so that the compatibility is piecewise linear."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import base, gradient, registry, span

# The maps must differ at the start, or all but the first would never be the largest. Small beside a margin of 1.
_START = 0.01


@registry.method(
    num_maps=rules.Knob("bilinear maps, of which the best counts", rules.whole(1)),
    margin=registry.MARGIN,
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
)
def latem(*, num_maps: int = 4, margin: float = 1.0, learning_rate: float = 1.0, momentum: float = 0.9) -> base.Method:
    """Latent Embeddings: the best of K bilinear maps under the weighted approximate ranking loss.

        F(x, c) = max_k x^T W_k phi_c

    The K maps share the work by themselves: an image and a class meet in the map that fits them best, such as one for
    each pose or colour. Trained with `losses.warp`. Unlike the bilinear methods it starts at random weights.

    Args:
      num_maps: K >= 1.
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Xian, Akata, Sharma, Nguyen, Hein, Schiele, "Latent Embeddings for Zero-Shot Classification", CVPR 2016.
    """

    def init_params(key, like, classes):
        shape = (num_maps, like.inputs.shape[-1], classes.embedding.shape[-1])
        return _START * margin * jax.random.normal(key, shape)

    def loss(weights, batch, classes, key):
        del key
        scores = similarity.latent_bilinear(batch.inputs, classes.embedding, weights)
        return losses.warp(scores, batch.labels, margin=margin)

    method = gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=lambda weights, inputs: jnp.einsum("bf,kfa->bka", inputs, weights),
        scores=lambda weights, images, described: jnp.max(jnp.einsum("bka,ca->kbc", images, described), axis=0),
        optimizer=optax.sgd(learning_rate, momentum=momentum),
    )
    return span.in_class_span(method)
