"""What is kept of the scores `[N, C]` of many inputs: per input the winners of each group of classes, and little else.

    scores [N, c]  --fold, a chunk of candidate classes at a time-->  Rows  --join-->  Rows of all candidates

The exact seen-unseen curve, calibrated predictions, top-k, hits and fitted temperatures follow from it, so that 10^5
candidates need the memory of one chunk. Of equal scores the lower class wins, within a chunk and between chunks.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.metrics import accuracy

__all__: Sequence[str] = ("Rows", "fold", "join", "log_probabilities", "predicted_class")


class Rows(NamedTuple):
    """What is kept of the scores of N inputs for classes in G groups.

    Fields:
      id: `[N]` int, which inputs these are, or None.
      label: `[N]` int, the right class, or None.
      own: `[N]` the score of the right class; `-inf` where it is no candidate.
      best: `[N, G, k]` the highest scores within each group, falling; `-inf` where a group has fewer classes.
      of: `[N, G, k]` int, the classes that have them; -1 where a group has fewer.
      lse: `[N, G, T]` log-sum-exp over each group of the scores divided by each temperature.
      finite: `[N]` bool, whether all scores are finite.
      scores: `[N, C]`, or None where they are not kept.
    """

    id: Any
    label: Any
    own: Any
    best: Any
    of: Any
    lse: Any
    finite: Any
    scores: Any = None


def fold(
    scores: ArrayLike,
    groups: ArrayLike,
    labels: ArrayLike,
    *,
    num_groups: int,
    first: ArrayLike = 0,
    top: int = 1,
    temperatures: ArrayLike | tuple[()] = (),
    keep: bool = False,
) -> Rows:
    """Returns what is kept of the scores for a chunk of classes.

    Args:
      scores: `[N, c]`.
      groups: `[c]` int in `[0, num_groups)`, the group of each class; -1 for a class that is no candidate.
      labels: `[N]` int, classes; one that is not in the chunk has no own score here.
      num_groups: G, static.
      first: the class of the first column.
      top: k >= 1, static; at most c.
      temperatures: `[T]`, > 0.
      keep: whether the scores are kept.

    Returns:
      The `Rows`, without `id`.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> rows = fold(jnp.array([[3.0, 1.0, 3.0]]), jnp.array([0, 1, 0]), jnp.array([1]), num_groups=2)
    >>> print(rows.best[0, :, 0], rows.of[0, :, 0], rows.own)
    [3. 1.] [0 1] [1.]
    """
    scores, groups, labels = arguments.as_float(scores), jnp.asarray(groups), arguments.class_labels(labels)
    if scores.ndim != 2 or groups.shape != scores.shape[1:] or labels.shape != scores.shape[:1]:
        raise ValueError(
            f"scores must be [N, c], groups [c] and labels [N], not {scores.shape}, {groups.shape}, {labels.shape}"
        )
    classes = jnp.arange(scores.shape[1], dtype=jnp.int32) + jnp.asarray(first, jnp.int32)
    temperatures = jnp.asarray(temperatures, jnp.float32)
    found = [_of_group(scores, groups == group, classes, top) for group in range(num_groups)]
    best, of = (jnp.stack(parts, axis=1) for parts in zip(*found))
    is_candidate = groups >= 0
    place = labels - classes[0]
    is_own = (place >= 0) & (place < len(classes)) & (labels >= 0)
    place = jnp.clip(place, 0, len(classes) - 1)
    return Rows(
        id=None,
        label=labels,
        own=jnp.where(
            is_own & is_candidate[place], jnp.take_along_axis(scores, place[:, None], axis=1)[:, 0], -jnp.inf
        ),
        best=best,
        of=of,
        lse=_log_sums(scores, groups, best[..., 0], temperatures),
        finite=jnp.all(jnp.isfinite(scores) | ~is_candidate[None, :], axis=1),
        scores=scores if keep else None,
    )


def join(a: Rows, b: Rows) -> Rows:
    """Returns the rows of the candidates of both; those of `a` come before those of `b`.

    >>> import jax.numpy as jnp
    >>> first = fold(jnp.array([[2.0]]), jnp.array([0]), jnp.array([1]), num_groups=1)
    >>> second = fold(jnp.array([[2.0]]), jnp.array([0]), jnp.array([1]), num_groups=1, first=1)
    >>> print(join(first, second).of[0, 0], join(first, second).own)
    [0] [2.]
    """
    top = max(a.best.shape[-1], b.best.shape[-1])
    best, of = jnp.concatenate([a.best, b.best], axis=-1), jnp.concatenate([a.of, b.of], axis=-1)
    if top == 1:
        takes_second = (best[..., 1:] > best[..., :1]) | jnp.isnan(best[..., 1:])
        best = jnp.where(takes_second, best[..., 1:], best[..., :1])
        of = jnp.where(takes_second, of[..., 1:], of[..., :1])
    else:
        best, places = jax.lax.top_k(best, top)
        of = jnp.take_along_axis(of, places, axis=-1)
    return Rows(
        id=a.id,
        label=a.label,
        own=jnp.maximum(a.own, b.own),
        best=best,
        of=of,
        lse=jnp.logaddexp(a.lse, b.lse),
        finite=a.finite & b.finite,
        scores=None if a.scores is None else jnp.concatenate([a.scores, b.scores], axis=1),
    )


def predicted_class(rows: Rows, offsets: ArrayLike | None = None) -> jax.Array:
    """Returns `[N]` the class with the highest score over all groups, the lower of equal ones; -1 where none has one.

    Args:
      rows: of all candidates.
      offsets: `[G]`, added to the scores of each group before they are compared; None for none.

    >>> import jax.numpy as jnp
    >>> rows = fold(jnp.array([[3.0, 2.5]]), jnp.array([1, 0]), jnp.array([0]), num_groups=2)
    >>> print(predicted_class(rows), predicted_class(rows, jnp.array([0.0, -1.0])))
    [0] [1]
    """
    return _predicted(rows.best, rows.of, None if offsets is None else jnp.asarray(offsets))


@jax.jit
def _predicted(best: jax.Array, of: jax.Array, offsets: jax.Array | None) -> jax.Array:
    best, of = best[..., 0], of[..., 0]
    if offsets is not None:
        best = best + offsets.astype(best.dtype)[None, :]
    is_best = (best == jnp.max(best, axis=-1, keepdims=True)) & (of >= 0)
    lowest = jnp.min(jnp.where(is_best, of, jnp.iinfo(of.dtype).max), axis=-1)
    return jnp.where(jnp.any(is_best, axis=-1), lowest, -1)


def log_probabilities(
    rows: Rows, temperatures: ArrayLike, offsets: ArrayLike | None = None, of_own: ArrayLike = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Returns `[N, T]` the log-probabilities of the right and of the predicted class: softmax of scores / temperature.

    Args:
      rows: of all candidates, with `lse` at the temperatures.
      temperatures: `[T]`, > 0.
      offsets: `[G]`, added to the scores of each group; None for none.
      of_own: `[N]`, that of the right class's group.

    >>> import jax.numpy as jnp
    >>> scores, cold = jnp.log(jnp.array([[3.0, 1.0]])), jnp.array([1.0])
    >>> rows = fold(scores, jnp.array([0, 0]), jnp.array([1]), num_groups=1, temperatures=cold)
    >>> print([f"{float(jnp.exp(x)[0, 0]):.2f}" for x in log_probabilities(rows, cold)])
    ['0.25', '0.75']
    """
    temperatures, best = jnp.asarray(temperatures, jnp.float32), jnp.asarray(rows.best)[..., 0]
    offsets = jnp.zeros(best.shape[1]) if offsets is None else jnp.asarray(offsets, best.dtype)
    shifted = [rows.lse[:, g] + (offsets[g] / temperatures)[None, :] for g in range(best.shape[1])]
    total = functools.reduce(jnp.logaddexp, shifted)
    own, top = rows.own + of_own, jnp.max(best + offsets[None, :], axis=1)
    return own[:, None] / temperatures[None, :] - total, top[:, None] / temperatures[None, :] - total


