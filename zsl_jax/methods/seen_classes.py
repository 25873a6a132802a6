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


class SeenState(NamedTuple):
    """The descriptions of the seen classes `[S, A]`, and the state of the method built on them."""

    seen: jax.Array
    inner: Any


class ProportionsState(NamedTuple):
    """The seen descriptions `[S, A]`, their own proportions `[S, S]`, and the state of the method built on them."""

    seen: jax.Array
    proportions: jax.Array
    inner: Any


def keep_seen(method: base.Method, scores: Callable, attributes: Callable | None = None) -> base.Method:
    """Returns the method as it trains, with other scores.

    Args:
      method: what trains on the seen classes, by steps alone: its `finish` is not called.
      scores: `(method_scores [B, S], seen [S, A], attributes [C, A]) -> [B, C]`; the first is what the method gives for
        the table of seen classes.
      attributes: `(method_scores [B, S], seen [S, A]) -> [B, A]`, or None for a method that predicts no attributes.
    """

    def update(state, batch, classes, key):
        inner, metrics = method.update(state.inner, batch, classes, key)
        return state._replace(inner=inner), metrics

    def predict(state, inputs):
        return attributes(method.scores(state.inner, inputs, state.seen), state.seen)

    def rescore(state, inputs, classes):
        return scores(method.scores(state.inner, inputs, state.seen), state.seen, jnp.asarray(classes.embedding))

    def init(key, batch, classes):
        return SeenState(jnp.asarray(classes.embedding), method.init(key, batch, classes))

    return base.Method(init=init, update=update, scores=rescore, attributes=attributes and predict)


def as_proportions(method: base.Method, proportions: Callable) -> base.Method:
    """Returns the method on classes that are described by their proportions of the seen ones.

    Args:
      method: what trains and scores on descriptions `[C, S]`, by steps alone: its `finish` is not called.
      proportions: `(attributes [C, A], seen [S, A]) -> [C, S]`.
    """

    def init(key, batch, classes):
        seen = jnp.asarray(classes.embedding)
        own = proportions(seen, seen)
        return ProportionsState(seen, own, method.init(key, batch, dataclasses.replace(classes, embedding=own)))

    def update(state, batch, classes, key):
        described = dataclasses.replace(classes, embedding=state.proportions)
        inner, metrics = method.update(state.inner, batch, described, key)
        return state._replace(inner=inner), metrics

    def scores(state, inputs, classes):
        described = dataclasses.replace(classes, embedding=proportions(jnp.asarray(classes.embedding), state.seen))
        return method.scores(state.inner, inputs, described)

    return base.Method(init=init, update=update, scores=scores)


def linear(width: Callable, loss: Callable, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains a linear map of the inputs, logits `[B, K]` = x^T W + b, from zero.

    Its scores are the logits, whatever the classes.

    Args:
      width: `classes -> K`.
      loss: `(logits [B, K], labels [B], classes) -> [B]`.
      optimizer: any optax transformation.
    """

    def init_params(key, batch, classes):
        del key
        return {"weights": jnp.zeros((batch.inputs.shape[-1], width(classes))), "bias": jnp.zeros(width(classes))}

    def logits(params, inputs, classes):
        del classes
        return inputs @ params["weights"] + params["bias"][None, :]

    return gradient.by_gradient(
        init_params=init_params,
        loss=lambda params, batch, classes, key: loss(logits(params, batch.inputs, classes), batch.labels, classes),
        scores=logits,
        optimizer=optimizer,
    )


def seen_softmax(optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the linear softmax classifier of the seen classes; its scores are their logits."""
    return linear(len, lambda logits, labels, classes: losses.softmax_cross_entropy(logits, labels), optimizer)
