"""Label embedding on top of any encoder: F(x, c) = f(x)^T W phi_c under a loss on images and training classes."""

from zsl_jax.methods import base, encoded, mlp, objectives, registry


@registry.method(**objectives.KNOBS)
@objectives.by_any_loss("softmax_cross_entropy")
def label_embedding(parts: encoded.Parts, *, asked: objectives.Asked) -> base.Method:
    """Returns the bilinear map of `methods.bilinear` with an encoder under it that is trained with it.

    Args:
      parts: the encoder f, its optimiser, its augmentation, and the `chunk` that it encodes at a time.
      asked: the loss, what an image is compared with, and how the terms of a sum are weighed; its fields are knobs.

    Raises:
      UserError: an unknown loss or choice of negatives.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016, there on
    features that stay as they are.
    """
    objective = asked.objective()

    def class_loss(head, embeddings, batch, classes, key, notes=()):
        images, through = embeddings @ head["map"], (embeddings, head["map"])
        given = objectives.of_batch(images, classes.embedding, batch, classes, key, notes, through)
        return objective.loss(given, **objective.term_weights(head.get("terms", {})))

    def init_head(key, like, classes):
        width = classes.embedding.shape[-1]
        objectives.check_lengths(objective, width)
        head = {"map": mlp.dense(key, like.shape[-1], width)}
        return head | {"terms": objective.free_weights()} if objective.weights else head

    method = encoded.by_encoder(
        parts,
        init_head=init_head,
        loss=class_loss,
        embed=lambda head, embeddings: embeddings @ head["map"],
        scores=lambda head, images, described: objective.scores(images, described),
        memory=objective.memory,
    )
    return method._replace(sees=objective.sees)
