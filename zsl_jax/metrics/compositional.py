"""Compositional zero-shot learning: a class is a pair (attribute, object), and some pairs were never seen together.

    yhat(b) = argmax_p  s_p + b [p unseen]                over the candidate pairs

    closed world   candidates: the pairs of training and of the phase that is scored
    open world     candidates: all pairs, or the feasible ones (`pair_feasibility`)

A bias `b` given to the unseen pairs is the same as `gamma = b` subtracted from the seen ones (`calibrated_stacking`).
Accuracies here are per image, as the field reports them, not per class.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import accuracy, curve
from zsl_jax.metrics import rows as rows_lib

__all__: Sequence[str] = (
    "CurveSummary",
    "binned_compositional_curve",
    "binned_curve_of_rows",
    "compositional_curve",
    "curve_summary",
    "pair_feasibility",
)


class CurveSummary(NamedTuple):
    """What is reported of a seen-unseen curve; fractions."""

    auc: jax.Array
    harmonic: jax.Array
    seen: jax.Array
    unseen: jax.Array


def compositional_curve(
    scores: ArrayLike,
    labels: ArrayLike,
    is_seen: ArrayLike,
    *,
    candidates: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Per-image accuracy on unseen and on seen pairs for every bias that makes a difference.

    `yhat_i(b) = argmax_p s_ip + b [p unseen]`

    The exact form of the sweep: all breakpoints, no bins; see `seen_unseen_curve` for how they are found.

    Args:
      scores: `[N, P]`, one column per pair.
      labels: `[N]` int, the pair of each image; a label not in `[0, P)` counts nowhere.
      is_seen: `[P]` bool, the pairs with training images.
      candidates: `[P]` bool, the pairs that may be predicted (the world); None for all. An image whose own pair is not
        among them counts as wrong.
      where: `[N]` bool, the images that count.

    Returns:
      `(unseen [M], seen [M], bias [M])`, float32, `M = N + 1`, in the order of the bias.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[3.0, 1.0], [2.0, 1.0]])
    >>> unseen, seen, bias = compositional_curve(scores, jnp.array([0, 1]), jnp.array([True, False]))
    >>> print(unseen, seen, bias[1])
    [0. 1. 1.] [1. 1. 0.] 1.5

    Reference: Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
    Object Recognition in the Wild", ECCV 2016, for the curve; Purushwalkam et al., 2019, for its use on pairs.
    """
    scores, labels, is_seen, weight = _images(scores, labels, is_seen, candidates, where)
    return curve.sweep(curve.winners(scores, is_seen), labels, is_seen, weight)


