"""What the verb `bound` finds out, as the record that it writes to bound.json."""

import importlib.metadata
import itertools
import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import bounds
from zsl_jax.bounds import selection as selection_lib
from zsl_jax.verbs.bounding import tables

SHOWN = 10


class Request(NamedTuple):
    """The arguments, read and checked.

    Args:
      whole: the candidates with all attributes, those that could be annotated next among them.
      places: `[A]` the attributes that are annotated.
      error_rates: `[A]` or `[C, A]`, or None for perfect detectors.
      errors_of: where the error rates come from.
      pair: two candidates, or None.
      select: how many attributes to select.
      time_limit: seconds.
      observed: what a finished run did, or None.
      method: its name.
    """

    whole: tables.Table
    places: np.ndarray
    error_rates: np.ndarray | None
    errors_of: str | None
    pair: tuple[int, int] | None
    select: int
    time_limit: float
    observed: Any = None
    method: str | None = None

    @property
    def table(self) -> tables.Table:
        return tables.columns(self.whole, self.places)


def bound(request: Request, name: str, show: Callable[[str], None]) -> tuple[dict, np.ndarray]:
    """The record of the bound, and how much of each two classes is alike."""
    table, start, interrupted, found = request.table, time.monotonic(), False, None
    try:
        for found in bounds.narrow(table.matrix, error_rates=request.error_rates, time_limit=request.time_limit):
            show(f"between {found.lower:.4f} and {found.upper:.4f}, {time.monotonic() - start:.0f} s")
    except KeyboardInterrupt:
        interrupted = True
        if found is None:
            raise
    seconds = time.monotonic() - start
    alike, pairwise = bounds.shared(found.adversary), np.asarray(bounds.pairwise(table.matrix))
    couples = list(itertools.combinations(range(len(table.classes)), 2))
    worst = sorted(couples, key=lambda pair: (-alike[pair], -pairwise[pair]))[: max(SHOWN, len(table.classes))]
    record = {
        "table": name,
        "classes": list(table.classes),
        "attributes": list(table.attributes),
        "unknown_values": int(table.unknown.sum()),
        "error_rates": None if request.error_rates is None else request.error_rates.tolist(),
        "errors_of": request.errors_of,
        "guarantee": found.lower,
        "upper": found.upper,
        "exact": found.width <= 1e-6,
        "interrupted": interrupted,
        "seconds": seconds,
        "confusions": [
            {
                "classes": [table.classes[a], table.classes[b]],
                "alike": float(alike[a, b]),
                "pairwise_error": float(pairwise[a, b]),
            }
            for a, b in worst
            if alike[a, b] > 1e-6
        ],
        "identical": [
            [table.classes[a], table.classes[b]] for a, b in couples if np.array_equal(table.matrix[a], table.matrix[b])
        ],
        "pair": _next_attribute(request, request.pair or worst[0]),
        "observed": None if request.observed is None else _observed(request, found, alike, pairwise),
        "selection": [],
        "selection_wanted": 0,
        "exchanged": None,
        "map": {"offset": np.asarray(found.rule.offset).tolist(), "slope": np.asarray(found.rule.slope).tolist()},
        "versions": {name: importlib.metadata.version(name) for name in ("zsl-jax", "jax", "numpy", "scipy")}
        | {"python": platform.python_version()},
    }
    return record, alike


def select(request: Request, record: dict, show: Callable[[str], None]) -> None:
    """Adds the selection of attributes to the record, as far as there is time."""
    table = request.table
    columns = np.flatnonzero(~np.any(table.unknown, axis=0))
    count = min(request.select, len(columns), selection_lib.largest(len(table.classes)))
    if not count or record["interrupted"]:
        return
    record["selection_wanted"] = count
    matrix, names = table.matrix[:, columns], [table.attributes[i] for i in columns]
    end = time.monotonic() + request.time_limit
    try:
        show(f"selecting attribute 1 of {count}")
        step = None
        for step in bounds.greedy(matrix, count, time_limit=request.time_limit):
            row = {
                "attributes": len(step.attributes),
                "added": names[step.attributes[-1]],
                "guarantee": step.found.lower,
            }
            record["selection"].append(row)
            show(f"selecting attribute {len(step.attributes) + 1} of {count}: {step.found.lower:.4f} so far")
        time_left = end - time.monotonic()
        if step is None or time_left <= 0:
            return
        exchanges = bounds.exchange(matrix, step.attributes, time_limit=time_left)
        for better in itertools.islice(exchanges, 1, None):
            attributes = [names[i] for i in better.attributes]
            record["exchanged"] = {"attributes": attributes, "guarantee": better.found.lower}
            show(f"exchanging attributes: {better.found.lower:.4f}")
    except KeyboardInterrupt:
        record["interrupted"] = True


def _next_attribute(request: Request, pair: tuple[int, int]) -> dict:
    """Which attribute tells two classes apart best: of those not annotated yet, or of all where all are."""
    whole, annotated = request.whole, np.isin(np.arange(len(request.whole.attributes)), request.places)
    are_known = ~np.any(whole.unknown[list(pair)], axis=0)
    is_all = annotated.all()
    error = np.asarray(bounds.separating(whole.matrix, *pair, None if is_all else annotated & are_known))
    candidates = np.flatnonzero(are_known & (is_all | ~annotated))
    best = candidates[np.argsort(error[candidates], kind="stable")[:SHOWN]]
    gap = np.abs(whole.matrix[pair[0]] - whole.matrix[pair[1]])
    return {
        "classes": [whole.classes[i] for i in pair],
        "now": float((1 - np.max(gap, initial=0.0, where=annotated & are_known)) / 2),
        "all_annotated": bool(is_all),
        "attributes": [{"attribute": whole.attributes[i], "error": float(error[i])} for i in best],
    }


def _observed(request: Request, found, alike: np.ndarray, pairwise: np.ndarray) -> dict:
    """What the run did beside what the bound says."""
    observed = request.observed
    correlation = {
        name: bounds.rank_correlation(predicted, observed.confusion)
        for name, predicted in (("alike", alike), ("pairwise_error", pairwise))
    }
    record = {
        "method": request.method,
        "top1": observed.top1,
        "rank_correlation": {name: None if np.isnan(value) else value for name, value in correlation.items()},
        "ordered_pairs": len(alike) * (len(alike) - 1),
        "confusion": observed.confusion.tolist(),
        "map": None,
    }
    if observed.detections is not None:
        detections = observed.detections[:, request.places]
        drawn = np.asarray(bounds.probabilities(found.rule, detections))
        most_likely = np.argmax(np.asarray(bounds.activations(found.rule, detections)), axis=1)
        record["map"] = {
            "top1": _per_class(most_likely == observed.labels, observed.labels),
            "drawn": _per_class(drawn[np.arange(len(drawn)), observed.labels], observed.labels),
            "off": _off(detections, observed.labels, request.table.matrix).tolist(),
        }
    return record


def _per_class(right: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([np.mean(right[labels == label]) for label in np.unique(labels)]))


def _off(detections: np.ndarray, labels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """How far the detections of the unseen classes are off, `[A]`: known only afterwards."""
    return np.nanmean(np.asarray(bounds.marginal_errors(detections, labels, matrix)), axis=0)
