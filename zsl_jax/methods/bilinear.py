"""One matrix between features and attributes, F(x, c) = x^T W phi_c, and the losses that train it.

    ale      hinges of the violating classes, weighted by the rank      sje      the largest hinge alone
    devise   the sum of all hinges                                      softmax  cross-entropy over the training classes
    bilinear any loss of `objectives.LOSSES`, by Adam

The problem of the first four is convex in W and starts at W = 0. A hinge of margin m is homogeneous: m and the learning
rate scaled together scale W, so that only their ratio matters. For the scale to mean something, features and class
descriptions should have unit length (`methods.normalized`). The optimiser is stochastic gradient descent with momentum,
as in the papers: it takes the same path in every rotation of the attributes, so also in the span of the training
classes (`methods.in_class_span`), which is cheaper. Adam takes another path there, which ends about as well.
"""

from collections.abc import Callable

import jax.numpy as jnp
import optax

from zsl_jax.methods import base, gradient, mlp, objectives, registry, span
from zsl_jax.rules import Knob, one_of

_HINGES = {"margin": registry.MARGIN, "learning_rate": registry.LEARNING_RATE, "momentum": registry.MOMENTUM}
_VIOLATORS = Knob(
    "which classes that violate the margin count: all, or the first in a random order", one_of(("all", "first"))
)


@registry.method(**_HINGES, violators=_VIOLATORS)
def ale(
    *, margin: float = 1.0, learning_rate: float = 0.3, momentum: float = 0.9, violators: str = "all"
) -> base.Method:
    """Attribute Label Embedding: the bilinear map under the weighted approximate ranking loss with exact ranks.

        l(x, y) = (beta_R / R) sum_{c != y} [m + F(x, c) - F(x, y)]_+,   beta_R = sum_{j <= R} 1 / j

    where R counts the classes that violate the margin m; see `losses.warp`.

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
      violators: `all`, or as published the `first` in a random order, from whose place R is estimated, see
        `losses.sampled_warp`.

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    loss = {"all": "warp", "first": "sampled_warp"}[violators]
    return by_bilinear(objectives.make(loss, margin=margin), optax.sgd(learning_rate, momentum=momentum))


@registry.method(**_HINGES, violators=_VIOLATORS)
def devise(
    *, margin: float = 1.0, learning_rate: float = 0.03, momentum: float = 0.9, violators: str = "all"
) -> base.Method:
    """Deep Visual-Semantic Embedding, its upper part: the bilinear map under the sum of all hinges.

        l(x, y) = sum_{c != y} [m + F(x, c) - F(x, y)]_+

    Args:
      margin: m > 0, in units of the score.
      learning_rate: of gradient descent, > 0; smaller than ALE's, because the hinges are summed.
      momentum: of gradient descent, in [0, 1).
      violators: `all`, or as published the `first` in a random order, see `losses.sampled_rank_hinge`.

    Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
    NeurIPS 2013.
    """
    loss = {"all": "rank_hinge", "first": "sampled_rank_hinge"}[violators]
    return by_bilinear(objectives.make(loss, margin=margin), optax.sgd(learning_rate, momentum=momentum))


@registry.method(**_HINGES)
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
    return by_bilinear(objectives.make("structured_hinge", margin=margin), optax.sgd(learning_rate, momentum=momentum))


@registry.method(learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM)
def softmax(*, learning_rate: float = 10.0, momentum: float = 0.9) -> base.Method:
    """Softmax compatibility: the bilinear map under the cross-entropy over the training classes.

        l(x, y) = log sum_c exp F(x, c) - F(x, y)

    A temperature would change nothing but the unit of the learning rate and of the scores.

    Args:
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
    """
    return by_bilinear("softmax_cross_entropy", optax.sgd(learning_rate, momentum=momentum))


@registry.method(learning_rate=registry.LEARNING_RATE, **objectives.KNOBS)
@objectives.by_any_loss("softmax_cross_entropy")
def bilinear(
    *,
    asked: objectives.Asked,
    learning_rate: float = 0.01,
) -> base.Method:
    """The bilinear map under any loss, by Adam.

        F(x, c) = x^T W phi_c,   or the cosine of x^T W and phi_c for losses that compare unit vectors

    Args:
      asked: the loss, what an image is compared with, and how the terms of a sum are weighed; its fields are knobs.
      learning_rate: of Adam, > 0.

    Raises:
      UserError: an unknown loss or choice of negatives.
    """
    objective = asked.objective()
    return by_bilinear(objective, optax.adam(learning_rate))


def by_bilinear(loss: str | Callable | objectives.Objective, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains W `[F, A]` in the classes' span.

    Args:
      loss: as `objectives.make` takes it, such as `losses.warp` or another function `(scores [B, C], labels [B]) ->
        [B]`.
      optimizer: any optax transformation.
    """
    objective = objectives.make(loss)

    def init_params(key, like, classes):
        shape = like.inputs.shape[-1], classes.embedding.shape[-1]
        objectives.check_lengths(objective, shape[1])
        # At 0 a unit vector has no direction, and no two images differ.
        weights = jnp.zeros(shape) if objective.from_zero else mlp.dense(key, *shape)
        return {"map": weights, "terms": objective.free_weights()} if objective.weights else weights

    def weights_of(params):
        return params["map"] if objective.weights else params

    def embed(params, inputs):
        return inputs @ weights_of(params)

    def class_loss(params, batch, classes, key, notes=()):
        images, through = embed(params, batch.inputs), (batch.inputs, weights_of(params))
        given = objectives.of_batch(images, classes.embedding, batch, classes, key, notes, through)
        return objective.loss(given, **objective.term_weights(params["terms"] if objective.weights else {}))

    method = gradient.by_gradient(
        init_params=init_params,
        loss=class_loss,
        embed=embed,
        scores=lambda weights, images, described: objective.scores(images, described),
        optimizer=optimizer,
        divides=objective.divides,
        memory=objective.memory,
    )
    method = method._replace(sees=objective.sees)
    # In the span of the classes the first entries would be others, and inputs in another space.
    as_they_came = objective.axes or objective.raw or objective.prefixes or objective.score_width
    return method if as_they_came else span.in_class_span(method)
