"""RelationNet: a network that looks at an image and a class together and says how well they match."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax.methods import base, gradient, mlp, registry


@registry.method(
    num_hidden=registry.NUM_HIDDEN, learning_rate=registry.LEARNING_RATE, weight_decay=registry.WEIGHT_DECAY
)
def relation_net(*, num_hidden: int = 512, learning_rate: float = 1e-3, weight_decay: float = 1e-4) -> base.Method:
    """Relation network: the class as features, beside the image, through a network to one number.

        F(x, c) = sigmoid(w . relu(x U + h(phi_c) V + b) + d),    h a network of one hidden layer, as wide as x
        l(x, y) = sum_c (F(x, c) - [c = y])^2 + weight_decay sum_W ||W||^2

    The paper draws a few classes per step; here every training class is compared with every image of the batch.

    Args:
      num_hidden: width of both hidden layers, >= 1.
      learning_rate: of Adam, > 0.
      weight_decay: >= 0.

    Reference: Sung, Yang, Zhang, Xiang, Torr, Hospedales, "Learning to Compare: Relation Network for Few-Shot
    Learning", CVPR 2018.
    """

    def init_params(key, like, classes):
        keys = jax.random.split(key, 4)
        num_features, num_attributes = like.inputs.shape[-1], classes.embedding.shape[-1]
        return {
            "class": mlp.init_layers(keys[0], (num_attributes, num_hidden, num_features)),
            "images": mlp.dense(keys[1], num_features, num_hidden),
            "classes": mlp.dense(keys[2], num_features, num_hidden),
            "output": mlp.init_layers(keys[3], (num_hidden, 1)),
        }

    def embed(params, inputs):
        return inputs @ params["images"]

    def describe(params, classes):
        return mlp.apply_layers(params["class"], jnp.asarray(classes.embedding), jax.nn.relu) @ params["classes"]

    def scores(params, images, described):
        def of_class(row):
            hidden = jax.nn.relu(images + row[None, :])
            return mlp.apply_layers(params["output"], hidden, jax.nn.relu)[:, 0]

        # A class at a time: [B, C, hidden] would not fit.
        return jax.nn.sigmoid(jax.lax.map(of_class, described).T)

    def loss(params, batch, classes, key):
        del key
        found = scores(params, embed(params, batch.inputs), describe(params, classes))
        wanted = jax.nn.one_hot(batch.labels, len(classes))
        weights = sum(jnp.sum(x**2) for x in jax.tree.leaves(params) if x.ndim > 1)
        return jnp.sum((found - wanted) ** 2, axis=1) + weight_decay * weights

    return gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=embed,
        describe=describe,
        scores=scores,
        optimizer=optax.adam(learning_rate),
    )
