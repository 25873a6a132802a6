"""Metric learning for semantic consistency: predicted attributes, compared with descriptions by a learned distance."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors, losses, rules, similarity
from zsl_jax.methods import base, gradient, mlp, registry

NONLINEARITIES = {"relu": jax.nn.relu, "none": lambda x: x}


@registry.method(
    nonlinearity=rules.Knob("of predicted attributes: relu for descriptions >= 0", rules.one_of(tuple(NONLINEARITIES))),
    threshold=rules.Knob("squared distance between pairs that agree and pairs that do not", rules.number(0)),
    margin=rules.Knob("margin of the loss, a squared distance", rules.number(0, ends="[)")),
    regression_weight=rules.Knob("weight of regressing descriptions in the loss", rules.number(0, ends="[)")),
    learning_rate=registry.LEARNING_RATE,
    weight_decay=registry.WEIGHT_DECAY,
)
def semantic_consistency(
    *,
    nonlinearity: str = "none",
    threshold: float = 1.0,
    margin: float = 1.0,
    regression_weight: float = 1.0,
    learning_rate: float = 1e-2,
    weight_decay: float = 1e-4,
) -> base.Method:
    """Attributes A(x) and a metric W on them, learned together from pairs that agree and pairs that do not.

        A(x) = f(x W_X + b),   S^2(x, c) = ||(A(x) - phi_c) W_A||^2,   F(x, c) = -S^2(x, c)
        l(x, y) = [m - (t - S^2(x, y))]_+ + max_{c != y} [m + (t - S^2(x, c))]_+ + r ||A(x) - phi_y||^2
                  + d (||W_X||^2 + ||b||^2 + ||W_A||^2)

    An image has one pair that agrees, with its own class, and one that does not, with the class that is hardest to tell
    from it (see `losses.consistency_hinge`). W_A starts as the identity, because 0 is a stationary point.

    Args:
      nonlinearity: f, `relu` as in the paper, for descriptions without negative values, or `none` for signed ones.
      threshold: t, the squared distance between pairs that agree and pairs that do not, > 0.
      margin: m >= 0, on the squared distance.
      regression_weight: r >= 0.
      learning_rate: of Adam, > 0.
      weight_decay: d >= 0.

    Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
    Classification", ECCV 2016.
    """
    if nonlinearity not in NONLINEARITIES:
        raise errors.unknown("nonlinearity", nonlinearity, NONLINEARITIES)

    def init_params(key, like, classes):
        num_features, num_attributes = like.inputs.shape[-1], classes.embedding.shape[-1]
        return {
            "weights": mlp.dense(key, num_features, num_attributes),
            "bias": jnp.zeros(num_attributes),
            "metric": jnp.eye(num_attributes),
        }

    def attributes(params, inputs):
        predicted = inputs @ params["weights"]
        return NONLINEARITIES[nonlinearity](predicted + jnp.broadcast_to(params["bias"], predicted.shape))

    def embed(params, inputs):
        return attributes(params, inputs) @ params["metric"]

    def describe(params, classes):
        return jnp.asarray(classes.embedding) @ params["metric"]

    def loss(params, batch, classes, key):
        del key
        squared = -similarity.mahalanobis(attributes(params, batch.inputs), classes.embedding, params["metric"])
        is_own = batch.labels[:, None] == jnp.arange(len(classes))[None, :]
        hinges = losses.consistency_hinge(squared, is_own, threshold=threshold, margin=margin)
        residual = attributes(params, batch.inputs) - jnp.asarray(classes.embedding)[batch.labels]
        return (
            jnp.sum(jnp.where(is_own, hinges, 0.0), axis=1)
            + jnp.max(jnp.where(is_own, 0.0, hinges), axis=1)
            + regression_weight * jnp.sum(residual**2, axis=1)
            + weight_decay * sum(jnp.sum(x**2) for x in jax.tree.leaves(params))
        )

    return gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=embed,
        describe=describe,
        scores=lambda params, images, described: similarity.negative_squared_euclidean(images, described),
        optimizer=optax.adam(learning_rate),
    )