def binned_compositional_curve(
    scores: ArrayLike,
    labels: ArrayLike,
    is_seen: ArrayLike,
    *,
    candidates: ArrayLike | None = None,
    num_bins: int = 20,
    where: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The curve at the few biases of the reference evaluators, which published figures come from.

    `bias list = every max(n // num_bins, 1)-th of the n sorted values  max_{p seen} s_ip - s_iy - 1e-4`

    over the images of unseen pairs that are right when only unseen pairs compete; then one point where they do. With no
    such image the list is empty, all points are the last one and the area is 0. The reference adds a bias of 1000 for
    the last point; here it is infinite, which does not round the scores.

    Args:
      scores: `[N, P]`, one column per pair.
      labels: `[N]` int, the pair of each image; a label not in `[0, P)` counts nowhere.
      is_seen: `[P]` bool, the pairs with training images.
      candidates: `[P]` bool, the pairs that may be predicted (the world); None for all.
      num_bins: static.
      where: `[N]` bool, the images that count.

    Returns:
      `(unseen [M], seen [M], bias [M])`, float32, `M = 2 num_bins`, in the order of the bias, which ends with infinity;
      where the list is shorter its last points repeat.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[3.0, 1.0], [2.0, 1.0]])
    >>> unseen, seen, bias = binned_compositional_curve(scores, jnp.array([0, 1]), jnp.array([True, False]), num_bins=1)
    >>> print(unseen, seen, bias)
    [0. 1.] [1. 0.] [0.9999 inf]

    Reference: Purushwalkam et al., 2019; Nayak, Yu, Bach, "Learning to Compose Soft Prompts for Compositional Zero-Shot
    Learning", ICLR 2023, whose evaluator takes these bins.
    """
    scores, labels, is_seen, weight = _images(scores, labels, is_seen, candidates, where)
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return _binned(curve.winners(scores, is_seen), own, labels, is_seen, weight, num_bins)


def binned_curve_of_rows(
    rows: rows_lib.Rows, is_seen: ArrayLike, *, num_bins: int = 20
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same curve, to the bit, from the winners that were kept of the scores.

    Args:
      rows: with the groups 0, unseen pairs, and 1, seen ones.
      is_seen: `[P]` bool.
      num_bins: static.

    Returns:
      `(unseen [M], seen [M], bias [M])`, see `binned_compositional_curve`.

    >>> import jax.numpy as jnp
    >>> is_seen = jnp.array([True, False])
    >>> scores, labels = jnp.array([[3.0, 1.0], [2.0, 1.0]]), jnp.array([0, 1])
    >>> rows = rows_lib.fold(scores, is_seen.astype(int), labels, num_groups=2)
    >>> print(*binned_curve_of_rows(rows, is_seen, num_bins=1)[:2])
    [0. 1.] [1. 0.]
    """
    is_seen = jnp.asarray(is_seen, bool)
    labels = jnp.asarray(rows.label)
    best = curve.winners_of_rows(rows, len(is_seen))
    return _binned(best, rows.own, labels, is_seen, _weights(labels, is_seen, labels >= 0), num_bins)


