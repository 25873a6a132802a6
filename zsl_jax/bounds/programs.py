"""The linear programs of the bound, solved by HiGHS: over attribute patterns (dense), and over groups of classes.

Dense, the primal: a joint distribution `P [2^A, C]` of pattern and class, and its cover `delta_v >= P_vc`:

    minimise sum_v delta_v     sum_v P_vc = 1,   sum_v v_a P_vc = matrix_ca

Groups, the dual: offsets and slopes of a map, restricted by the groups S that are listed:

    maximise sum_c offset_c + matrix_c . slope_c     sum_{c in S} offset_c + sum_a max(sum_{c in S} slope_ca, 0) <= 1

Both optima are C A* when all patterns or all groups are there; with some of the groups the second is an upper bound.
With imperfect detectors the marginals may leave the matrix as far as the allowance says, at a price in the dual.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zsl_jax.bounds import _problem
from zsl_jax.bounds import adversary as adversary_lib
from zsl_jax.bounds import rule as rule_lib

MAX_DENSE = 1 << 17  # entries of P


class DenseSolution(NamedTuple):
    """The optimum over all patterns.

    Args:
      accuracy: A*.
      rule: an optimal map.
      patterns: `[2^A, A]` of 0 and 1.
      probabilities: `[2^A, C]`, an optimal randomised map read from the dual variables of the cover; rows add to 1.
      joint: `[2^A, C]`, a worst distribution, P(pattern | class); columns add to 1.
    """

    accuracy: float
    rule: rule_lib.AffineRule
    patterns: np.ndarray
    probabilities: np.ndarray
    joint: np.ndarray


def dense(matrix: ArrayLike, *, error_rates: ArrayLike | None = None) -> DenseSolution:
    """The best guarantee by the linear program over all 2^A attribute patterns.

    Args:
      matrix: `[C, A]` in [0, 1], P(attribute present | class); `C 2^A <= 131072`.
      error_rates: as in `worst_case`.

    Returns:
      A `DenseSolution`.

    Raises:
      ValueError: a value outside [0, 1], shapes that do not fit, or too many attributes for this form.

    >>> import numpy as np
    >>> found = dense(np.array([[0.9, 0.2], [0.4, 0.3]]))
    >>> round(found.accuracy, 6), found.probabilities.sum(axis=1).round(6).tolist()
    (0.75, [1.0, 1.0, 1.0, 1.0])

    Reference: Mazzetto, Menghini, Yuan, Upfal, Bach, "Tight Lower Bounds on Worst-Case Guarantees for Zero-Shot
    Learning with Attributes", NeurIPS 2022.
    """
    from scipy import optimize, sparse

    matrix, allowance = _problem.checked(matrix, error_rates)
    num_classes, num_attributes = matrix.shape
    size = num_classes * 2**num_attributes
    if size > MAX_DENSE:
        raise ValueError(
            f"{num_classes} classes and {num_attributes} attributes make {num_classes} x 2^{num_attributes} variables, "
            f"too many for the dense form (at most {MAX_DENSE}); bounds.worst_case needs no patterns"
        )
    patterns = ((np.arange(2**num_attributes)[:, None] >> np.arange(num_attributes)) & 1).astype(np.float64)
    count = len(patterns)
    classes, ones = sparse.eye(num_classes), np.ones((1, count))
    masses = sparse.kron(classes, ones)  # P is laid out class by class
    marginals = sparse.kron(classes, patterns.T)
    deviations = _deviations(allowance, matrix.shape)
    equal = sparse.block_array(
        [[masses, sparse.csr_array((num_classes, count)), None], [marginals, None, -deviations.effect]]
    )
    cover = [sparse.eye(size), -sparse.kron(np.ones((num_classes, 1)), sparse.eye(count)), None]
    found = optimize.linprog(
        np.concatenate([np.zeros(size), np.ones(count), np.zeros(deviations.effect.shape[1])]),
        sparse.block_array([cover, [None, sparse.csr_array((len(deviations.most), count)), deviations.limit]]).tocsc(),
        np.concatenate([np.zeros(size), deviations.most]),
        equal.tocsc(),
        np.concatenate([np.ones(num_classes), matrix.ravel()]),
        bounds=(0, None),
        method="highs-ipm",
    )
    if found.x is None:
        raise RuntimeError(f"HiGHS did not solve the dense program: {found.message}")
    duals = found.eqlin.marginals
    rule = rule_lib.AffineRule(duals[:num_classes], duals[num_classes:].reshape(matrix.shape))
    probabilities = -found.ineqlin.marginals[:size].reshape(num_classes, count).T
    rest = 1 - np.sum(probabilities, axis=1, keepdims=True)  # a pattern without cost may have less than 1
    joint = found.x[:size].reshape(num_classes, count).T
    return DenseSolution(found.fun / num_classes, rule, patterns, probabilities + rest / num_classes, joint)


def over_groups(
    matrix: np.ndarray, allowance: _problem.Allowance, groups: np.ndarray, *, time_limit: float = np.inf
) -> tuple[float, rule_lib.AffineRule, adversary_lib.Adversary] | None:
    """The program over some groups `[S, C]`, all single classes among them.

    Returns:
      value: an upper bound of A*, which it is where all groups are there.
      rule: activations that add to 1 at most over each of the groups.
      adversary: one that uses these groups only.

      None where HiGHS did not finish in time.
    """
    from scipy import optimize, sparse

    num_classes, num_attributes = matrix.shape
    count, num_slopes = len(groups), matrix.size
    members = sparse.csr_array(groups.astype(np.float64))
    deviations = _deviations(allowance, matrix.shape)
    num_prices = len(deviations.most)
    # columns: offsets, slopes, max(sum of slopes, 0) of each group and attribute, prices of the deviations
    rows = [
        [
            members,
            None,
            sparse.kron(sparse.eye(count), np.ones((1, num_attributes))),
            sparse.csr_array((count, num_prices)),
        ],
        [None, sparse.kron(members, sparse.eye(num_attributes)), -sparse.eye(count * num_attributes), None],
        [None, deviations.effect.T, None, -deviations.limit.T],
    ]
    limits = [np.ones(count), np.zeros(count * num_attributes), np.zeros(deviations.effect.shape[1])]
    gain = np.concatenate([np.ones(num_classes), matrix.ravel(), np.zeros(count * num_attributes), -deviations.most])
    free = num_classes + num_slopes
    found = optimize.linprog(
        -gain,
        sparse.block_array(rows).tocsc(),
        np.concatenate(limits),
        bounds=np.array([(-np.inf, np.inf)] * free + [(0, np.inf)] * (len(gain) - free)),
        method="highs-ipm",
        options={} if np.isinf(time_limit) else {"time_limit": max(time_limit, 0.01)},
    )
    if found.status != 0:
        return None
    rule = rule_lib.AffineRule(found.x[:num_classes], found.x[num_classes:free].reshape(matrix.shape))
    weights = np.maximum(-found.ineqlin.marginals[:count], 0)
    masses = -found.ineqlin.marginals[count : count * (1 + num_attributes)].reshape(count, num_attributes)
    used = weights > 1e-12
    marginals = np.clip(masses[used] / weights[used, None], 0, 1)
    return -found.fun / num_classes, rule, adversary_lib.Adversary(groups[used], weights[used], marginals)


class _Deviations(NamedTuple):
    """How detectors may leave the matrix: variables x >= 0 with `q = matrix + effect x` and `limit x <= most`."""

    effect: Any  # sparse arrays
    limit: Any
    most: np.ndarray


def _deviations(allowance: _problem.Allowance, shape: tuple[int, int]) -> _Deviations:
    from scipy import sparse

    num_classes, num_attributes = shape
    size = num_classes * num_attributes
    if allowance.entry is None and allowance.budget is None:
        return _Deviations(sparse.csr_array((size, 0)), sparse.csr_array((0, 0)), np.zeros(0))
    up_and_down = sparse.hstack([sparse.eye(size), -sparse.eye(size)])
    if allowance.entry is not None:
        return _Deviations(up_and_down, sparse.hstack([sparse.eye(size)] * 2), allowance.entry.ravel())
    over_classes = sparse.kron(np.ones((1, num_classes)), sparse.eye(num_attributes))
    return _Deviations(up_and_down, sparse.hstack([over_classes] * 2), num_classes * np.asarray(allowance.budget))
