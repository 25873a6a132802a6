"""A sweep from its space to its trials: a grid whose winner stands on an edge is widened, a few times.

The best of a grid is the best of nothing where it is the largest or smallest value that was tried. Where the values are
positive numbers the next one in the same ratio is tried with all values of the other keys, as long as the winner is on
an edge and `config.sweep.widen` allows. What is found there counts only where it is ahead by more than one standard
error over the draws of validation classes; where a score is flat, a grid would else be left for nothing.
"""

import math
import pathlib
from collections.abc import Callable
from typing import Any

from zsl_jax import config as config_lib
from zsl_jax import data, errors
from zsl_jax.training import spaces, sweeps

_MOST_RATIO = 10.0


def search(
    config,
    space: dict[str, Any],
    workdir: pathlib.Path,
    *,
    say: Callable[[str], None] = print,
    source: data.Dataset | None = None,
) -> list[dict[str, Any]]:
    """Returns the trials of a space, those of widened grids among them; see `sweeps.run_trials`.

    Args:
      config: the recipe.
      space: what its `sweep()` returns.
      workdir: where trials.jsonl is, or will be.
      say: called with a line where a winner is on an edge.
      source: the data; None for that of the config.

    Raises:
      UserError: as `settings` does.
    """
    trials = sweeps.run_trials(config, settings(config, space), workdir, source=source)
    is_grid = not any(isinstance(values, spaces.Range) for values in space.values())
    for round_left in range(config.sweep.widen if is_grid else 0, -1, -1):
        winner = max(trials, key=lambda trial: trial[config.select.metric])
        edges = on_edges(space, winner["setting"])
        beyond = {key: value for key, value in edges.items() if _allowed(config, winner["setting"], key, value)}
        if not edges:
            break
        for key in edges:
            what = f"trying {beyond[key]:.4g}" if key in beyond and round_left else "no value beyond it is tried"
            say(f"the winner has {key}={winner['setting'][key]:.4g}, an end of its grid: {what}")
        if not beyond or not round_left:
            break
        space = space | {key: tuple(sorted({*space[key], value})) for key, value in beyond.items()}
        known = [trial["setting"] for trial in trials]
        new = [point for point in spaces.settings(space, samples=0, seed=0) if point not in known]
        found = sweeps.run_trials(config, new, workdir, source=source)
        ahead = max(trial[config.select.metric] for trial in found) - winner[config.select.metric]
        if ahead <= _standard_error(winner, config.select.metric):
            say(f"nothing beyond is better by more than the noise of the draws: {winner['setting']} is kept")
            break
        trials = trials + found
    return trials


def settings(config, space: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the settings of a space, before any is widened.

    Raises:
      UserError: a space without values, or a value that the config cannot have.
    """
    points = spaces.settings(space, samples=config.sweep.samples, seed=config.seed)
    for point in points:
        config_lib.check(sweeps.overridden(config, point))
    return points


def on_edges(space: dict[str, Any], setting: dict[str, Any]) -> dict[str, float]:
    """Returns the next value, in the same ratio and tenfold at most, for each key whose setting is at an end.

    >>> on_edges({"a": (1.0, 10.0), "b": (1.0, 2.0, 4.0), "c": ("x", "y")}, {"a": 10.0, "b": 2.0, "c": "x"})
    {'a': 100.0}
    >>> on_edges({"a": (0.001, 1.0)}, {"a": 1.0})
    {'a': 10.0}
    """
    found = {}
    for key, given in space.items():
        values = sorted(set(given)) if all(isinstance(x, float) and x > 0 for x in given) else []
        if len(values) < 2:
            continue
        if setting[key] == values[0]:
            found[key] = _rounded(values[0] / min(values[1] / values[0], _MOST_RATIO))
        elif setting[key] == values[-1]:
            found[key] = _rounded(values[-1] * min(values[-1] / values[-2], _MOST_RATIO))
    return found


def _standard_error(trial: dict[str, Any], metric: str) -> float:
    """Of a trial's score over draws and seeds; 0 where there was one of each."""
    return trial["deviation"][metric] / math.sqrt(trial.get("lanes", 1)) if "deviation" in trial else 0.0


def _rounded(value: float) -> float:
    """To three digits, so that the command of a winner is short."""
    return round(value, 2 - math.floor(math.log10(value)))


def _allowed(config, setting: dict[str, Any], key: str, value: float) -> bool:
    try:
        config_lib.check(sweeps.overridden(config, setting | {key: value}))
    except errors.UserError:
        return False
    return True
