"""What any method can reach with a class-attribute matrix, before anything is trained.

`matrix[c, a] = P(attribute a is present | class c)` is all that a zero-shot problem says of an unseen class. These
functions say what follows from it: the accuracy that a map from attributes to classes can guarantee, that map itself,
the classes that must be confused, and the attributes that would help.

>>> import numpy as np
>>> from zsl_jax import bounds
>>> matrix = np.array([[0.9, 0.1, 0.6], [0.8, 0.7, 0.5], [0.1, 0.6, 0.4]])
>>> accuracy, rule = bounds.worst_case(matrix)
>>> round(accuracy, 4)
0.7333
>>> bounds.probabilities(rule, matrix).argmax(axis=1).tolist()
[0, 1, 2]
"""

from zsl_jax.bounds.adversary import Adversary, distribution, shared
from zsl_jax.bounds.compiled import approximate
from zsl_jax.bounds.description import rank_correlation, redundancy, separability
from zsl_jax.bounds.detectors import error_rates, marginal_errors
from zsl_jax.bounds.interval import Interval
from zsl_jax.bounds.narrowing import narrow, worst_case
from zsl_jax.bounds.pairs import pairwise
from zsl_jax.bounds.programs import DenseSolution, dense
from zsl_jax.bounds.rule import AffineRule, activations, guarantee, probabilities
from zsl_jax.bounds.selection import Selection, exchange, greedy, separating
from zsl_jax.metrics.geometry import representativeness

__all__ = [
    "Adversary",
    "AffineRule",
    "DenseSolution",
    "Interval",
    "Selection",
    "activations",
    "approximate",
    "dense",
    "distribution",
    "error_rates",
    "exchange",
    "greedy",
    "guarantee",
    "marginal_errors",
    "narrow",
    "pairwise",
    "probabilities",
    "rank_correlation",
    "redundancy",
    "representativeness",
    "separability",
    "separating",
    "shared",
    "worst_case",
]
