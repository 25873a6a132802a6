"""The trade-off of generalised zero-shot learning: accuracy on unseen against seen classes as seen scores are lowered.

    yhat(gamma) = argmax_c  s_c - gamma [c seen]
                = the best seen class    while gamma < d,    d = max_{c seen} s_c - max_{c unseen} s_c
                  the best unseen class  beyond

So an example moves once, at its own `d`, and sorting the `d` of all examples gives the whole curve without a grid.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import accuracy
from zsl_jax.metrics import rows as rows_lib

__all__: Sequence[str] = ("ausuc", "calibrated_stacking", "curve_of_rows", "seen_unseen_curve")


def calibrated_stacking(scores: ArrayLike, is_seen: ArrayLike, gamma: ArrayLike) -> jax.Array:
    """Scores with the constant `gamma` subtracted from those of the seen classes.

    `s_c - gamma [c seen]`

    The constant lives on the scale of the scores. Choose it on validation classes: chosen on test images it is a leak.

    Args:
      scores: `[B, C]`.
      is_seen: `[C]` bool.
      gamma: scalar; may be traced, may be negative.

    Returns:
      `[B, C]` float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(calibrated_stacking(jnp.array([[3.0, 1.0]]), jnp.array([True, False]), 0.5))
    [[2.5 1. ]]

    Reference: Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
    Object Recognition in the Wild", ECCV 2016.
    """
    check_classes(scores, is_seen)
    scores = arguments.as_float(scores)
    return jnp.where(jnp.asarray(is_seen, bool)[None, :], scores - arguments.as_float(gamma), scores)


def seen_unseen_curve(
    scores: ArrayLike, labels: ArrayLike, is_seen: ArrayLike, where: ArrayLike | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Per-class accuracy on the unseen and on the seen classes for every calibration constant that makes a difference.

    With the breakpoint `d_i = max_{c seen} s_ic - max_{c unseen} s_ic` of an example, the constants returned lie half
    way between neighbouring breakpoints, and a little outside the first and the last. Equal breakpoints are one move.
    At a breakpoint the best seen and the best unseen score are equal and `argmax` takes the lower class index; such a
    constant is listed only where float32 has no number between two breakpoints.

    The accuracies are counted at these very constants, as float32 rounds them: `argmax` of
    `calibrated_stacking(scores, is_seen, gamma[m])` gives `unseen[m]` and `seen[m]`. The one exception is a constant so
    much larger than the scores that two different scores of seen classes become equal by the subtraction.

    Args:
      scores: `[N, C]`; `-inf` keeps a class from being predicted.
      labels: `[N]` int, of seen and unseen classes; a label not in `[0, C)` counts nowhere.
      is_seen: `[C]` bool.
      where: `[N]` bool, the examples that count.

    Returns:
      `(unseen [M], seen [M], gamma [M])`, float32, `M = N + 1`, in the order of gamma: `unseen` rises from 0 and `seen`
      falls to 0. Masked examples and equal breakpoints repeat a point, which changes no area and no maximum.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores, labels = jnp.array([[3.0, 1.0], [2.0, 1.0]]), jnp.array([0, 1])
    >>> unseen, seen, gamma = seen_unseen_curve(scores, labels, jnp.array([True, False]))
    >>> print(unseen, seen, gamma[1])
    [0. 1. 1.] [1. 1. 0.] 1.5

    Reference: Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
    Object Recognition in the Wild", ECCV 2016.
    """
    check_classes(scores, is_seen)
    labels = arguments.score_labels(scores, labels)
    scores, is_seen = arguments.as_float(scores), jnp.asarray(is_seen, bool)
    weight, labels = _weights(labels, where, is_seen)
    return sweep(winners(scores, is_seen), labels, is_seen, weight)


