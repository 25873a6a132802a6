"""InferSent's comparison: an input and a class side by side, how far apart they are, and where they agree.

f encodes inputs and g classes, as in `zsl_kg`, where u . v is the score: these features can say more of a pair, and a
head has to learn from the training classes what they say.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import losses, rules, similarity
from zsl_jax.methods import base, class_tower, encoded, mlp, registry


@registry.method(
    width=rules.Knob("entries of the vectors in which inputs and classes are compared", rules.whole(1)),
    num_hidden=registry.NUM_HIDDEN,
)
def infersent(parts: encoded.Parts, class_encoder: nn.Module, *, width: int = 32, num_hidden: int = 64) -> base.Method:
    """Returns the method that trains f, g and the head by the cross-entropy over the training classes.

        F(x, c) = w . relu(W [u, v, |u - v|, u * v] + b) + d,    u = A f(x),  v = B g(c)

    The paper tells entailment, neutral and contradiction from the features of two sentences; here the question is which
    class fits, so that the head gives one number per class and the softmax is over classes.

    Args:
      parts: the encoder f of the inputs (the paper's is `bilstm_max`), the optimiser and the augmentation.
      class_encoder: g, a module of `zsl_jax.encoders` on what describes a class.
      width: entries of u and of v, >= 1.
      num_hidden: width of the head's hidden layer, >= 1.

    Reference: Conneau, Kiela, Schwenk, Barrault, Bordes, "Supervised Learning of Universal Sentence Representations
    from Natural Language Inference Data", EMNLP 2017.
    """
    tower = class_tower.of(class_encoder, width, parts.chunk)

    def init_head(key, like, classes):
        of_tower, of_head = jax.random.split(key)
        return tower.init(of_tower, like, classes) | {"head": mlp.init_layers(of_head, (4 * width, num_hidden, 1))}

    def scores(head, images, described):
        def of_class(row):
            pairs = similarity.pair_features(images, jnp.broadcast_to(row, images.shape))
            return mlp.apply_layers(head["head"], pairs, jax.nn.relu)[:, 0]

        # A class at a time: [B, C, 4 width] would not fit.
        return jax.lax.map(of_class, described).T

    def loss(head, embeddings, batch, classes, key):
        found = scores(head, embeddings @ head["of_images"], tower.describe(head, classes, key))
        return losses.softmax_cross_entropy(found, batch.labels)

    return encoded.by_encoder(
        parts,
        init_head=init_head,
        loss=loss,
        embed=lambda head, embeddings: embeddings @ head["of_images"],
        describe=tower.describe,
        scores=scores,
    )
