"""Whether the best method is better than the others, or only looks so: over seeds and over test images.

A difference survives if it would survive both another choice of seeds (Student's t, paired where both methods ran the
same seeds, else Welch's) and another draw of test images (the bootstrap interval of the difference lies above 0).
Records do not tell on which images a method is right, so that those of each are drawn on their own: where methods tend
to err on the same images, the interval is too wide rather than too narrow. The level holds for all pairs of rows
together (Bonferroni), because the best one is chosen by looking at them all.
"""

from typing import NamedTuple

import numpy as np

from zsl_jax import metrics
from zsl_jax.training import reports

LEVEL = 0.95


class Comparison(NamedTuple):
    """The best row against another one, in one metric.

    Fields:
      metric: a name in the protocol's schema.
      best, other: the rows.
      difference: of their means over seeds, not negative.
      p_value: over seeds; None with fewer than two seeds of either.
      interval: of the difference over test images; None for a metric without counts a class.
      level: of the interval, and 1 - the bound of `p_value`.
    """

    metric: str
    best: reports.Row
    other: reports.Row
    difference: float
    p_value: float | None
    interval: tuple[float, float] | None
    level: float

    @property
    def over_seeds(self) -> bool | None:
        return None if self.p_value is None else self.p_value < 1 - self.level

    @property
    def over_images(self) -> bool | None:
        return None if self.interval is None else self.interval[0] > 0

    @property
    def survives(self) -> bool | None:
        """Whether all that could be judged says so; None if nothing could."""
        judged = [verdict for verdict in (self.over_seeds, self.over_images) if verdict is not None]
        return all(judged) if judged else None


def with_the_best(rows: list[reports.Row], metric: str) -> list[Comparison]:
    """Returns the best row against each other one, best first; rows of one column and protocol."""
    rows = [row for row in rows if metric in row.values]
    if len(rows) < 2:
        return []
    best, *others = sorted(rows, key=lambda row: -row.values[metric].mean())
    level = 1 - (1 - LEVEL) / (len(rows) * len(others) / 2)
    return [_compare(best, other, metric, level) for other in others]


def _compare(best: reports.Row, other: reports.Row, metric: str, level: float) -> Comparison:
    a, b = best.values[metric], other.values[metric]
    p_value = interval = None
    if min(len(a), len(b)) > 1:
        paired = best.seeds == other.seeds and len(a) == len(b)
        p_value = float((metrics.paired_p_value if paired else metrics.unpaired_p_value)(a, b))
    if metric in best.samples and metric in other.samples:
        difference = best.samples[metric] - other.samples[metric]
        interval = tuple(float(x) for x in metrics.percentile_interval(difference, level=level))
    return Comparison(metric, best, other, float(np.mean(a) - np.mean(b)), p_value, interval, level)