def curve_of_rows(
    rows: rows_lib.Rows, is_seen: ArrayLike, *, per_image: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The same curve, to the bit, from the winners that were kept of the scores.

    Args:
      rows: with the groups 0, unseen classes, and 1, seen ones.
      is_seen: `[C]` bool.
      per_image: whether an accuracy is the mean over images, and not over classes.

    Returns:
      `(unseen [N + 1], seen [N + 1], gamma [N + 1])`, see `seen_unseen_curve`.

    >>> import jax.numpy as jnp
    >>> is_seen = jnp.array([True, False])
    >>> scores, labels = jnp.array([[3.0, 1.0], [2.0, 1.0]]), jnp.array([0, 1])
    >>> unseen, seen, gamma = curve_of_rows(rows_lib.fold(scores, is_seen.astype(int), labels, num_groups=2), is_seen)
    >>> print(unseen, seen, gamma[1])
    [0. 1. 1.] [1. 1. 0.] 1.5
    """
    is_seen = jnp.asarray(is_seen, bool)
    labels = arguments.class_labels(rows.label, len(is_seen))
    return _curve_of_rows(rows._replace(id=None, label=labels, scores=None), is_seen, per_image=per_image)


@functools.partial(jax.jit, static_argnames="per_image")
def _curve_of_rows(rows: rows_lib.Rows, is_seen: jax.Array, *, per_image: bool):
    weight, labels = _weights(rows.label, None, is_seen)
    if per_image:
        of_side = jnp.where(is_seen[labels], jnp.sum(is_seen[labels]), jnp.sum(~is_seen[labels]))
        weight = (weight > 0) / jnp.maximum(of_side, 1).astype(jnp.float32)
    return sweep(winners_of_rows(rows, len(is_seen)), labels, is_seen, weight)


def winners_of_rows(rows: rows_lib.Rows, num_classes: int) -> "Winners":
    """The best seen and the best unseen class of each example, of rows with the groups 0, unseen, and 1, seen."""
    best, of = jnp.asarray(rows.best)[..., 0], jnp.asarray(rows.of)[..., 0]
    of = jnp.where(of < 0, num_classes, of)
    return Winners(best[:, 1], best[:, 0], of[:, 1], of[:, 0])


def _weights(labels: jax.Array, where: ArrayLike | None, is_seen: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns what each example adds to its side's mean over classes, and the labels with 0 for those that add none."""
    num_classes = len(is_seen)
    counts = arguments.mask_like(where, labels.shape) & (labels >= 0)
    labels = jnp.where(counts, labels, 0)
    total = jnp.zeros(num_classes, jnp.int32).at[labels].add(counts.astype(jnp.int32))
    classes_of_group = jnp.where(is_seen, jnp.sum((total > 0) & is_seen), jnp.sum((total > 0) & ~is_seen))
    return counts.astype(jnp.float32) / jnp.maximum(total * classes_of_group, 1)[labels].astype(jnp.float32), labels


def ausuc(unseen: ArrayLike, seen: ArrayLike) -> jax.Array:
    """Area under the seen-unseen curve, by trapezoids.

    `sum_m (unseen_{m+1} - unseen_m) (seen_{m+1} + seen_m) / 2`

    Args:
      unseen: `[M]` accuracy on the unseen classes, rising (or falling) throughout: a curve in the order of gamma.
      seen: `[M]` accuracy on the seen classes.

    Returns:
      A float32 scalar, in [0, 1] for fractions.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(ausuc(jnp.array([0.0, 0.5, 1.0]), jnp.array([1.0, 0.5, 0.0])))
    0.5

    Reference: Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
    Object Recognition in the Wild", ECCV 2016.
    """
    arguments.check_same_shape(1, unseen=unseen, seen=seen)
    unseen, seen = arguments.as_float(unseen), arguments.as_float(seen)
    return jnp.abs(jnp.sum(jnp.diff(unseen) * (seen[1:] + seen[:-1]) / 2))


def check_classes(scores: ArrayLike, is_seen: ArrayLike) -> None:
    """Raises unless `scores` is `[B, C]` and `is_seen` is `[C]`."""
    scores_shape, seen_shape = jnp.shape(scores), jnp.shape(is_seen)
    if len(scores_shape) != 2 or seen_shape != scores_shape[1:]:
        raise ValueError(f"scores must be [B, C] and is_seen [C], not {scores_shape} and {seen_shape}")


class Winners(NamedTuple):
    """An example's best score and class within either group, `[N]` each.

    `-inf` and C where the group is empty; both classes are -1, which is never right, where a score is NaN.
    """

    seen: jax.Array
    unseen: jax.Array
    seen_class: jax.Array
    unseen_class: jax.Array


def winners(scores: jax.Array, is_seen: jax.Array) -> Winners:
    """Returns the best seen and the best unseen class of every example; of equal scores the lower index."""

    def best(group: jax.Array) -> tuple[jax.Array, jax.Array]:
        within = jnp.where(group[None, :], scores, -jnp.inf)
        score = jnp.max(within, axis=1)
        return score, jnp.where(score > -jnp.inf, accuracy.best_class(within), scores.shape[1])

    (seen, seen_class), (unseen, unseen_class) = best(is_seen), best(~is_seen)
    is_nan = jnp.isnan(seen) | jnp.isnan(unseen)
    return Winners(seen, unseen, *(jnp.where(is_nan, -1, best) for best in (seen_class, unseen_class)))


def is_taken_as_seen(best: Winners, gamma: jax.Array) -> jax.Array:
    """Whether `argmax` of the calibrated scores is a seen class: its very comparison, rounding and ties included."""
    shifted = best.seen - gamma
    return (shifted > best.unseen) | ((shifted == best.unseen) & (best.seen_class < best.unseen_class))


@jax.jit
def sweep(
    best: Winners, labels: jax.Array, is_seen: jax.Array, weight: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`(unseen [N + 1], seen [N + 1], gamma [N + 1])`: the summed weights of the right predictions in either group.

    An example of weight 0 counts nowhere and sets no breakpoint.
    """
    gamma = _between_breakpoints(best, weight > 0)
    move = _first_move(best, gamma)
    is_seen_example = is_seen[labels]
    empty = jnp.zeros(len(gamma) + 1)
    lost = empty.at[move].add(jnp.where(is_seen_example & (best.seen_class == labels), weight, 0.0))
    won = empty.at[move].add(jnp.where(~is_seen_example & (best.unseen_class == labels), weight, 0.0))
    # Each sum starts at the end where it is empty, so that the curve meets both axes at exactly 0.
    return jnp.cumsum(won)[:-1], jax.lax.cumsum(lost, reverse=True)[1:], gamma


def _between_breakpoints(best: Winners, counts: jax.Array) -> jax.Array:
    """`[N + 1]` constants, one below, between and above the breakpoints; a repeated breakpoint repeats a constant."""
    breakpoints = best.seen - best.unseen
    counts = counts & jnp.isfinite(breakpoints)
    magnitude = jnp.max(jnp.where(counts, jnp.maximum(jnp.abs(best.seen), jnp.abs(best.unseen)), 0.0), initial=0.0)
    # Wide enough that float32 sees the ends outside every breakpoint, small enough to keep the bits of the scores.
    margin = jnp.where(magnitude > 0, magnitude, 1.0) * 2.0**-10
    first = jnp.min(jnp.where(counts, breakpoints, jnp.inf), initial=jnp.inf)
    first = jnp.where(jnp.isfinite(first), first, 0.0) - margin
    ordered = jnp.sort(jnp.where(counts, breakpoints, jnp.inf))
    following = jnp.append(ordered[1:], jnp.inf)
    middle = jnp.where(jnp.isinf(following), ordered + margin, ordered + (following - ordered) / 2)
    is_new = (ordered < following) & jnp.isfinite(ordered)
    return jax.lax.cummax(jnp.append(first, jnp.where(is_new, middle, -jnp.inf)))


def _first_move(best: Winners, gamma: jax.Array) -> jax.Array:
    """`[N]` index of the first of the rising constants at which `argmax` takes the unseen class, by bisection."""

    def halve(_, bounds):
        low, high = bounds
        middle = (low + high) // 2
        seen = (low < high) & is_taken_as_seen(best, gamma[jnp.minimum(middle, len(gamma) - 1)])
        return jnp.where(seen, middle + 1, low), jnp.where(seen, high, jnp.minimum(middle, high))

    start = jnp.zeros(best.seen.shape, jnp.int32), jnp.full(best.seen.shape, len(gamma), jnp.int32)
    return jax.lax.fori_loop(0, len(gamma).bit_length(), halve, start)[0]
