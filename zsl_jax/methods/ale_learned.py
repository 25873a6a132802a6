"""ALE in its full form: the descriptions of the classes that have images are learned too, held to the given ones.

    R(W, Phi) + (mu / 2) ||Phi - Phi_A||^2

With no image of a class its description stays as given: zero-shot learning. With a few it may move: few-shot learning.
With many, and mu small, the description is what the images make it: ordinary learning.
"""

import jax.numpy as jnp
import optax

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import base, gradient, moved, registry, span


@registry.method(
    attachment=rules.Knob("pull of a learned class description to the given one", rules.number(0, ends="[)")),
    margin=registry.MARGIN,
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
)
def ale_learned(
    *, attachment: float = 0.1, margin: float = 1.0, learning_rate: float = 0.1, momentum: float = 0.9
) -> base.Method:
    """Attribute Label Embedding with learned descriptions of the classes that have training images.

        l(x, y) = (beta_R / R) sum_{c != y} [m + x^T W (phi_c - phi_y)]_+ + (mu / 2) ||Phi - Phi_A||^2

    Both W and Phi `[C, A]` are trained by the same gradient descent, from W = 0 and Phi = Phi_A, the descriptions as
    given. A class of a table is scored by its learned description where its given one is that of a training class, and
    by its given one otherwise. Training classes with the same description share the mean of what was learned. Descent
    is stable only while learning_rate * attachment < 2 (1 + momentum); with a high attachment it is plain `ale`.

    Args:
      attachment: mu >= 0, the pull of learned descriptions to the given ones.
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """

    def init_params(key, like, classes):
        del key
        given = jnp.asarray(classes.embedding)
        return {"weights": jnp.zeros((like.inputs.shape[-1], given.shape[-1])), "shift": jnp.zeros_like(given)}

    def loss(params, batch, classes, key):
        del key
        learned = jnp.asarray(classes.embedding) + params["shift"]
        ranking = losses.warp(
            similarity.bilinear(batch.inputs, learned, params["weights"]), batch.labels, margin=margin
        )
        return ranking + attachment / 2 * jnp.sum(params["shift"] ** 2)

    trained = gradient.by_gradient(
        init_params=init_params,
        loss=loss,
        embed=lambda params, inputs: inputs @ params["weights"],
        scores=lambda params, images, described: similarity.dot(images, described),
        optimizer=optax.sgd(learning_rate, momentum=momentum),
    )
    remembering = base.viewed(trained, base.View(start=lambda key, like, classes: jnp.asarray(classes.embedding)))

    def describe(state, classes):
        given, known = jnp.asarray(classes.embedding), state.kept
        is_same = moved.same(given, known)
        share = is_same / jnp.maximum(jnp.sum(is_same, axis=1, keepdims=True), 1)
        return given + share @ gradient.trained_params(state.inner)["shift"]

    return span.in_class_span(remembering._replace(describe=describe))