def _binned(best, own, labels, is_seen, weight, num_bins: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    listed = (weight > 0) & ~is_seen[labels] & (best.unseen_class == labels) & jnp.isfinite(best.seen - own)
    ordered = jnp.sort(jnp.append(jnp.where(listed, best.seen - own - 1e-4, jnp.inf), jnp.inf))
    count = jnp.sum(listed)
    index = jnp.arange(2 * num_bins - 1) * jnp.maximum(count // num_bins, 1)
    inside = jnp.where(index < count, ordered[jnp.minimum(index, len(ordered) - 1)], -jnp.inf)
    # Past its end the list repeats its largest value; an empty one has only the last point.
    bias = jnp.append(jnp.where(count > 0, jax.lax.cummax(inside), jnp.inf), jnp.inf)

    def point(b: jax.Array) -> tuple[jax.Array, jax.Array]:
        prediction = jnp.where(curve.is_taken_as_seen(best, b), best.seen_class, best.unseen_class)
        right = jnp.where(prediction == labels, weight, 0.0)
        return jnp.sum(jnp.where(is_seen[labels], 0.0, right)), jnp.sum(jnp.where(is_seen[labels], right, 0.0))

    unseen, seen = jax.lax.map(point, bias)
    return unseen, seen, bias


def curve_summary(unseen: ArrayLike, seen: ArrayLike) -> CurveSummary:
    """Area under a seen-unseen curve, and the best harmonic mean, seen and unseen accuracy along it.

    The three maxima are taken at three different biases.

    Args:
      unseen: `[M]` accuracy on unseen classes or pairs, in the order of the bias.
      seen: `[M]` accuracy on seen ones.

    Returns:
      `CurveSummary(auc, harmonic, seen, unseen)` of float32 scalars.

    Raises:
      ValueError: shapes that do not fit, or a curve of no point.

    >>> import jax.numpy as jnp
    >>> auc, harmonic, seen, unseen = curve_summary(jnp.array([0.0, 0.5, 1.0]), jnp.array([0.75, 0.5, 0.0]))
    >>> print(auc, harmonic, seen, unseen)
    0.4375 0.5 0.75 1.0
    """
    area = curve.ausuc(unseen, seen)
    if not jnp.size(unseen):
        raise ValueError("a curve has one point at least, and unseen has none")
    unseen, seen = arguments.as_float(unseen), arguments.as_float(seen)
    return CurveSummary(area, jnp.max(accuracy.harmonic_mean(unseen, seen)), jnp.max(seen), jnp.max(unseen))


def pair_feasibility(
    attribute_similarities: ArrayLike, object_similarities: ArrayLike, is_seen: ArrayLike
) -> jax.Array:
    """How plausible each unseen pair is, from the seen pairs that share its object or its attribute.

    `f(a, o) = (max_{a' != a, (a', o) seen} sim(a, a') + max_{o' != o, (a, o') seen} sim(o, o')) / 2`

    with -1 for a maximum over nothing. Keep the pairs above a threshold that is chosen on validation pairs.

    Args:
      attribute_similarities: `[A, A]` cosines of the attributes' word vectors.
      object_similarities: `[O, O]` cosines of the objects' word vectors.
      is_seen: `[A, O]` bool, the pairs with training images.

    Returns:
      `[A, O]` float32 in [-1, 1]; 1 for the seen pairs, which are always feasible.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> attributes = jnp.array([[1.0, 0.5], [0.5, 1.0]])                                    # wet, damp
    >>> objects = jnp.array([[1.0, 0.75, 0.0], [0.75, 1.0, 0.0], [0.0, 0.0, 1.0]])          # dog, cat, book
    >>> seen = jnp.array([[True, True, False], [True, False, False]])
    >>> print(pair_feasibility(attributes, objects, seen))
    [[ 1.     1.    -0.5 ]
     [ 1.     0.625 -0.5 ]]

    Reference: Nayak, Yu, Bach, "Learning to Compose Soft Prompts for Compositional Zero-Shot Learning", ICLR 2023, for
    the mean of the two similarities as its code takes it.
    """
    attributes, objects = arguments.as_float(attribute_similarities), arguments.as_float(object_similarities)
    seen = jnp.asarray(is_seen, bool)
    expected = (len(attributes), len(attributes)), (len(objects), len(objects))
    if (attributes.shape, objects.shape) != expected or seen.shape != (len(attributes), len(objects)):
        raise ValueError(
            "attribute_similarities must be [A, A], object_similarities [O, O] and is_seen [A, O], "
            f"not {attributes.shape}, {objects.shape} and {seen.shape}"
        )
    from_objects = _nearest_other(objects, seen)
    from_attributes = _nearest_other(attributes, seen.T).T
    return jnp.where(seen, 1.0, (from_attributes + from_objects) / 2)


def _images(
    scores: ArrayLike, labels: ArrayLike, is_seen: ArrayLike, candidates: ArrayLike | None, where: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Scores (`-inf` outside the world), labels, `is_seen`, and each image's weight 1 / (images of the same group)."""
    curve.check_classes(scores, is_seen)
    labels = arguments.score_labels(scores, labels)
    scores, is_seen = arguments.as_float(scores), jnp.asarray(is_seen, bool)
    counts = arguments.mask_like(where, labels.shape) & (labels >= 0)
    labels = jnp.where(counts, labels, 0)
    world = arguments.mask_like(candidates, is_seen.shape)
    scores = jnp.where(world[None, :], scores, -jnp.inf)
    return scores, labels, is_seen, _weights(labels, is_seen, counts)


def _weights(labels: jax.Array, is_seen: jax.Array, counts: jax.Array) -> jax.Array:
    """Each image's 1 / (images of the same side that count)."""
    of_seen = is_seen[labels]
    images = jnp.where(of_seen, jnp.sum(counts & of_seen), jnp.sum(counts & ~of_seen))
    return counts.astype(jnp.float32) / jnp.maximum(images, 1).astype(jnp.float32)


def _nearest_other(similarities: jax.Array, is_seen: jax.Array) -> jax.Array:
    """`[R, O]`: for row r and column o the largest similarity of o to another column that is seen in row r, or -1."""
    others = jnp.where(jnp.eye(len(similarities), dtype=bool), -1.0, similarities)
    # A row at a time: all rows at once would be R x O x O.
    return jax.lax.map(lambda seen: jnp.max(jnp.where(seen[None, :], others, -1.0), axis=1), is_seen)
