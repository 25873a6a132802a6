"""Distributions of attributes under which no map does better than a given accuracy.

An adversary groups classes: `weights[s]` of the images of every class in `groups[s]` look alike, a share that has the
attributes' marginals `marginals[s]`. Within a group no map can tell the classes apart, so that with

    sum_{s: c in s} weights_s = 1,   sum_{s: c in s} weights_s marginals_s = matrix_c      for every class c

no map has an accuracy above `sum_s weights_s / C`. The least such value is A*, by duality what the best map guarantees.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zsl_jax.bounds import _problem

_SHARES = np.concatenate([[1.0], 1 - np.geomspace(1e-6, 0.5, 20), [0.0]])


class Adversary(NamedTuple):
    """`groups [S, C]` bool, `weights [S]` >= 0, `marginals [S, A]` in [0, 1]."""

    groups: np.ndarray
    weights: np.ndarray
    marginals: np.ndarray


def upper_bound(adversary: Adversary, matrix: np.ndarray, allowance: _problem.Allowance) -> float:
    """An accuracy that no map exceeds, from an adversary that meets its constraints only nearly.

    The adversary is repaired in exact arithmetic on paper, not in memory: every class keeps a share of its place in the
    groups of several classes; the rest of its images stand alone, with the marginals that are missing, and where even
    that cannot meet the matrix, single attributes of some images are flipped. Images that stand alone or are flipped
    count as recognised. The share is the best of a fixed list, for each class.
    """
    groups, weights, masses, wanted = _shared_part(adversary, matrix, allowance)
    mass, present = weights @ groups, groups.T @ masses
    best = np.full(len(matrix), np.inf)
    for share in _SHARES:
        alone = 1 - share * mass
        missing = wanted - share * present
        flipped = np.maximum(-missing, 0) + np.maximum(missing - alone[:, None], 0)
        cost = alone + np.minimum(np.sum(flipped, axis=1), 1)
        best = np.minimum(best, np.where(alone >= 0, cost, np.inf))
    return float(np.sum(weights) + np.sum(best)) / len(matrix)


def upper_bound_by_programs(
    adversary: Adversary, matrix: np.ndarray, allowance: _problem.Allowance, *, out_of_time: Callable[[], bool] = bool
) -> float:
    """As `upper_bound`, but the share is chosen for each class and group, by one linear program per class.

    Out of time, the remaining classes count as recognised.
    """
    from scipy import optimize

    groups, weights, masses, wanted = _shared_part(adversary, matrix, allowance)
    num_attributes = matrix.shape[1]
    total = np.sum(weights) + len(matrix)
    flips = np.eye(num_attributes), np.zeros((num_attributes, num_attributes))
    for row in range(len(matrix)):
        if out_of_time():
            break
        mine = groups[:, row] > 0
        weight, mass = weights[mine], masses[mine].T
        too_much, too_little = np.hstack([mass, -flips[0], flips[1]]), np.hstack([weight - mass, flips[1], -flips[0]])
        all_of_it = np.concatenate([weight, np.zeros(2 * num_attributes)])[None]
        found = optimize.linprog(
            np.concatenate([-weight, np.ones(2 * num_attributes)]),
            np.concatenate([too_much, too_little, all_of_it]),
            np.concatenate([wanted[row], 1 - wanted[row], [1.0]]),
            bounds=np.array([(0, 1)] * len(weight) + [(0, np.inf)] * (2 * num_attributes)),
            method="highs",
        )
        if found.x is None:
            continue
        share = np.clip(found.x[: len(weight)], 0, 1)
        alone = 1 - weight @ share
        share, alone = (share, alone) if alone >= 0 else (share / (1 - alone), 0.0)
        missing = wanted[row] - mass @ share
        flipped = np.sum(np.maximum(-missing, 0) + np.maximum(missing - alone, 0))
        total += min(0.0, alone + flipped - 1)
    return float(total) / len(matrix)


def shared(adversary: Adversary) -> np.ndarray:
    """How much of two classes the adversary makes indistinguishable.

    Returns:
      `[C, C]` symmetric, in [0, 1]: the share of a class's images that lie in a group with the other one; 1 on the
      diagonal.
    """
    groups = adversary.groups.astype(np.float64)
    alike = np.clip(groups.T @ (adversary.weights[:, None] * groups), 0, 1)
    np.fill_diagonal(alike, 1.0)
    return alike


def distribution(adversary: Adversary) -> tuple[np.ndarray, np.ndarray]:
    """A distribution over patterns that the adversary stands for.

    Within a group the attributes rise together: an attribute is present in the share of images that its marginal says,
    always the first ones. Any other joint distribution with the same marginals serves as well.

    Returns:
      patterns: `[P, A]` of 0 and 1.
      joint: `[P, C]`, P(pattern | class); columns add to 1 as far as the adversary meets its constraints.
    """
    patterns, joint = [], []
    for group, weight, marginals in zip(*adversary):
        if weight <= 0:
            continue
        edges = np.unique(np.concatenate([[0.0, 1.0], np.clip(marginals, 0, 1)]))
        for low, high in itertools.pairwise(edges):
            patterns.append(marginals > (low + high) / 2)
            joint.append(weight * (high - low) * group)
    return np.array(patterns, np.float64), np.array(joint)


def from_distribution(patterns: np.ndarray, joint: np.ndarray) -> Adversary:
    """The adversary of a distribution `joint [P, C]` over patterns `[P, A]`: at a pattern, who has it how often."""
    groups, weights, marginals = [], [], []
    for pattern, masses in zip(patterns, joint):
        below = 0.0
        for mass in np.unique(masses[masses > 0]):
            groups.append(masses >= mass)
            weights.append(mass - below)
            marginals.append(pattern)
            below = mass
    return Adversary(np.array(groups), np.array(weights), np.array(marginals, np.float64))


def _shared_part(adversary: Adversary, matrix: np.ndarray, allowance: _problem.Allowance):
    """The groups of several classes with weights and masses of attributes, and the marginals to meet, allowed ones."""
    groups = adversary.groups.astype(np.float64)
    weights = np.maximum(adversary.weights, 0)
    masses = weights[:, None] * np.clip(adversary.marginals, 0, 1)
    held = weights @ groups
    marginals = np.where(held[:, None] > 0, groups.T @ masses / np.maximum(held, 1e-300)[:, None], matrix)
    wanted = allowance.nearest(matrix, np.clip(marginals, 0, 1))
    several = np.sum(adversary.groups, axis=1) > 1
    return groups[several], weights[several], masses[several], wanted
