"""The best guarantee of any map from attributes to classes: exact where that is possible, else a narrowing interval."""

import time
from collections.abc import Iterator

from numpy.typing import ArrayLike

from zsl_jax.bounds import _exact, _gradual, _problem, interval, programs
from zsl_jax.bounds import adversary as adversary_lib
from zsl_jax.bounds import rule as rule_lib

_TINY = 1024  # entries of the dense program, below which it is faster than a search for groups


def worst_case(
    matrix: ArrayLike,
    *,
    error_rates: ArrayLike | None = None,
    time_limit: float = 60.0,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> tuple[float, rule_lib.AffineRule]:
    """The accuracy that a map from attributes to classes can guarantee, knowing nothing but the class-attribute matrix.

    `A* = max over maps g   min over P with these marginals   mean_c E_{v ~ P_c} g(c | v)`

    P_c is a distribution of attribute patterns given class c with `P_c(v_a = 1) = matrix_ca`; the attributes may depend
    on each other in any way. No method that sees the attributes alone can promise more for balanced classes; a method
    does better only where the attributes of real images are kinder than the worst case.

    Exact up to 16 classes with any number of attributes, and for `C 2^A <= 131072`. Beyond that the value is the best
    that was proved in the time given, and `narrow` tells how far from A* it can be.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class): probabilities, not normalised strengths.
      error_rates: how often detectors of the attributes are wrong, or None for perfect ones. `[C, A]`: at most so often
        for this class and attribute; `[A]`: at most so often on average over the classes. The map then sees detections.
      time_limit: seconds.
      tolerance: width of the interval at which to stop.
      seed: of the search for groups of classes; the result is certified whatever it is.

    Returns:
      accuracy: what the map guarantees, A* where that is found.
      rule: the map, for `activations` and `probabilities`.

    Raises:
      ValueError: a value outside [0, 1], or shapes that do not fit.

    >>> import numpy as np
    >>> accuracy, rule = worst_case(np.array([[0.9, 0.2], [0.4, 0.3]]))
    >>> round(accuracy, 6)
    0.75

    Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot
    Learning with Attributes", NeurIPS 2022.
    """
    *_, found = narrow(matrix, error_rates=error_rates, time_limit=time_limit, tolerance=tolerance, seed=seed)
    return found.lower, found.rule


def narrow(
    matrix: ArrayLike,
    *,
    error_rates: ArrayLike | None = None,
    time_limit: float = 60.0,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> Iterator[interval.Interval]:
    """Yields certified intervals for A*, each inside the one before.

    The first is there at once. Take them until the interval is narrow enough; if interrupted, keep the last. A round
    that has begun is finished, so that the end may be some seconds late.

    Args:
      matrix, error_rates, time_limit, tolerance, seed: as in `worst_case`.

    Yields:
      `Interval`s.

    Raises:
      ValueError: a value outside [0, 1], or shapes that do not fit.

    >>> import numpy as np
    >>> *_, found = narrow(np.array([[1.0, 0.5], [0.5, 1.0], [0.0, 0.5]]))
    >>> round(found.lower, 6), round(found.upper, 6), found.adversary.groups.shape[1]
    (0.666667, 0.666667, 3)

    Reference: as in `worst_case`. That the patterns fall away for a group of classes, the search that certifies the
    lower end and the repair that certifies the upper one are derived in docs/bounds.md.
    """
    matrix, allowance = _problem.checked(matrix, error_rates)
    return _narrow(matrix, allowance, error_rates, time_limit, tolerance, seed)


def _narrow(matrix, allowance, error_rates, time_limit, tolerance, seed) -> Iterator[interval.Interval]:
    end = time.monotonic() + time_limit
    num_classes, num_attributes = matrix.shape
    found = interval.trivial(matrix)
    yield found
    if found.width <= tolerance:
        return
    is_dense = num_attributes < 18 and num_classes * 2**num_attributes <= programs.MAX_DENSE
    if num_classes <= _exact.MAX_CLASSES and not (is_dense and num_classes * 2**num_attributes <= _TINY):
        yield from _exact.narrow(matrix, allowance, tolerance=tolerance, time_left=lambda: end - time.monotonic())
    elif is_dense:
        yield _dense(matrix, allowance, error_rates)
    else:
        yield from _gradual.narrow(
            matrix, allowance, tolerance=tolerance, time_left=lambda: end - time.monotonic(), seed=seed
        )


def _dense(matrix, allowance, error_rates) -> interval.Interval:
    solution = programs.dense(matrix, error_rates=error_rates)
    largest = _gradual.largest_over_patterns(solution.rule)
    found = interval.with_rule(interval.trivial(matrix), rule_lib.scaled(solution.rule, largest), matrix, allowance)
    adversary = adversary_lib.from_distribution(solution.patterns, solution.joint)
    return interval.with_adversary(found, adversary, adversary_lib.upper_bound(adversary, matrix, allowance))
