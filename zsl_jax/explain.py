"""Why one class and not another: the share of each attribute in the margin between two classes.

    margin(x; i, j) = F(x, phi_i) - F(x, phi_j) = sum_k contribution_k
    contribution_k  = dF/dphi_k at (phi_i + phi_j) / 2  *  (phi_ik - phi_jk)

The gradient at the midpoint is exact where F is linear or quadratic in the description: x^T W phi (ALE, DeViSE, SJE,
softmax, ESZSL), the best of several such maps if one map is best for both classes (LATEM), and negative squared
distances in the space of attributes (CMT). For other methods the contributions would not sum to the margin: they are
refused, because then no attribute has a share of its own. So are methods whose score of a class depends on the others.

Descriptions are compared as the method compares them. A method that scales them first (`methods.normalized`) is not
linear in the raw ones: give it without that scaling, and the scaled table.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import errors
from zsl_jax.data import dataset
from zsl_jax.methods import base

# How far the contributions may be from the margin, relative to the sizes of what is added up: float32 with room.
_ROUNDING = 1e-5
_EXPLAINED = "choose ale, devise, sje, softmax, eszsl or cmt"


class Explanation(NamedTuple):
    """Two classes per input, and why the first one scores higher.

    Fields:
      first, second: `[B]` int, rows of the class table.
      margin: `[B]`, the score of the first less that of the second.
      contributions: `[B, A]`, their sum over attributes is the margin.
    """

    first: Any
    second: Any
    margin: Any
    contributions: Any


def margin(
    method: base.Method,
    state: Any,
    inputs: ArrayLike,
    classes: dataset.ClassTable,
    *,
    first: ArrayLike | None = None,
    second: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
) -> Explanation:
    """Returns the contribution of each attribute to the margin between two classes, for each input.

    Args:
      method: without scaling of classes.
      state: what its `finish` left.
      inputs: `[B, ...]`.
      classes: the candidates, `embedding [C, A]` as the method compares it.
      first: `[B]` int, the class to be explained; None for the one with the highest score.
      second: `[B]` int, the class it is held against; None for the best one but `first`.
      offsets: `[C]`, added to the scores where classes are chosen (the calibration of seen classes); the margin is
        that of the scores without them.

    Raises:
      UserError: the score is not a sum over attributes, or depends on the other classes, or there are fewer than two.

    >>> import numpy as np
    >>> from zsl_jax import data, methods
    >>> classes = data.ClassTable(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([True, False]), ("horse", "zebra"))
    >>> method, weights = methods.ale_sgd(), np.array([[0.5, 0.0], [0.0, 2.0]])  # features x attributes
    >>> why = margin(method, {"weights": weights}, np.array([[1.0, 1.0]]), classes)
    >>> [classes.names[row] for row in why.first], why.margin.tolist(), why.contributions.tolist()
    (['zebra'], [2.0], [[0.0, 2.0]])

    Reference: the gradient along a straight path sums to the difference at its ends: Sundararajan, Taly, Yan,
    "Axiomatic Attribution for Deep Networks", ICML 2017.
    """
    _check_alone(method)
    if not isinstance(classes.embedding, (jax.Array, np.ndarray)) or np.ndim(classes.embedding) != 2:
        raise errors.UserError("explain needs classes that are described by attributes, an array [C, A]")
    if len(classes) < 2:
        raise errors.UserError("explain needs at least two classes: one is held against another")
    result, sizes = _explain(state, inputs, classes, first, second, offsets, method=method)
    _check(result, sizes)
    return result


def average(explanation: Explanation) -> Explanation:
    """Returns the mean margin `[1]` and contributions `[1, A]` of many inputs, as of all those of one confusion.

    Raises:
      ValueError: the inputs are not explained for the same two classes.
    """
    for name in ("first", "second"):
        if len(np.unique(getattr(explanation, name))) != 1:
            raise ValueError(f"{name} must be the same class for all inputs that are averaged over")
    return Explanation(
        explanation.first[:1],
        explanation.second[:1],
        np.mean(explanation.margin, keepdims=True),
        np.mean(explanation.contributions, axis=0, keepdims=True),
    )


def directions(method: base.Method, state: Any, inputs: ArrayLike, classes: dataset.ClassTable) -> jax.Array:
    """Returns what each input asks of a description, `[B, A]`: the gradient of its score at a description of zeros.

    Where the score is x^T W phi this is x^T W, the image in the space of attributes; for a negative squared distance it
    is twice the attributes that are read off the image. Only the width of `classes` is looked at.

    Args:
      method: without scaling of classes; `margin` says whether its score is a sum over attributes.
      state: what its `finish` left.
      inputs: `[B, ...]`.
      classes: any table, `embedding [C, A]`.

    Raises:
      UserError: the score of a class depends on the other classes.
    """
    _check_alone(method)
    return _directions(state, inputs, method=method, width=np.shape(classes.embedding)[1])


def largest(contributions: ArrayLike, count: int) -> tuple[list[int], float]:
    """Returns the attributes with the largest contributions of either sign, and the sum of all the others.

    >>> largest([0.1, -2.0, 1.0, 0.25], 2)
    ([1, 2], 0.35)
    """
    values = np.asarray(contributions, np.float64)
    order = np.argsort(-np.abs(values), kind="stable")
    return order[:count].tolist(), float(values[order[count:]].sum())


@functools.partial(jax.jit, static_argnames="method")
def _explain(state, inputs, classes, first, second, offsets, *, method: base.Method) -> tuple[Explanation, jax.Array]:
    """Returns the explanation and, for each input, the size of what rounding errors are relative to."""
    embedding = jnp.asarray(classes.embedding, jnp.float32)
    images = method.embed(state, jax.tree.map(jnp.asarray, inputs))
    scores = method.scores(state, images, method.describe(state, classes))
    chosen = scores if offsets is None else scores + jnp.asarray(offsets, jnp.float32)[None, :]
    first = jnp.argmax(chosen, axis=1) if first is None else jnp.asarray(first)
    others = jnp.where(jnp.arange(len(classes))[None, :] == first[:, None], -jnp.inf, chosen)
    second = jnp.argmax(others, axis=1) if second is None else jnp.asarray(second)

    def contributions(image, i, j):
        slope = _slope(method, state, image, (embedding[i] + embedding[j]) / 2, classes.shared)
        return slope * (embedding[i] - embedding[j])

    found = jax.vmap(contributions)(images, first, second)
    rows = jnp.arange(len(scores))
    explanation = Explanation(first, second, scores[rows, first] - scores[rows, second], found)
    return explanation, jnp.sum(jnp.abs(found), axis=1) + jnp.max(jnp.abs(scores), axis=1)


@functools.partial(jax.jit, static_argnames=("method", "width"))
def _directions(state, inputs, *, method: base.Method, width: int):
    images = method.embed(state, jax.tree.map(jnp.asarray, inputs))
    return jax.vmap(lambda image: _slope(method, state, image, jnp.zeros(width)))(images)


def _slope(method: base.Method, state, image, description, shared=None) -> jax.Array:
    """The gradient `[A]` of the score of one embedded input for one class, in the class's description."""

    def score(description):
        alone = dataset.ClassTable(description[None], jnp.zeros(1, bool), shared=shared)
        return method.scores(state, jax.tree.map(lambda a: a[None], image), method.describe(state, alone))[0, 0]

    return jax.grad(score)(description)


def _check_alone(method: base.Method) -> None:
    """Raises for a method whose score of a class is no function of that class's description alone."""
    others = [asked for asked in ("unseen descriptions", "other candidates") if asked in method.sees]
    if others:
        raise errors.UserError(
            f"explain needs a score that depends on the class and the input alone, and this method asks for "
            f"{' and '.join(others)}: {_EXPLAINED}"
        )


def _check(found: Explanation, sizes) -> None:
    """Raises unless every margin is the sum of its contributions."""
    total = np.sum(np.asarray(found.contributions, np.float64), axis=1)
    gap = np.abs(total - np.asarray(found.margin))
    if not np.all(gap <= _ROUNDING * np.asarray(sizes)):
        worst = int(np.argmax(gap / np.maximum(sizes, np.finfo(np.float32).tiny)))
        raise errors.UserError(
            f"this method's score is not a sum over attributes (margin {float(found.margin[worst]):.4g}, contributions "
            f"{total[worst]:.4g}): {_EXPLAINED}"
        )
