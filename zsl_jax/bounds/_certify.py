"""A proof that the positive activations of a map add to little, for more classes than all groups can be listed.

Let S and the pattern v have the largest sum of activations, x_c(v) > 0 for c in S. Take the r classes of S with the
largest activations there, A. Then for every size s = |S|

    x_S(v) <= s / (r + 1) * mean_{t in S - A} x_{A + t}(v)

because each t outside A has an activation below the mean of A. So x_S is at most s / (r + 1) times the mean of the
s - r largest totals of A + t. The search walks over the sets A by size, keeps those where this exceeds the target for
some s, and remembers which t may still join: those that are in a set that exceeds it. A total of A + t that is not
positive rules t out as well, since all partial sums of S are positive at v.
"""

from collections.abc import Callable

import numpy as np

from zsl_jax.bounds import _groups as groups_lib
from zsl_jax.bounds import rule as rule_lib

MAX_CLASSES = 64
_ROUNDING = 1e-4  # added to every total, which are sums in float32
_BLOCK = 1 << 14


def largest_total(
    rule: rule_lib.AffineRule, *, at_least: float, out_of_time: Callable[[], bool], max_nodes: int = 4_000_000
) -> tuple[float, np.ndarray]:
    """A bound on the sum of positive activations, over all patterns.

    Args:
      rule: activations of 2 to 64 classes.
      at_least: a sum that is reached, or that is small enough: nothing below it is looked at.
      out_of_time: asked from time to time; True ends the search.
      max_nodes: the most sets A of one size.

    Returns:
      total: a bound, at least `at_least`; infinite where the search was given up.
      groups: `[R, C]` groups above `at_least` that it met.
    """
    num_classes = len(rule.offset)
    if num_classes > MAX_CLASSES:
        raise ValueError(f"groups of at most {MAX_CLASSES} classes are searched, not {num_classes}")
    bits = np.uint64(1) << np.arange(num_classes, dtype=np.uint64)
    everyone = np.bitwise_or.reduce(bits)
    nodes, allowed = bits, everyone & ~bits
    best = at_least
    met: list[np.ndarray] = []
    singles = groups_lib.totals(groups_lib.of_size(num_classes, 1), rule)
    best = max(best, float(singles.max()))
    size = 1
    while len(nodes):
        children, their_allowed = [], []
        for start in range(0, len(nodes), _BLOCK):
            if out_of_time():
                return np.inf, _unpacked(met, bits)
            block, may_join = nodes[start : start + _BLOCK], allowed[start : start + _BLOCK]
            members = (block[:, None] & bits) != 0
            totals = groups_lib.with_one_more(members, rule)
            totals = np.where((may_join[:, None] & bits) != 0, totals + _ROUNDING, -np.inf)
            row, column = np.nonzero(totals > best)
            met.append((block[row] | bits[column])[:256])
            best = max(best, float(totals.max()))
            child, joins = _survivors(block, totals, size, best, bits)
            children.append(child)
            their_allowed.append(joins)
        nodes, allowed = _merged(np.concatenate(children), np.concatenate(their_allowed))
        size += 1
        if len(nodes) > max_nodes:
            return np.inf, _unpacked(met, bits)
    return best, _unpacked(met, bits)


def _survivors(nodes, totals, size: int, target: float, bits):
    """The sets A + t that may still be part of a group above the target, and the classes that may join them."""
    ranked = -np.sort(-totals, axis=1)
    positive = ranked > 0
    sums = np.cumsum(np.where(positive, ranked, 0), axis=1)
    others = np.concatenate([np.zeros((len(nodes), 1), sums.dtype), sums[:, :-1]], axis=1)
    # t is in a group of size + m classes above the target only if its total is above `least` for some m
    joining = np.arange(1, totals.shape[1] + 1)
    least = target * joining * (size + 1) / (size + joining) - others
    threshold = np.min(np.where(positive, least, np.inf), axis=1)
    joins = totals > np.maximum(threshold, 0)[:, None]
    count = np.sum(joins, axis=1)
    their_allowed = np.asarray(np.sum(np.where(joins, bits, np.uint64(0)), axis=1, dtype=np.uint64))
    # as the largest size + 1 of a group of at most size + count classes, A + t has its share of the target
    grows = joins & (totals * (size + count[:, None]) > target * (size + 1))
    row, column = np.nonzero(grows)
    return nodes[row] | bits[column], their_allowed[row] & ~bits[column]


def _merged(nodes, allowed):
    """Sets that were reached from several others, once; a class may join if any duplicate allowed it."""
    if not len(nodes):
        return nodes, allowed
    order = np.argsort(nodes, kind="stable")
    nodes, allowed = nodes[order], allowed[order]
    first = np.flatnonzero(np.concatenate([[True], nodes[1:] != nodes[:-1]]))
    return nodes[first], np.bitwise_or.reduceat(allowed, first)


def _unpacked(met, bits) -> np.ndarray:
    packed = np.unique(np.concatenate(met)) if met else np.zeros(0, np.uint64)
    return (packed[:, None] & bits) != 0
