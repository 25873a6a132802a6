"""DEM: class descriptions are mapped into the space of the image features, where classes are compared with images."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import similarity
from zsl_jax.methods import base, gradient, mlp, registry


@registry.method(
    num_hidden=registry.NUM_HIDDEN, learning_rate=registry.LEARNING_RATE, weight_decay=registry.WEIGHT_DECAY
)
def dem(*, num_hidden: int = 512, learning_rate: float = 1e-3, weight_decay: float = 3e-4) -> base.Method:
    """Deep Embedding Model: regression from class descriptions to features, scored by distance there.

        l(x, y) = ||x - f(phi_y)||^2 + d sum_W ||W||^2,   F(x, c) = -||x - f(phi_c)||^2

    Here f has one hidden layer of ReLUs. Mapping classes to features, not features to attributes, keeps a few classes
    from being the nearest of everything (hubs), which regression brings about in the space of its targets.

    Args:
      num_hidden: width of the hidden layer, >= 1.
      learning_rate: of Adam, > 0.
      weight_decay: d >= 0.

    Reference: Zhang, Xiang, Gong, "Learning a Deep Embedding Model for Zero-Shot Learning", CVPR 2017.
    """

    def init_params(key, like, classes):
        return mlp.init_layers(key, (classes.embedding.shape[-1], num_hidden, like.inputs.shape[-1]))

    def describe(layers, classes):
        return mlp.apply_layers(layers, jnp.asarray(classes.embedding), jax.nn.relu)

    def loss(layers, batch, classes, key):
        del key
        prototypes = describe(layers, classes)
        residual = batch.inputs - prototypes[batch.labels]
        return jnp.sum(residual**2, axis=-1) + weight_decay * sum(jnp.sum(layer["weights"] ** 2) for layer in layers)

    return gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        describe=describe,
        scores=lambda layers, images, described: similarity.negative_squared_euclidean(images, described),
        optimizer=optax.adam(learning_rate),
    )
