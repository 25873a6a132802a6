"""What is known of the best guarantee: an interval, the map of its lower end and the adversary of its upper end."""

from typing import NamedTuple

import numpy as np

from zsl_jax.bounds import _problem
from zsl_jax.bounds import adversary as adversary_lib
from zsl_jax.bounds import rule as rule_lib


class Interval(NamedTuple):
    """A certified interval for A*, the best accuracy that a map can guarantee.

    Args:
      lower: what `rule` guarantees.
      upper: what no map exceeds, because of `adversary`.
      rule: the best map so far.
      adversary: the worst distribution so far.
    """

    lower: float
    upper: float
    rule: rule_lib.AffineRule
    adversary: adversary_lib.Adversary

    @property
    def width(self) -> float:
        return self.upper - self.lower


def trivial(matrix: np.ndarray) -> Interval:
    """Before anything is known: a guess at the lower end, all recognised at the upper."""
    num_classes = len(matrix)
    alone = adversary_lib.Adversary(np.eye(num_classes, dtype=bool), np.ones(num_classes), matrix)
    return Interval(1 / num_classes, 1.0, rule_lib.guess(matrix), alone)


def with_rule(known: Interval, rule: rule_lib.AffineRule, matrix, allowance: _problem.Allowance) -> Interval:
    """The interval with the map in place of its own where that guarantees more."""
    lower = rule_lib._guarantee(rule, matrix, allowance)
    return known._replace(lower=min(lower, known.upper), rule=rule) if lower > known.lower else known


def with_adversary(known: Interval, adversary: adversary_lib.Adversary, upper: float) -> Interval:
    """The interval with the adversary in place of its own where that allows less."""
    return known._replace(upper=max(upper, known.lower), adversary=adversary) if upper < known.upper else known
