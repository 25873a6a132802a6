"""Softmax cross-entropy over classes, as it is or with a margin subtracted from the score of the true class.

    loss = -log( exp(scale * f(s_y)) / (exp(scale * f(s_y)) + sum_{c != y} exp(scale * s_c)) )

    softmax_cross_entropy   f(s) = s
    cosface                 f(s) = s - margin
    arcface                 f(s) = cos(arccos(s) + margin)

The margin forms take cosines: `similarity.cosine(image_embeddings, class_embeddings)`, whose class embeddings may be
learned, or made from class descriptions.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _class_scores

__all__: Sequence[str] = ("arcface", "cosface", "softmax_cross_entropy")


def softmax_cross_entropy(
    scores: ArrayLike, labels: ArrayLike, *, scale: ArrayLike = 1.0, where: ArrayLike | None = None
) -> jax.Array:
    """Negative log-probability of the class of each example under a softmax over the candidate classes.

    `loss = log sum_c exp(scale * s_c) - scale * s_y`

    Use when: class scores should be probabilities; the baseline that ranking losses must beat.

    Args:
      scores: `[B, C]` similarity of each example to each class.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(softmax_cross_entropy(jnp.zeros((1, 4)), jnp.array([2])))
    [1.3862944]
    """
    return _cross_entropy(*_class_scores.candidates(scores, labels, where), scale)


def cosface(
    cosines: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 0.35,
    scale: ArrayLike = 64.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Softmax cross-entropy in which the cosine of the true class has to win by a margin.

    `loss = log(exp(scale * (s_y - margin)) + sum_{c != y} exp(scale * s_c)) - scale * (s_y - margin)`

    Use when: embeddings are compared by cosine and classes must stay apart for ones not seen in training.

    Args:
      cosines: `[B, C]` in [-1, 1], of each image embedding with each class embedding.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(cosface(jnp.array([[0.75, 0.25]]), jnp.array([0]), margin=0.5, scale=10.0))
    [0.6931472]

    Reference: Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu, "CosFace: Large Margin Cosine Loss for Deep Face Recognition",
    CVPR 2018.
    """
    cosines, is_label, is_candidate = _class_scores.candidates(cosines, labels, where)
    return _cross_entropy(
        cosines - jnp.where(is_label, arguments.as_scalar(margin=margin), 0.0), is_label, is_candidate, scale
    )


def arcface(
    cosines: ArrayLike,
    labels: ArrayLike,
    *,
    margin: ArrayLike = 0.5,
    scale: ArrayLike = 64.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """Softmax cross-entropy in which the angle to the true class has to be smaller by a margin.

    With `f(s_y) = cos(arccos(s_y) + margin)`::

        loss = log(exp(scale * f(s_y)) + sum_{c != y} exp(scale * s_c)) - scale * f(s_y)

    Where angle and margin together pass pi, the cosine would rise again; there `f(s) = s - margin * sin(margin)`. The
    slope of f at `s_y = 1` and -1 is infinite; cosines closer to them than about 1e-7 get its finite part.

    Use when: as `cosface`; the margin is the same angle everywhere on the sphere.

    Args:
      cosines: `[B, C]` in [-1, 1], of each image embedding with each class embedding.
      labels: `[B]` int, the class of each example; an example whose label is not in `[0, C)` gives 0.
      margin: scalar >= 0, in radians.
      scale: scalar > 0, the inverse temperature.
      where: bool, broadcastable to `[B, C]`: the candidate classes. An example whose own class is
        not a candidate gives 0.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(arcface(jnp.array([[1.0, 0.5]]), jnp.array([0]), margin=jnp.pi / 3, scale=1.0))
    [0.6931472]

    Reference: Deng, Guo, Xue, Zafeiriou, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.
    """
    cosines, is_label, is_candidate = _class_scores.candidates(cosines, labels, where)
    margin = arguments.as_scalar(margin=margin)
    own = jnp.where(is_label, cosines, 0.0)
    squared_sine = 1.0 - own * own
    is_safe = squared_sine > 1e-7
    sine = jnp.where(is_safe, jnp.sqrt(jnp.where(is_safe, squared_sine, 1.0)), 0.0)
    turned = own * jnp.cos(margin) - sine * jnp.sin(margin)
    turned = jnp.where(own > -jnp.cos(margin), turned, own - margin * jnp.sin(margin))
    return _cross_entropy(jnp.where(is_label, turned, cosines), is_label, is_candidate, scale)


def _cross_entropy(scores: jax.Array, is_label: jax.Array, is_candidate: jax.Array, scale: ArrayLike) -> jax.Array:
    """Cross-entropy of the `[B, C]` scores; 0 for a row without a class."""
    logits = arguments.as_scalar(scale=scale) * scores
    is_other = is_candidate & ~is_label
    is_contested = jnp.any(is_label, axis=1) & jnp.any(is_other, axis=1)
    # The own class is kept out of the sum: a small loss is then not the difference of two large numbers. A row without
    # another class sums over everything, so that nothing in it is infinite, and is dropped below.
    rivals = jnp.where(is_other | ~is_contested[:, None], logits, -jnp.inf)
    own = jnp.sum(jnp.where(is_label, logits, 0.0), axis=1)
    return jnp.where(is_contested, jax.nn.softplus(jax.nn.logsumexp(rivals, axis=1) - own), 0.0)
