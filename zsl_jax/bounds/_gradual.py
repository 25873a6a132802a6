"""A certified interval for many classes: better maps and adversaries for as long as there is time.

Each round iterates the primal-dual method on the groups listed so far, then looks for groups that the map violates and
lists them. From time to time both ends are certified: the upper one by repairing the adversary, the lower one by a
search that proves how far the map is from being one. That search is hard when all classes take part, so it is run for
the classes that the map recognises best, as many as it manages; the map then never names the others.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from zsl_jax.bounds import _certify, _first_order, _problem, interval, pairs
from zsl_jax.bounds import _groups as groups_lib
from zsl_jax.bounds import adversary as adversary_lib
from zsl_jax.bounds import rule as rule_lib

_ITERATIONS = 200
_FIRST_TURN, _LONGER = 15.0, 1.6  # seconds of the first turn, and how much longer the next one is
_OPTIMISING = 0.55  # share of a turn
_MOST_FLOATS = 1 << 28  # groups x classes x attributes
_FEW_PROGRAMS = 256  # classes, for each of which a program is solved to repair the adversary
_FEW_ATTRIBUTES = 16  # whose patterns can all be looked at


def narrow(
    matrix: np.ndarray,
    allowance: _problem.Allowance,
    *,
    tolerance: float,
    time_left: Callable[[], float],
    seed: int = 0,
) -> Iterator[interval.Interval]:
    """Yields intervals that close in until they are no wider than the tolerance or the time is up."""
    search = _Search(matrix, allowance, seed)
    found = interval.trivial(matrix)
    turn = _FIRST_TURN
    while found.width > tolerance and time_left() > 0:
        end = max(0.0, time_left() - turn)
        certifying = end + (1 - _OPTIMISING) * min(turn, time_left())
        while True:
            found = search.improve(found, time_left() - certifying)
            yield found
            if time_left() <= certifying:
                break
        if turn > _FIRST_TURN and len(matrix) <= _FEW_PROGRAMS:
            adversary = search.adversary()
            upper = adversary_lib.upper_bound_by_programs(
                adversary, matrix, allowance, out_of_time=lambda: time_left() <= 0
            )
            found = interval.with_adversary(found, adversary, upper)
            yield found
        for rule in search.certified_rules(_until(time_left, end)):
            found = interval.with_rule(found, rule, matrix, allowance)
            yield found
        turn *= _LONGER


def _until(time_left: Callable[[], float], end: float) -> Callable[[], float]:
    return lambda: time_left() - end


class _Search:
    """The groups listed so far, and a map and an adversary that use them."""

    def __init__(self, matrix: np.ndarray, allowance: _problem.Allowance, seed: int):
        num_classes, num_attributes = matrix.shape
        self.matrix, self.allowance = matrix, allowance
        self.rng = np.random.default_rng(seed)
        self.most_groups = int(np.clip(_MOST_FLOATS / matrix.size, 4 * num_classes, 8192))
        couples = _closest_pairs(matrix, self.most_groups // 3)
        self.groups = np.concatenate([np.eye(num_classes, dtype=bool), couples])
        self.state = _first_order.State(
            np.zeros(num_classes, np.float32),
            np.zeros(matrix.shape, np.float32),
            np.zeros(len(self.groups), np.float32),
            np.zeros((len(self.groups), num_attributes), np.float32),
        )
        self.rounds, self.pace = 0, 0.0  # seconds an iteration
        self.certified = 12  # classes that the last search managed, or the number to begin with

    def rule(self) -> rule_lib.AffineRule:
        return rule_lib.AffineRule(self.state.offset, self.state.slope)

    def adversary(self) -> adversary_lib.Adversary:
        return _adversary(self.groups, self.state)

    def improve(self, found: interval.Interval, seconds: float) -> interval.Interval:
        """One round, of some seconds at most; a better upper end where it finds one."""
        if self.rounds:
            self._list_violated()
        self._iterate(int(np.clip(seconds / max(self.pace, 1e-9), 20, _ITERATIONS)))
        self.rounds += 1
        upper = adversary_lib.upper_bound(self.adversary(), self.matrix, self.allowance)
        return interval.with_adversary(found, self.adversary(), upper)

    def certified_rules(self, time_left: Callable[[], float]) -> Iterator[rule_lib.AffineRule]:
        """Yields maps that name more and more of the classes."""
        rule = self.rule()
        if self.matrix.shape[1] <= _FEW_ATTRIBUTES:
            rule = rule_lib.scaled(rule, largest_over_patterns(rule))
            yield rule
            return
        worth = rule.offset + np.sum(self.matrix * rule.slope, axis=1)
        order = np.argsort(-worth)
        most = min(_certify.MAX_CLASSES, int(np.sum(worth > 0)))
        count, spent = min(self.certified, most), 0.0
        while count >= 2 and time_left() > 5 * spent:
            before, chosen = time_left(), np.sort(order[:count])
            part = rule_lib.AffineRule(rule.offset[chosen], rule.slope[chosen])
            listed = groups_lib.unique(self.groups[:, chosen])
            reached = float(np.max(groups_lib.totals(listed, part)))
            total, met = _certify.largest_total(part, at_least=1.005 * reached, out_of_time=lambda: time_left() <= 0)
            self._list(_spread(met, chosen, len(self.matrix)))
            if np.isinf(total):
                break
            offset, slope = np.zeros_like(rule.offset), np.zeros_like(rule.slope)
            offset[chosen], slope[chosen] = part
            yield rule_lib.scaled(rule_lib.AffineRule(offset, slope), total)
            self.certified = count
            if count == most:
                break
            spent, count = before - time_left(), min(count + 4, most)

    def _iterate(self, iterations: int) -> None:
        count = len(self.groups)
        capacity = _capacity(count)  # a few sizes only, since each is compiled
        padded = np.zeros((capacity, self.groups.shape[1]), np.float32)
        padded[:count] = self.groups
        fill = (0, capacity - count)
        start = self.state._replace(
            weights=np.pad(self.state.weights, fill), masses=np.pad(self.state.masses, (fill, (0, 0)))
        )
        began = time.perf_counter()
        after = _first_order.run(padded, self.matrix, self.allowance, start, _first_order.steps(padded), iterations)
        offset, slope, weights, masses = map(np.array, after)
        self.state = _first_order.State(offset, slope, weights[:count], masses[:count])
        self.pace = (time.perf_counter() - began) / iterations

    def _list_violated(self) -> None:
        rule, weights = self.rule(), self.state.weights
        seeds = np.concatenate([self.groups[weights > 1e-5], self.groups[np.argsort(-weights)[:1]]])
        suspects = groups_lib.suspects(rule, seeds, self.rng)
        excess = groups_lib.totals(suspects, rule) - 1
        by_size = np.argsort(-excess / np.sum(suspects, axis=1))[:600]
        chosen = np.union1d(by_size, np.argsort(-excess)[:50])
        if self.rounds > 5:
            self._keep((weights > 1e-7) | (groups_lib.totals(self.groups, rule) > 0.8))
        self._list(suspects[chosen[excess[chosen] > 1e-3]])

    def _keep(self, wanted: np.ndarray) -> None:
        wanted = wanted | (np.sum(self.groups, axis=1) == 1)
        self.groups = self.groups[wanted]
        self.state = self.state._replace(weights=self.state.weights[wanted], masses=self.state.masses[wanted])

    def _list(self, groups: np.ndarray) -> None:
        """Adds groups that are not listed yet, as far as there is room."""
        known = set(map(bytes, self.groups))
        new = [group for group in groups if bytes(group) not in known][: self.most_groups - len(self.groups)]
        if new:
            self.groups = np.concatenate([self.groups, np.array(new)])
            self.state = self.state._replace(
                weights=np.pad(self.state.weights, (0, len(new))),
                masses=np.pad(self.state.masses, ((0, len(new)), (0, 0))),
            )


def _adversary(groups: np.ndarray, state: _first_order.State) -> adversary_lib.Adversary:
    used = state.weights > 1e-9
    weights = state.weights[used].astype(np.float64)
    return adversary_lib.Adversary(groups[used], weights, np.clip(state.masses[used] / weights[:, None], 0, 1))


def _closest_pairs(matrix: np.ndarray, most: int) -> np.ndarray:
    couples = groups_lib.of_size(len(matrix), 2)
    if len(couples) <= most:
        return couples
    alike = np.asarray(pairs.pairwise(matrix))[np.triu_indices(len(matrix), 1)]
    return couples[np.argsort(-alike)[:most]]


def largest_over_patterns(rule: rule_lib.AffineRule) -> float:
    num_attributes = rule.slope.shape[1]
    largest = 1e-12
    for start in range(0, 2**num_attributes, 1 << 12):
        numbers = np.arange(start, min(start + (1 << 12), 2**num_attributes))
        patterns = ((numbers[:, None] >> np.arange(num_attributes)) & 1).astype(np.float64)
        activations = patterns @ rule.slope.T.astype(np.float64) + rule.offset
        largest = max(largest, float(np.max(np.sum(np.maximum(activations, 0), axis=1))))
    return largest


def _spread(groups: np.ndarray, chosen: np.ndarray, num_classes: int) -> np.ndarray:
    """Groups of the chosen classes as groups of all."""
    whole = np.zeros((len(groups), num_classes), bool)
    whole[:, chosen] = groups
    return whole


def _capacity(count: int) -> int:
    size = 256
    while size < count:
        size = size * 3 // 2
    return size
