"""Which attributes are worth annotating: the few with the best guarantee, and those that tell two classes apart."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax.bounds import _exact, _problem, interval, narrowing, programs
from zsl_jax.bounds import _groups as groups_lib


class Selection(NamedTuple):
    """Attributes (columns of the matrix, in the order in which they were chosen) and the interval that they leave."""

    attributes: tuple[int, ...]
    found: interval.Interval


def greedy(matrix: ArrayLike, count: int, *, time_limit: float = float("inf")) -> Iterator[Selection]:
    """Yields selections of 1, 2, ... attributes: each adds the one that leaves the best guarantee.

    No attribute is passed over unseen: the adversary of the present selection, with its groups, bounds what each could
    add, and the guarantees are computed in the order of these bounds until none that is left can be better. A longer
    selection never guarantees less than a shorter one, but need not be the best of its size; see `exchange`.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class).
      count: the most attributes to select, in [1, A]; at most `largest(C)`.
      time_limit: seconds, after which a choice that is not made yet is given up.

    Yields:
      `Selection`s.

    Raises:
      ValueError: a value outside [0, 1], or a count that is too small or too large.

    >>> import numpy as np
    >>> matrix = np.array([[1.0, 0.9, 0.5], [0.0, 0.1, 0.5], [0.0, 0.9, 0.5]])
    >>> [(step.attributes, round(step.found.lower, 4)) for step in greedy(matrix, 3)]
    [((0,), 0.6667), ((0, 1), 0.9333), ((0, 1, 2), 0.9333)]

    Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot
    Learning with Attributes", NeurIPS 2022, for the greedy choice; its bounds are ours.
    """
    matrix, _ = _problem.checked(matrix)
    most = min(matrix.shape[1], largest(len(matrix)))
    if not 1 <= count <= most:
        raise ValueError(f"count must be in [1, {most}] for {len(matrix)} classes, not {count}")
    return _greedy(matrix, count, _clock(time_limit))


def largest(num_classes: int) -> int:
    """The most attributes whose guarantee is computed exactly for so many classes; far more than there are up to 16.

    >>> largest(50)
    11
    """
    if num_classes <= _exact.MAX_CLASSES:
        return 1 << 30
    return int(np.log2(programs.MAX_DENSE / num_classes))


def exchange(matrix: ArrayLike, attributes: Sequence[int], *, time_limit: float = float("inf")) -> Iterator[Selection]:
    """Yields better and better selections of the same size: one attribute is exchanged for another while that helps.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class).
      attributes: columns to start from; at most `largest(C)`.
      time_limit: seconds, after which the search ends where it is.

    Yields:
      `Selection`s, the start first; no single exchange improves the last.

    Raises:
      ValueError: a value outside [0, 1], or columns that are not there, not distinct or too many.

    >>> import numpy as np
    >>> matrix = np.array([[1.0, 0.9, 0.5], [0.0, 0.1, 0.5], [0.0, 0.9, 0.5]])
    >>> [step.attributes for step in exchange(matrix, (0, 2))]
    [(0, 2), (0, 1)]
    """
    matrix, _ = _problem.checked(matrix)
    attributes = tuple(int(a) for a in attributes)
    if not attributes or len(set(attributes)) < len(attributes) or not set(attributes) <= set(range(matrix.shape[1])):
        raise ValueError(f"attributes must be distinct columns in [0, {matrix.shape[1]}), not {attributes}")
    if len(attributes) > largest(len(matrix)):
        raise ValueError(f"at most {largest(len(matrix))} attributes for {len(matrix)} classes, not {len(attributes)}")
    return _exchange(matrix, attributes, _clock(time_limit))


@jax.jit
def separating(matrix: ArrayLike, first: int, second: int, where: ArrayLike | None = None) -> jax.Array:
    """What each attribute would do for a confusion: the least error between two classes once it is annotated.

    `bound[a] = (1 - max(|matrix_ca - matrix_da|, max_{b in where} |matrix_cb - matrix_db|)) / 2`

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class).
      first, second: c and d, rows of the matrix.
      where: `[A]` bool, the attributes that are annotated already; None for none.

    Returns:
      `[A]`; the attribute to annotate next is the one of the lowest.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> matrix = jnp.array([[1.0, 0.5, 0.25], [0.75, 0.0, 0.25]])
    >>> print(separating(matrix, 0, 1), separating(matrix, 0, 1, jnp.array([True, False, False])))
    [0.375 0.25  0.5  ] [0.375 0.25  0.375]
    """
    matrix = jnp.asarray(matrix, jnp.float32)
    where = jnp.zeros(matrix.shape[1:], bool) if where is None else jnp.asarray(where)
    if matrix.ndim != 2 or where.shape != matrix.shape[1:]:
        raise ValueError(f"matrix must be [C, A] and where [A], not {matrix.shape} and {where.shape}")
    gap = jnp.abs(matrix[first] - matrix[second])
    present = jnp.max(gap, initial=0.0, where=where)
    return (1 - jnp.maximum(gap, present)) / 2


def _clock(time_limit: float) -> Callable[[], bool]:
    """Says whether the time is up."""
    end = time.monotonic() + time_limit
    return lambda: time.monotonic() > end


def _greedy(matrix: np.ndarray, count: int, out_of_time: Callable[[], bool]) -> Iterator[Selection]:
    now = Selection((), interval.trivial(matrix))
    everyone = np.ones((1, len(matrix)), bool)
    for _ in range(count):
        groups = np.concatenate([everyone, now.found.adversary.groups])
        best = _best_with(matrix, now.attributes, groups, out_of_time)
        if best is None:
            return
        now = best
        yield now


def _exchange(matrix: np.ndarray, attributes: tuple[int, ...], out_of_time: Callable[[], bool]) -> Iterator[Selection]:
    now = _selection(matrix, attributes)
    yield now
    improved = len(attributes) < matrix.shape[1]
    while improved:
        improved = False
        for old in now.attributes:
            rest = tuple(a for a in now.attributes if a != old)
            enough = now.found.lower + 1e-6
            best = _best_with(matrix, rest, now.found.adversary.groups, out_of_time, above=enough, without=old)
            if best is not None:
                now, improved = best, True
                yield now
                break


def _best_with(
    matrix: np.ndarray,
    rest: tuple[int, ...],
    groups: np.ndarray,
    out_of_time: Callable[[], bool],
    *,
    above: float = 0.0,
    without: int | None = None,
) -> Selection | None:
    """The rest and the attribute that leaves the best guarantee with it.

    None where no guarantee is above a given one, or where the time is up.
    """
    groups = groups_lib.unique(np.concatenate([np.eye(len(matrix), dtype=bool), groups]))
    candidates = [a for a in range(matrix.shape[1]) if a not in rest and a != without]
    promise = {}
    for new in candidates:
        if out_of_time():
            return None
        columns = matrix[:, [*rest, new]]
        solution = programs.over_groups(columns, _problem.Allowance(), groups)
        promise[new] = 1.0 if solution is None else solution[0]
    best = None
    for new in sorted(candidates, key=lambda a: -promise[a]):
        if promise[new] <= max(above, best.found.lower if best else 0.0):
            break
        if out_of_time():
            return None
        trial = _selection(matrix, (*rest, new))
        if trial.found.lower > max(above, best.found.lower if best else 0.0):
            best = trial
    return best


def _selection(matrix: np.ndarray, attributes: tuple[int, ...]) -> Selection:
    *_, found = narrowing.narrow(matrix[:, list(attributes)], time_limit=float("inf"))
    return Selection(attributes, found)
