"""The best guarantee exactly, for few classes and any number of attributes: groups are added until none is violated."""

from collections.abc import Callable, Iterator

import numpy as np

from zsl_jax.bounds import _groups as groups_lib
from zsl_jax.bounds import _problem, interval, programs
from zsl_jax.bounds import adversary as adversary_lib
from zsl_jax.bounds import rule as rule_lib

MAX_CLASSES = 16  # 2^16 groups are looked at in a fraction of the time of one linear program
_MOST_ADDED = 200


def narrow(
    matrix: np.ndarray,
    allowance: _problem.Allowance,
    *,
    tolerance: float,
    time_left: Callable[[], float],
    known: np.ndarray | None = None,
) -> Iterator[interval.Interval]:
    """Yields intervals that close in; the last is no wider than the tolerance, if there is time.

    Args:
      matrix: `[C, A]`, C <= 16.
      allowance: of the detectors.
      tolerance: width at which to stop.
      time_left: seconds.
      known: `[S, C]` groups to start from, besides single classes and pairs.
    """
    num_classes = len(matrix)
    every = groups_lib.all_of(num_classes)
    few = [groups_lib.of_size(num_classes, size) for size in (1, 2)]
    used = groups_lib.unique(np.concatenate(few if known is None else [few[0], known]))
    found = interval.trivial(matrix)
    while found.width > tolerance:
        solution = programs.over_groups(matrix, allowance, used, time_limit=time_left())
        if solution is None:
            return
        _, rule, adversary = solution
        totals = groups_lib.totals(every, rule)
        largest = max(float(totals.max()), 1e-12)
        found = interval.with_rule(found, rule_lib.scaled(rule, largest), matrix, allowance)
        upper = adversary_lib.upper_bound(adversary, matrix, allowance)
        found = interval.with_adversary(found, adversary, upper)
        yield found
        worst = np.argsort(-totals)[:_MOST_ADDED]
        violated = every[worst[totals[worst] > 1 + 1e-9]]
        if not len(violated):
            return
        used = groups_lib.unique(np.concatenate([used, violated]))
