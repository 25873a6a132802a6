"""One matrix between features and attributes, F(x, c) = x^T W phi_c, and the losses that train it.

    ale      hinges of the violating classes, weighted by the rank      sje      the largest hinge alone
    devise   the sum of all hinges                                      softmax  cross-entropy over the training classes

The problem is convex in W and starts at W = 0. A hinge of margin m is homogeneous: m and the learning rate scaled
together scale W, so that only their ratio matters. For the scale to mean something, features and class
descriptions should have unit length (`methods.normalized`). The optimiser is stochastic gradient descent with momentum,
as in the papers: it takes the same path in every rotation of the attributes, hence also in the span of the training
classes (`methods.in_class_span`), which is cheaper.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import optax

from zsl_jax import losses, similarity
from zsl_jax.methods import base, gradient, registry, span


@registry.method(margin=registry.MARGIN, learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM)
def ale(*, margin: float = 1.0, learning_rate: float = 0.3, momentum: float = 0.9) -> base.Method:
    """Attribute Label Embedding: the bilinear map under the weighted approximate ranking loss with exact ranks.

        l(x, y) = (beta_R / R) sum_{c != y} [m + F(x, c) - F(x, y)]_+,   beta_R = sum_{j <= R} 1 / j

    where R counts the classes that violate the margin m; see `losses.warp`.

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    return bilinear(functools.partial(losses.warp, margin=margin), optax.sgd(learning_rate, momentum=momentum))


@registry.method(margin=registry.MARGIN, learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM)
def devise(*, margin: float = 1.0, learning_rate: float = 0.03, momentum: float = 0.9) -> base.Method:
    """Deep Visual-Semantic Embedding, its upper part: the bilinear map under the sum of all hinges.

        l(x, y) = sum_{c != y} [m + F(x, c) - F(x, y)]_+

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0; smaller than ALE's, because the hinges are summed.
      momentum: of gradient descent, in [0, 1).

    Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
    NeurIPS 2013.
    """
    return bilinear(functools.partial(losses.rank_hinge, margin=margin), optax.sgd(learning_rate, momentum=momentum))


@registry.method(margin=registry.MARGIN, learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM)
def sje(*, margin: float = 1.0, learning_rate: float = 0.3, momentum: float = 0.9) -> base.Method:
    """Structured Joint Embedding: the bilinear map under the hinge of the most violating class.

        l(x, y) = max(0, max_{c != y} m + F(x, c) - F(x, y))

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).

    Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image
    Classification", CVPR 2015.
    """
    return bilinear(
        functools.partial(losses.structured_hinge, margin=margin), optax.sgd(learning_rate, momentum=momentum)
    )


@registry.method(learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM)
def softmax(*, learning_rate: float = 10.0, momentum: float = 0.9) -> base.Method:
    """Softmax compatibility: the bilinear map under the cross-entropy over the training classes.

        l(x, y) = log sum_c exp F(x, c) - F(x, y)

    A temperature would change nothing but the unit of the learning rate and of the scores.

    Args:
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
    """
    return bilinear(losses.softmax_cross_entropy, optax.sgd(learning_rate, momentum=momentum))


def bilinear(loss: Callable, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains W `[F, A]` by `loss(scores [B, C], labels [B]) -> [B]`, in the classes' span."""

    def init_params(key, like, classes):
        del key
        return jnp.zeros((like.inputs.shape[-1], classes.embedding.shape[-1]))

    def embed(weights, inputs):
        return inputs @ weights

    def class_loss(weights, batch, classes, key):
        del key
        return loss(similarity.dot(embed(weights, batch.inputs), classes.embedding), batch.labels)

    method = gradient.by_gradient(
        init_params=init_params,
        loss=class_loss,
        embed=embed,
        scores=lambda weights, images, described: similarity.dot(images, described),
        optimizer=optimizer,
    )
    return span.in_class_span(method)
