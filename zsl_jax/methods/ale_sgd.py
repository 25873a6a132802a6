"""ALE as it was published: stochastic gradient descent that takes one image per step."""

import jax.numpy as jnp

from zsl_jax import losses, similarity
from zsl_jax.methods import _warp_sgd, base, registry


@registry.method(margin=registry.MARGIN, learning_rate=registry.LEARNING_RATE)
def ale_sgd(*, margin: float = 1.0, learning_rate: float = 0.01) -> base.Method:
    """Attribute Label Embedding by steps of one image, without momentum; a batch is that many steps.

        W <- W - eta * gradient of l(x_n, y_n) in W, one n after the other; l as in `ale`

    The steps of a batch are taken together by `_warp_sgd.warp_sgd`, which ends at the weights of the loop. The size of
    the batch changes the speed alone, and so does the number of devices.

    Args:
      margin: m > 0, in units of the score; only learning_rate / margin matters.
      learning_rate: eta > 0.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """

    def init(key, like, classes, weights):
        del key, weights
        # A dict, because a checkpoint is a tree and no bare array.
        return {"weights": jnp.zeros((like.inputs.shape[-1], classes.embedding.shape[-1]))}

    def update(state, batch, classes, key):
        del key
        weights = state["weights"]
        # A label that is no class has loss 0: rows that only fill up the batch take no step.
        labels = jnp.where(batch.where, batch.labels, -1)
        loss = losses.warp(similarity.bilinear(batch.inputs, classes.embedding, weights), labels, margin=margin)
        stepped = _warp_sgd.warp_sgd(
            weights, batch.inputs, labels, classes.embedding, learning_rate=learning_rate, margin=margin
        )
        return {"weights": stepped}, {"loss": jnp.sum(loss) / jnp.maximum(jnp.sum(batch.where), 1)}

    return base.Method(
        init=init,
        update=update,
        embed=lambda state, inputs: inputs @ state["weights"],
        scores=lambda state, images, described: similarity.dot(images, described),
    )
