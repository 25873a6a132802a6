"""Label embedding on top of any encoder: F(x, c) = f(x)^T W phi_c under a loss on images and training classes."""

from zsl_jax.methods import base, encoded, mlp, objectives, registry


@registry.method(loss=objectives.KNOB, balance=objectives.BALANCE, **objectives.NEGATIVES)
def label_embedding(
    parts: encoded.Parts,
    *,
    loss: str = "softmax_cross_entropy",
    negatives: str = "all",
    num_negatives: int = 8,
    similar: float = 1.0,
    ramp_steps: float = 1000.0,
    refresh_steps: int = 10,
    memory_momentum: float = 0.99,
    balance: str = "fixed",
) -> base.Method:
    """Returns the bilinear map of `methods.bilinear` with an encoder under it that is trained with it.

    Args:
      parts: the encoder f, its optimiser, its augmentation, and the `chunk` that it encodes at a time.
      loss: a name in `methods.LOSSES`, a sum such as `warp+0.1*self_calibration`, `package.module:function`, or what
        `objectives.make` returns.
      negatives: what an image is compared with, see `objectives.negatives`. For losses on scores and triplets, wrong
        classes: `all`, `hardest`, `semi_hard` (the hardest of those that score below the own class), `random`,
        `curriculum`, `dynamic` or `swapped`. For losses that compare the images of a batch, earlier ones: `queue` or
        `bank`.
      num_negatives: how many, unless all; the length of a queue, and per class of `dynamic` and `bank`.
      similar: cosine of descriptions in [-1, 1] above which a class is no negative.
      ramp_steps: in which a curriculum goes from easy to hard.
      refresh_steps: after which dynamic negatives are looked at again.
      memory_momentum: decay of the average of the parameters that fills a queue or bank, in [0, 1).
      balance: of the terms of a sum: `fixed`, by `uncertainty` or `gradnorm`, or of two by `mgda`; see
        `objectives.balance`.

    Raises:
      UserError: an unknown loss or choice of negatives.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016, there on
    features that stay as they are.
    """
    objective = objectives.with_negatives(
        objectives.balanced(objectives.make(loss), balance),
        negatives=negatives,
        num_negatives=num_negatives,
        similar=similar,
        ramp_steps=ramp_steps,
        refresh_steps=refresh_steps,
        memory_momentum=memory_momentum,
    )

    def class_loss(head, embeddings, batch, classes, key, notes=()):
        images = embeddings @ head["map"]
        given = objectives.of_batch(images, classes.embedding, batch, classes, key, notes)
        return objective.loss(given, **objective.term_weights(head.get("terms", {})))

    method = encoded.by_encoder(
        parts,
        init_head=lambda key, like, classes: {
            "map": mlp.dense(key, like.shape[-1], classes.embedding.shape[-1]),
            **({"terms": objective.free_weights()} if objective.weights else {}),
        },
        loss=class_loss,
        embed=lambda head, embeddings: embeddings @ head["map"],
        scores=lambda head, images, described: objective.scores(images, described),
        memory=objective.memory,
    )
    return method._replace(sees=objective.sees)
