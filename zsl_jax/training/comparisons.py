"""Whether one method is better than another, or only looks so: over seeds, and over test classes and images.

A lead survives if it would survive both another choice of seeds (Student's t, paired where both methods ran the same
seeds, else Welch's) and another draw of test classes and images (see `resampling`: where the records say on which
images a method is right, the difference is one of pairs). The spread of the draws makes a Student's t with as many
degrees of freedom as there are classes less one, so that the verdict does not hang on the few draws in a tail.

The larger of the two probabilities is the comparison's. The chance that any lead of a table survives by luck is held by
Holm's method over all pairs of its rows, because the best row is chosen by looking at them all.

Reference: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics, 1979.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from zsl_jax.training import reports

LEVEL = 0.95


class Comparison(NamedTuple):
    """The best row against another one, in one metric.

    Fields:
      metric: a name in the protocol's schema.
      best, other: the rows.
      difference: of their means over seeds, not negative.
      over_seeds: p-value over seeds; None with fewer than two seeds of either.
      over_images: p-value over test classes and images; None for a metric without counts per class.
      p_value: the larger of the two, as Holm's method adjusts it; None where one of them is missing.
      interval: of the difference over test classes and images, for this comparison alone, of the level `LEVEL`.
    """

    metric: str
    best: reports.Row
    other: reports.Row
    difference: float
    over_seeds: float | None
    over_images: float | None
    p_value: float | None
    interval: tuple[float, float] | None

    @property
    def survives(self) -> bool | None:
        """Whether seeds say so as well as classes and images; None where one of them cannot."""
        return None if self.p_value is None else bool(self.p_value < 1 - LEVEL)


def with_the_best(rows: list[reports.Row], metric: str) -> list[Comparison]:
    """Returns the best row against each other one, best first; rows of one column and protocol."""
    rows = sorted((row for row in rows if metric in row.values), key=lambda row: -row.values[metric].mean())
    pairs = list(itertools.combinations(rows, 2))
    found = [(_over_seeds(a, b, metric), _over_images(a, b, metric)) for a, b in pairs]
    raw = [None if None in each else max(each) for each in found]
    adjusted = iter(holm([p for p in raw if p is not None]))
    result = []
    for (best, other), each, p_value in zip(pairs, found, raw):
        p_value = None if p_value is None else next(adjusted)
        if best is rows[0]:
            difference = float(np.mean(best.values[metric]) - np.mean(other.values[metric]))
            result.append(Comparison(metric, best, other, difference, *each, p_value, _interval(best, other, metric)))
    return result


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted for their number, by Holm's method.

    `max_{j <= k} min(1, (m - j + 1) p_(j))` for the k-th smallest of m

    >>> holm([0.125, 0.25, 0.25])
    [0.375, 0.5, 0.5]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.minimum(1, np.arange(len(order), 0, -1) * np.asarray(p_values, float)[order])
    result = np.empty(len(order))
    result[order] = np.maximum.accumulate(scaled) if len(order) else scaled
    return [float(p) for p in result]


def _over_seeds(a: reports.Row, b: reports.Row, metric: str) -> float | None:
    """Student's t of the seeds' differences where both rows ran the same ones, else Welch's."""
    x, y = a.values[metric], b.values[metric]
    if min(len(x), len(y)) < 2:
        return None
    if a.seeds == b.seeds and len(x) == len(y):
        differences = x - y
        return _p_value(differences.mean(), differences.std(ddof=1) / np.sqrt(len(x)), len(x) - 1)
    parts = np.array([x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)])
    squares = np.sum(parts**2 / [len(x) - 1, len(y) - 1])
    freedom = parts.sum() ** 2 / squares if squares > 0 else 1.0
    return _p_value(x.mean() - y.mean(), np.sqrt(parts.sum()), freedom)


def _over_images(a: reports.Row, b: reports.Row, metric: str) -> float | None:
    if metric not in a.samples or metric not in b.samples:
        return None
    spread = np.std(a.samples[metric] - b.samples[metric], ddof=1)
    return _p_value(a.values[metric].mean() - b.values[metric].mean(), spread, a.freedom[metric])


def _interval(a: reports.Row, b: reports.Row, metric: str) -> tuple[float, float] | None:
    if metric not in a.samples or metric not in b.samples:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(a.samples[metric] - b.samples[metric], (tail, 1 - tail))
    return float(low), float(high)


def _p_value(difference: float, spread: float, freedom: float) -> float:
    """Two-sided, of Student's t; without a spread 1 for no difference and 0 for any."""
    if spread <= 1e-12:
        return 1.0 if abs(difference) <= 1e-12 else 0.0
    return float(2 * special.stdtr(freedom, -abs(difference) / spread))
