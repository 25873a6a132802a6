"""Label embedding on top of any encoder: F(x, c) = f(x)^T W phi_c under a loss on images and training classes."""

from zsl_jax.methods import base, encoded, mlp, objectives, registry


@registry.method(loss=objectives.KNOB, **objectives.NEGATIVES)
def label_embedding(
    parts: encoded.Parts,
    *,
    loss: str = "softmax_cross_entropy",
    negatives: str = "all",
    num_negatives: int = 8,
    similar: float = 1.0,
) -> base.Method:
    """Returns the bilinear map of `methods.bilinear` with an encoder under it that is trained with it.

    Args:
      parts: the encoder f, its optimiser and its augmentation.
      loss: a name in `methods.LOSSES`, a sum such as `warp+0.1*self_calibration`, `package.module:function`, or what
        `objectives.make` returns.
      negatives: wrong classes that an image is compared with: `all`, `hardest`, `semi_hard` (the hardest of those that
        score below the own class) or `random`; for losses on scores and for triplets.
      num_negatives: how many, unless all.
      similar: cosine of descriptions in [-1, 1] above which a class is no negative.

    Raises:
      UserError: an unknown loss or choice of negatives.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016, there on
    features that stay as they are.
    """
    objective = objectives.with_negatives(
        objectives.make(loss), negatives=negatives, num_negatives=num_negatives, similar=similar
    )

    def class_loss(head, embeddings, batch, classes, key):
        images = embeddings @ head["map"]
        return objective.loss(objectives.of_batch(images, classes.embedding, batch, classes, key))

    method = encoded.by_encoder(
        parts,
        init_head=lambda key, width, classes: {"map": mlp.dense(key, width, classes.embedding.shape[-1])},
        loss=class_loss,
        embed=lambda head, embeddings: embeddings @ head["map"],
        scores=lambda head, images, described: objective.scores(images, described),
    )
    return method._replace(sees=objective.sees)
