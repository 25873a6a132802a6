"""Label embedding on top of any encoder: F(x, c) = f(x)^T W phi_c under a loss on the scores of training classes."""

import functools

from zsl_jax import errors, losses, rules, similarity
from zsl_jax.methods import base, encoded, mlp, registry


@registry.method(
    loss=rules.Knob("loss on the scores of the training classes", rules.one_of(("ale", "devise", "sje", "softmax"))),
    margin=registry.MARGIN,
)
def label_embedding(parts: encoded.Parts, *, loss: str = "softmax", margin: float = 1.0) -> base.Method:
    """Returns the bilinear map of `methods.bilinear` with an encoder under it that is trained with it.

    Args:
      parts: the encoder f, its optimiser and its augmentation.
      loss: `ale`, `devise`, `sje` or `softmax`, as the methods of these names.
      margin: m > 0 of the first three, in units of the score.

    Raises:
      UserError: an unknown loss.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016, there on
    features that stay as they are.
    """
    choices = {
        "ale": functools.partial(losses.warp, margin=margin),
        "devise": functools.partial(losses.rank_hinge, margin=margin),
        "sje": functools.partial(losses.structured_hinge, margin=margin),
        "softmax": losses.softmax_cross_entropy,
    }
    if loss not in choices:
        raise errors.unknown("loss", loss, choices)

    def class_loss(head, embeddings, batch, classes, key):
        del key
        return choices[loss](similarity.bilinear(embeddings, classes.embedding, head["map"]), batch.labels)

    return encoded.by_encoder(
        parts,
        init_head=lambda key, width, classes: {"map": mlp.dense(key, width, classes.embedding.shape[-1])},
        loss=class_loss,
        embed=lambda head, embeddings: embeddings @ head["map"],
        scores=lambda head, images, described: similarity.dot(images, described),
    )
