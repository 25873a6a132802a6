"""ZSL-KG: classes are nodes of a graph, which an encoder reads, and meet inputs in a product of low rank.

    F(x, c) = (A f(x)) . (B g(c)),    l(x, y) = log sum_c exp F(x, c) - F(x, y)

f encodes inputs and g classes: `config.class_encoder.name` is trgcn, a rival of it, or mlp where classes are vectors.
"""

from flax import linen as nn

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import base, class_tower, encoded, registry


@registry.method(width=rules.Knob("rank of the product in which inputs and classes meet", rules.whole(1)))
def zsl_kg(parts: encoded.Parts, class_encoder: nn.Module, *, width: int = 32) -> base.Method:
    """Returns the method that trains f, g and the product by the cross-entropy over the training classes.

    Args:
      parts: the encoder f of the inputs, the optimiser and the augmentation.
      class_encoder: g, a `encoders.graphs.GraphEncoder` on a table of nodes, or a module on what describes a class.
      width: rank of A^T B, >= 1.

    Reference: Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022.
    """
    tower = class_tower.of(class_encoder, width, parts.chunk)

    def loss(head, embeddings, batch, classes, key):
        described = tower.encode(head, classes, key)
        scores = similarity.low_rank_bilinear(embeddings, described, head["of_images"], head["of_classes"])
        return losses.softmax_cross_entropy(scores, batch.labels)

    return encoded.by_encoder(
        parts,
        init_head=tower.init,
        loss=loss,
        embed=lambda head, embeddings: embeddings @ head["of_images"],
        describe=tower.describe,
        scores=lambda head, images, described: images @ described.T,
    )
