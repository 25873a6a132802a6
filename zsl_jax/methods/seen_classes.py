"""Methods that describe an image or a class by the seen classes, whose descriptions therefore stay in the state.

keep_seen         scores that need the seen descriptions: attribute thresholds, mixtures of seen descriptions
as_proportions    a class given by how much of each seen class is in it, [C, S], to a method that takes descriptions
seen_softmax      the classifier of the seen classes that the mixtures start from
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zsl_jax import losses
from zsl_jax.methods import base, gradient


class Proportions(NamedTuple):
    """The seen descriptions `[S, A]`, and their own proportions `[S, S]`."""

    seen: jax.Array
    own: jax.Array


def keep_seen(
    method: base.Method,
    *,
    scores: Callable[..., jax.Array],
    embed: Callable[..., Any] = lambda images, seen: images,
    describe: Callable[..., Any] = lambda attributes, seen: attributes,
    attributes: Callable[..., jax.Array] | None = None,
) -> base.Method:
    """Returns the method as it trains, with scores that need the seen descriptions.

    Args:
      method: what trains on the seen classes; what it makes of an input is the `images` below.
      scores: `(embedded, described, seen [S, A]) -> [B, C]`.
      embed: `(images, seen) -> embedded`.
      describe: `(attributes [C, A], seen) -> described`.
      attributes: `(embedded, seen) -> [B, A]`, or None for a method that predicts no attributes.
    """
    remembering = base.viewed(method, base.View(start=lambda key, like, classes: jnp.asarray(classes.embedding)))
    return remembering._replace(
        embed=lambda state, inputs: embed(remembering.embed(state, inputs), state.kept),
        describe=lambda state, classes: describe(jnp.asarray(classes.embedding), state.kept),
        scores=lambda state, embedded, described: scores(embedded, described, state.kept),
        attributes=attributes and (lambda state, embedded: attributes(embedded, state.kept)),
    )


def as_proportions(method: base.Method, proportions: Callable[..., jax.Array]) -> base.Method:
    """Returns the method on classes that are described by their proportions of the seen ones.

    Args:
      method: what trains and scores on descriptions `[C, S]`.
      proportions: `(attributes [C, A], seen [S, A]) -> [C, S]`.
    """

    def start(key, like, classes):
        del key, like
        seen = jnp.asarray(classes.embedding)
        return Proportions(seen, proportions(seen, seen))

    def in_proportions(kept, classes):
        return dataclasses.replace(classes, embedding=proportions(jnp.asarray(classes.embedding), kept.seen))

    def own_proportions(kept, classes):
        return dataclasses.replace(classes, embedding=kept.own)

    return base.viewed(method, base.View(start=start, classes=in_proportions, training_classes=own_proportions))


def linear(width: Callable, loss: Callable, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains a linear map of the inputs, logits `[B, K]` = x^T W + b, from zero.

    An embedded input is its logits, and so are its scores, whatever the classes.

    Args:
      width: `classes -> K`.
      loss: `(logits [B, K], labels [B], classes) -> [B]`.
      optimizer: any optax transformation.
    """

    def init_params(key, like, classes):
        del key
        return {"weights": jnp.zeros((like.inputs.shape[-1], width(classes))), "bias": jnp.zeros(width(classes))}

    def logits(params, inputs):
        return inputs @ params["weights"] + params["bias"][None, :]

    return gradient.by_gradient(
        init_params=init_params,
        loss=lambda params, batch, classes, key: loss(logits(params, batch.inputs), batch.labels, classes),
        embed=logits,
        scores=lambda params, images, described: images,
        optimizer=optimizer,
    )


def seen_softmax(optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the linear softmax classifier of the seen classes."""
    return linear(len, lambda logits, labels, classes: losses.softmax_cross_entropy(logits, labels), optimizer)
