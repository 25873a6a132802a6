"""Two heads: one for the attribute, one for the object; a pair is as likely as the product of both."""

import jax
import jax.numpy as jnp
import optax

from zsl_jax import errors
from zsl_jax.methods import base, centring, gradient, registry

SIDES = ("attributes", "objects")


@registry.method(learning_rate=registry.LEARNING_RATE, weight_decay=registry.WEIGHT_DECAY)
def two_heads(*, learning_rate: float = 0.01, weight_decay: float = 0.0) -> base.Method:
    """Logistic regression of the attribute and of the object; the score of a pair is the logarithm of their product.

        F(x, (a, o)) = log p(a | x) + log p(o | x),   p(. | x) = softmax(W (x - m) / s + b)
        l(x, (a, o)) = -F(x, (a, o)) + weight_decay (||W_a||^2 + ||W_o||^2) / 2

    m is the mean of the training inputs and s the root of their mean squared distance from it, so that a step size
    suits inputs of any scale. Inputs may have any shape; images are as good as a row of their pixels.

    Args:
      learning_rate: of Adam, > 0.
      weight_decay: >= 0.

    Reference: the baseline of Misra, Gupta, Hebert, "From Red Wine to Red Tomato: Composition with Context", CVPR 2017,
    there with support vector machines.
    """

    def init_params(key, like, classes):
        del key
        check_pairs("two_heads", classes)
        sizes = {side: len(classes.shared[side]) for side in ("attributes", "objects")}
        width = like.inputs.shape[-1]
        return {side: {"weights": jnp.zeros((width, n)), "bias": jnp.zeros(n)} for side, n in sizes.items()}

    def embed(params, inputs):
        def log_probabilities(head):
            return jax.nn.log_softmax(inputs @ head["weights"] + head["bias"][None, :])

        return {side: log_probabilities(head) for side, head in params.items()}

    def scores(params, images, described):
        return images["attributes"][:, described[:, 0]] + images["objects"][:, described[:, 1]]

    def loss(params, batch, classes, key):
        del key
        own = classes.parts[batch.labels]
        images = embed(params, batch.inputs)
        right = [jnp.take_along_axis(images[side], own[:, [i]], axis=1)[:, 0] for i, side in enumerate(SIDES)]
        penalty = sum(jnp.sum(head["weights"] ** 2) for head in params.values())
        return -sum(right) + weight_decay / 2 * penalty

    heads = gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=embed,
        describe=lambda params, classes: classes.parts,
        scores=scores,
        optimizer=optax.adam(learning_rate),
    )
    return base.viewed(heads, centring.CENTRED)


def check_pairs(name: str, classes) -> None:
    """Raises a UserError where classes are no pairs, with a vector of each attribute and object beside them."""
    if classes.parts is None or not (isinstance(classes.shared, dict) and classes.shared.keys() >= set(SIDES)):
        raise errors.UserError(f"{name} needs classes that are pairs of attribute and object: --config={name}:pairs")
