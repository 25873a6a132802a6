"""DAP and IAP: the probabilities of single attributes, and the class whose attributes they make most likely.

    dap    a logistic classifier for every attribute                         p(a_k | x)
    iap    a softmax classifier of the seen classes, then their attributes   p(a_k | x) = sum_s p(s | x) a_sk

Both take attributes as there or not. Descriptions with values in between are cut at the mean of the attribute over the
seen classes, or at one mean of the whole table. Without a cut they are probabilities, P(a_k | class), or percentages;
what is predicted is a probability too, as of the attribute detectors that `zsl_jax.bounds` speaks of.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from zsl_jax import errors, losses, rules
from zsl_jax.methods import base, registry, seen_classes

CUTS = {
    "attribute": lambda attributes, seen: _above(attributes, jnp.mean(seen, axis=0)),
    "table": lambda attributes, seen: _above(attributes, jnp.broadcast_to(jnp.mean(seen), seen.shape[1:])),
    "none": lambda attributes, seen: jnp.clip(attributes * jnp.where(jnp.max(seen) > 1, 0.01, 1.0), 0, 1),
}

CUT = rules.Knob(
    "where descriptions are cut: the mean of each attribute or of the table; none for probabilities",
    rules.one_of(tuple(CUTS)),
)


@registry.method(learning_rate=registry.LEARNING_RATE, momentum=registry.MOMENTUM, cut=CUT)
def dap(*, learning_rate: float = 3.0, momentum: float = 0.9, cut: str = "attribute") -> base.Method:
    """Direct attribute prediction: one logistic classifier per attribute, trained on the attributes of the classes.

    Args:
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
      cut: where descriptions are cut: at the mean of each `attribute`, or of the whole `table`; `none` where they are
        probabilities or percentages.

    Raises:
      UserError: an unknown cut.
    """
    binary = cutter(cut)

    def scores(logits, has, seen):
        return _posterior(jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits), has, binary(seen, seen))

    return seen_classes.keep_seen(
        detectors(binary, optax.sgd(learning_rate, momentum=momentum)),
        describe=binary,
        scores=scores,
        attributes=lambda logits, seen: jax.nn.sigmoid(logits),
    )


@registry.method(
    learning_rate=registry.LEARNING_RATE,
    momentum=registry.MOMENTUM,
    smoothing=rules.Knob("share of the attribute's prior in its probability", rules.number(0, 1)),
    cut=CUT,
)
def iap(
    *, learning_rate: float = 3.0, momentum: float = 0.9, smoothing: float = 0.02, cut: str = "attribute"
) -> base.Method:
    """Indirect attribute prediction: the seen classes' probabilities, summed over those that have an attribute.

    Args:
      learning_rate: of gradient descent, > 0.
      momentum: of gradient descent, in [0, 1).
      smoothing: share of the attribute's prior in its probability, in (0, 1); keeps the logarithms finite.
      cut: where descriptions are cut: at the mean of each `attribute`, or of the whole `table`; `none` where they are
        probabilities or percentages.

    Raises:
      UserError: an unknown cut.
    """
    binary = cutter(cut)

    def predict(logits, seen):
        has = binary(seen, seen)
        return (1 - smoothing) * jax.nn.softmax(logits) @ has + smoothing * smoothed_share(has)[None, :]

    def scores(there, has, seen):
        return _posterior(jnp.log(there), jnp.log1p(-there), has, binary(seen, seen))

    return seen_classes.keep_seen(
        seen_classes.seen_softmax(optax.sgd(learning_rate, momentum=momentum)),
        embed=predict,
        describe=binary,
        scores=scores,
        attributes=lambda there, seen: there,
    )


def detectors(binary: Callable, optimizer: optax.GradientTransformation) -> base.Method:
    """Returns the method that trains a logistic classifier for every attribute; an embedded input is their logits.

    Args:
      binary: `(attributes [C, A], seen [S, A]) -> [C, A]`, what the classifiers are to predict, see `cutter`.
      optimizer: any optax transformation.
    """

    def loss(logits, labels, classes):
        seen = jnp.asarray(classes.embedding)
        # The sum over attributes, not the mean: each classifier learns at the same rate however many there are.
        return seen.shape[1] * losses.multilabel_bce(logits, binary(seen, seen)[labels])

    return seen_classes.linear(lambda classes: classes.embedding.shape[-1], loss, optimizer)


def attribute_log_posterior(
    log_there: ArrayLike, log_absent: ArrayLike, binary_attributes: ArrayLike, prior: ArrayLike
) -> jax.Array:
    """Log-probability of each class, up to a constant per image, from independent attributes.

    `scores[b, c] = sum_k a_ck log(p_bk / p_k) + (1 - a_ck) log((1 - p_bk) / (1 - p_k))`

    Args:
      log_there: `[B, A]`, log p_bk: that attribute k is there.
      log_absent: `[B, A]`, log(1 - p_bk).
      binary_attributes: `[C, A]`, 0 or 1, or probabilities, for the expectation over attributes that are drawn so.
      prior: `[A]` in (0, 1), p_k.

    Returns:
      `[B, C]` scores, float32.

    >>> import jax.numpy as jnp
    >>> there = jnp.array([[0.5, 0.75]])
    >>> has, prior = jnp.array([[1, 1], [0, 0]]), jnp.full(2, 0.5)
    >>> print(attribute_log_posterior(jnp.log(there), jnp.log(1 - there), has, prior))
    [[ 0.405... -0.693...]]
    """
    has, prior = jnp.asarray(binary_attributes, jnp.float32), jnp.asarray(prior, jnp.float32)
    there, absent = log_there - jnp.log(prior)[None, :], log_absent - jnp.log1p(-prior)[None, :]
    return there @ has.T + absent @ (1 - has).T


def _posterior(log_there, log_absent, has, has_seen) -> jax.Array:
    """The scores, in which an attribute that all seen classes have in common, or none has, does not count.

    Nothing can be learned of it. Its classifier grows ever surer that it is as it was in training, and every unseen
    class that differs there loses by as much as training was long: a gap that no constant gamma carries from validation
    classes to the test.
    """
    prior = smoothed_share(has_seen)
    varies = jnp.any(has_seen != has_seen[:1], axis=0)
    log_there = jnp.where(varies, log_there, jnp.log(prior)[None, :])
    log_absent = jnp.where(varies, log_absent, jnp.log1p(-prior)[None, :])
    return attribute_log_posterior(log_there, log_absent, has, prior)


def cutter(cut: str) -> Callable:
    """Returns `(attributes [C, A], seen [S, A]) -> [C, A]` of 0 and 1, or without a cut of probabilities."""
    if cut not in CUTS:
        raise errors.unknown("cut", cut, CUTS)
    return CUTS[cut]


def _above(attributes, threshold) -> jax.Array:
    return (attributes > threshold[None, :]).astype(jnp.float32)


def smoothed_share(binary_seen: jax.Array) -> jax.Array:
    """The share of the seen classes that have an attribute, as if half a class more had it and half a class had not."""
    return (jnp.sum(binary_seen, axis=0) + 0.5) / (len(binary_seen) + 1)
