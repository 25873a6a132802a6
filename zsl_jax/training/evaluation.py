"""What a look at a task's sets comes to under a protocol: rows, what is chosen on them, metrics and counts."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import metrics
from zsl_jax.data import dataset
from zsl_jax.methods import base
from zsl_jax.training import protocols, scoring

# The temperature is sought between these multiples of the largest score, each pass around the best of the one before.
_COLDEST, _HOTTEST, _TEMPERATURES, _PASSES = 1e-7, 1e4, 32, 3


class Evaluated(NamedTuple):
    """What an evaluation gives, on the host.

    Fields:
      rows: `metrics.Rows` of each look, by its name.
      facts: of the task's classes, as the protocol has them.
      knobs: what was chosen after training, such as gamma.
      metrics: the protocol's report, a tree of floats.
      counts: `[C]` right answers and inputs of each class, by name.
      hits: `[N]` by question, which inputs are answered rightly; empty where the protocol has no such answer.
    """

    rows: dict[str, Any]
    facts: dict[str, Any]
    knobs: dict[str, float]
    metrics: dict[str, Any]
    counts: dict[str, np.ndarray]
    hits: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """Evaluates finished states on one task; from `make_evaluate`."""

    protocol: protocols.Protocol
    score: scoring.Score
    facts: dict[str, Any]

    def __call__(self, state, knobs: dict[str, float] | None = None, temperature: float | None = None) -> Evaluated:
        """Returns the evaluation of a state.

        Args:
          state: what `finish` left.
          knobs: of the protocol; None chooses them on the very rows that are scored, which is right for a validation
            task and an oracle on a test task.
          temperature: of the softmax that makes probabilities; the metrics then say how far they can be believed.

        Raises:
          Diverged: a score is not finite.
          Stopped: the process was told to stop.
        """
        temperatures = () if temperature is None or self.protocol.probabilities is None else (temperature,)
        return summarized(self.protocol, self.score(state, temperatures), self.facts, knobs, temperatures)

    def temperature(self, state, evaluated: Evaluated) -> float | None:
        """Returns the temperature that makes probabilities of the scores that an evaluation of the state is of."""
        return fitted_temperature(self.protocol, functools.partial(self.score, state), evaluated)


def make_evaluate(
    method: base.Method,
    task: dataset.Task,
    mesh,
    *,
    protocol: protocols.Protocol = protocols.GZSL,
    keep: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Evaluator:
    """Returns what evaluates finished states on a task, compiled once.

    Args:
      method: what scores.
      task: its sets and classes.
      mesh: from `parallel.make_mesh`.
      protocol: what is asked and reported.
      keep: whether scores are kept where a figure asks for them.
      should_stop: see `scoring.make_score`.

    Raises:
      UserError: there is nothing to score.
    """
    score = scoring.make_score(method, task, protocol.looks(task, keep), mesh, should_stop=should_stop)
    return Evaluator(protocol, score, protocol.facts(task.classes))


def summarized(
    protocol: protocols.Protocol, rows, facts, knobs: dict[str, float] | None = None, temperatures: tuple = ()
) -> Evaluated:
    """Returns what rows come to; knobs that are not given are chosen on them.

    Args:
      protocol: what reports.
      rows: of each look, with `lse` at the temperatures.
      facts: of the task's classes.
      knobs: of the protocol.
      temperatures: one, or none.
    """
    given = (without_ids(rows), facts, knobs, np.asarray(temperatures, np.float32))
    chosen, measured, counts, hits = jax.device_get(_summary(*given, protocol=protocol))
    as_float = functools.partial(jax.tree.map, float)
    return Evaluated(rows, facts, as_float(chosen), as_float(measured), counts, hits)


def chosen_knobs(protocol: protocols.Protocol, draws: list[tuple[Any, Any]]) -> dict[str, float]:
    """Returns what the protocol chooses on the rows and facts of several draws together.

    Draws may have scored different numbers of inputs: what all of them have is looked at.
    """
    names = draws[0][0].keys()
    count = {name: min(len(rows[name].own) for rows, _ in draws) for name in names}
    cut = [{name: jax.tree.map(lambda x, n=count[name]: x[:n], rows[name]) for name in names} for rows, _ in draws]
    rows = jax.tree.map(lambda *x: np.stack(x), *map(without_ids, cut))
    facts = jax.tree.map(lambda *x: np.stack(x), *(facts for _, facts in draws))
    return jax.tree.map(float, jax.device_get(jax.jit(protocol.choose)(rows, facts)))


def fitted_temperature(protocol: protocols.Protocol, score: Callable[..., Any], evaluated: Evaluated) -> float | None:
    """Returns the temperature of the softmax under which the labels are most likely, or None where there is none.

    The mean negative log-likelihood is convex in its inverse. It is computed at some temperatures in one pass over the
    inputs, and again between the neighbours of the best. The last ones are 0.3 % apart: the parabola through the best
    and its neighbours has its least value where the temperature is, to well under 10^-3 of it.

    Args:
      protocol: what has the likelihood.
      score: `temperatures -> {look: Rows}`, on validation classes.
      evaluated: of the same scores.
    """
    if protocol.probabilities is None:
        return None
    largest = [np.abs(rows.best[np.isfinite(rows.best)]).max(initial=0.0) for rows in evaluated.rows.values()]
    scale = float(max(largest)) or 1.0
    low, high = np.log(_COLDEST * scale), np.log(_HOTTEST * scale)
    for _ in range(_PASSES):
        logarithms = np.linspace(low, high, _TEMPERATURES)
        temperatures = np.exp(logarithms).astype(np.float32)
        rows = without_ids(score(temperatures))
        likelihood = _loss(rows, evaluated.facts, evaluated.knobs, temperatures, protocol=protocol)
        likelihood = np.nan_to_num(np.asarray(likelihood, float), nan=np.inf)
        place = min(max(int(np.argmin(likelihood)), 1), _TEMPERATURES - 2)
        low, best, high = logarithms[place - 1 : place + 2]
    left, least, right = likelihood[place - 1 : place + 2]
    bend = left - 2 * least + right
    if np.isfinite(bend) and bend > 0:
        best += np.clip(0.5 * (left - right) / bend, -1, 1) * (high - best)
    return float(np.exp(best))


@functools.partial(jax.jit, static_argnames="protocol")
def _loss(rows, facts, knobs, temperatures, *, protocol: protocols.Protocol):
    """The mean negative log-likelihood `[T]` of the labels."""
    return jnp.mean(-protocol.probabilities(rows, facts, knobs, temperatures).own, axis=0)


@functools.partial(jax.jit, static_argnames="protocol")
def _summary(rows, facts, knobs, temperatures, *, protocol: protocols.Protocol):
    if knobs is None:
        knobs = protocol.choose(*jax.tree.map(lambda x: jnp.asarray(x)[None], (rows, facts)))
    report = protocol.report(rows, facts, knobs)
    if len(temperatures):
        report = report | {"confidence": _confidence(protocol.probabilities(rows, facts, knobs, temperatures))}
    hits = protocol.hits(rows, facts, knobs) if protocol.hits is not None else {}
    return knobs, report, protocol.counts(rows, facts, knobs), hits


def _confidence(found: protocols.Probabilities) -> dict[str, Any]:
    """How sure predictions are at one temperature, and how often they are right."""
    confidence = jnp.exp(found.predicted[:, 0])
    return {
        "calibration_error": metrics.calibration_error(confidence, found.correct),
        "mean": jnp.mean(confidence),
        "accuracy": jnp.mean(found.correct.astype(confidence.dtype)),
    }


def without_ids(rows):
    """The rows without ids, which no number depends on."""
    return {name: each._replace(id=None) for name, each in rows.items()}