def _of_group(scores, is_member, classes, top: int):
    """Returns `best [N, k]` and `of [N, k]` of one group of a chunk."""
    within = jnp.where(is_member[None, :], scores, -jnp.inf)
    if top == 1:
        best = jnp.max(within, axis=1, keepdims=True)
        of = classes[accuracy.best_class(within)][:, None]
    else:
        best, places = jax.lax.top_k(within, min(top, within.shape[1]))
        best = jnp.pad(best, ((0, 0), (0, top - best.shape[1])), constant_values=-jnp.inf)
        of = jnp.pad(classes[places], ((0, 0), (0, top - places.shape[1])), constant_values=-1)
    return best, jnp.where(best > -jnp.inf, of, -1)


def _log_sums(scores, groups, largest, temperatures):
    """Returns `[N, G, T]` log-sum-exp of the scores of each group over each temperature; `largest [N, G]` of a group.

    An exponential per score and temperature, and one product that adds them up by group: nothing of [N, T, c] is made.
    """
    num_groups = largest.shape[1]
    if not temperatures.size:
        return jnp.zeros((*largest.shape, 0))
    is_member = jax.nn.one_hot(groups, num_groups, dtype=jnp.float32)
    subtracted = jnp.where(jnp.isfinite(largest), largest, 0)
    below = jnp.where((groups >= 0)[None, :], scores - subtracted[:, groups], -jnp.inf)

    def at(temperature):
        sums = jnp.matmul(jnp.exp(below / temperature), is_member, precision="highest")
        return jnp.log(sums) + subtracted / temperature

    return jnp.moveaxis(jax.lax.map(at, temperatures), 0, -1)
