"""ZSL-KG: classes are nodes of a graph, which an encoder reads, and meet inputs in a product of low rank.

    F(x, c) = (A f(x)) . (B g(c)),    l(x, y) = log sum_c exp F(x, c) - F(x, y)

f encodes inputs and g classes: `config.class_encoder.name` is trgcn, a rival of it, or mlp where classes are vectors.
"""

import jax
from flax import linen as nn

from zsl_jax import losses, rules
from zsl_jax.methods import base, class_tower, encoded, mlp, registry


@registry.method(width=rules.Knob("rank of the product in which inputs and classes meet", rules.whole(1)))
def zsl_kg(parts: encoded.Parts, class_encoder: nn.Module, *, width: int = 32) -> base.Method:
    """Returns the method that trains f, g and the product by the cross-entropy over the training classes.

    Args:
      parts: the encoder f of the inputs, the optimiser and the augmentation.
      class_encoder: g, a `encoders.graphs.GraphEncoder` on a table of nodes, or a module on what describes a class.
      width: rank of A^T B, >= 1.

    Reference: Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022.
    """
    tower = class_tower.of(class_encoder)

    def init_head(key, like, classes):
        keys = jax.random.split(key, 3)
        params = tower.init(keys[0], classes)
        described = jax.eval_shape(tower.apply, params, classes)
        return {
            "classes": params,
            "of_inputs": mlp.dense(keys[1], like.shape[-1], width),
            "of_classes": mlp.dense(keys[2], described.shape[-1], width),
        }

    def describe(head, classes, key=None):
        return tower.apply(head["classes"], classes, key) @ head["of_classes"]

    def class_loss(head, embeddings, batch, classes, key):
        scores = embeddings @ head["of_inputs"] @ describe(head, classes, key).T
        return losses.softmax_cross_entropy(scores, batch.labels)

    return encoded.by_encoder(
        parts,
        init_head=init_head,
        loss=class_loss,
        embed=lambda head, embeddings: embeddings @ head["of_inputs"],
        describe=describe,
        scores=lambda head, images, described: images @ described.T,
    )
