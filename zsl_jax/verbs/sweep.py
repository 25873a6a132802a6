"""Search hyper-parameters on validation classes, then train the winner on all seen classes and score it once a seed."""

import functools
import json
from collections.abc import Sequence

import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Trains the settings that the recipe's sweep() names, side by side, and scores them on validation classes. The winner is
trained on all seen classes with several seeds and each is scored once. Run the same line again to go on.

usage: python -m zsl_jax sweep --config=configs/NAME.py[:DATASET[,smoke]] --workdir=DIR [--config.KEY=VALUE ...]

  python -m zsl_jax sweep --config=configs/ale.py --workdir=runs/ale_sweep
  python -m zsl_jax sweep --config=configs/ale.py:digits --workdir=runs/digits_sweep --config.sweep.seeds=5

  --config.sweep.seeds=3           seeds that the winner is trained with
  --config.sweep.samples=32        settings drawn, where the sweep names a range and not a grid
  --config.sweep.side_by_side=0    settings that a device trains at a time (0: as many as suit its cache or memory)
  --config.select.folds=1          class folds that the validation scores are averaged over
  --config.select.seeds=1          seeds that the validation scores are averaged over"""

_SHOWN = 10


def main(argv: Sequence[str]) -> int:
    argv, overrides = command_line.split_overrides(argv)
    values = command_line.parse("sweep", argv, _define, USAGE)
    if values is None:
        return 0
    config = command_line.required_config(values, overrides, "sweep")
    workdir = command_line.required_workdir(values, "sweep")
    space = command_line.load_module(values.config).__dict__.get("sweep")
    if space is None:
        raise errors.UserError(f"{values.config} has no sweep(): a function that names config keys and their values")

    if config.few_shot.shots or config.few_shot.reserve:
        raise errors.UserError("sweep chooses for zero-shot learning: leave config.few_shot.shots and .reserve at 0")
    from zsl_jax.training import files, run, sweeps

    space = space()
    leaves = config_lib.leaves(config)
    for key in space:
        if key not in leaves:
            raise errors.unknown("config key in sweep()", key, leaves)
    points = sweeps.settings(space, samples=config.sweep.samples, seed=config.seed)
    for point in points:
        config_lib.check(sweeps.overridden(config, point))
    run.open_workdir(workdir, config)
    trials = sweeps.run_trials(config, points, workdir)
    metric = config.select.metric
    ranked = sorted(trials, key=lambda trial: trial[metric], reverse=True)
    winner = ranked[0]
    print(_trials_table(ranked, metric))

    changes = [f"--config.{key}={value}" for key, value in {**overrides, **winner["setting"]}.items()]
    command = " ".join(["python -m zsl_jax train", f"--config={values.config}", *changes, "--workdir=DIR"])
    records = []
    for seed in range(config.seed, config.seed + config.sweep.seeds):
        chosen = sweeps.overridden(config, winner["setting"] | {"seed": seed})
        folder = workdir / f"seed_{seed}"
        done = folder / "record.json"
        if done.exists():
            records.append(json.loads(done.read_text()))
        else:
            say = functools.partial(print, f"seed {seed}:")
            records.append(run.run(chosen, folder, say=say).record)
    summary = _summary(records)
    result = {"metric": metric, "winner": winner, "command": command, "test": summary, "trials": trials}
    files.write_json(workdir / "sweep.json", result)
    print(_summary_lines(summary, len(records)))
    print(f"winner: {command}\nresult: {workdir / 'sweep.json'}")
    if config.plots == "story":
        _draw(trials, metric, workdir)
    return 0


def _define(values) -> None:
    command_line.define_config(values)
    command_line.define_workdir(values)


def _trials_table(ranked: list[dict], metric: str) -> str:
    keys = list(ranked[0]["setting"])
    head = [*keys, "epochs", "ZSL", "H calibrated", "AUSUC"]
    rows = [
        [*(_text(t["setting"][key]) for key in keys), str(t["epochs"])]
        + [f"{100 * t[name]:.1f}" for name in ("zsl", "harmonic", "ausuc")]
        for t in ranked[:_SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in [head, *rows]]
    title = f"\n{len(ranked)} settings on validation classes, %, best {metric} first"
    more = [f"({len(ranked) - _SHOWN} more in sweep.json)"] if len(ranked) > _SHOWN else []
    return "\n".join([title, *lines, *more])


def _summary(records: list[dict]) -> dict[str, list[float]]:
    """The test scores of all seeds by name."""
    gzsl = [record["metrics"]["gzsl"] for record in records]
    return {
        "zsl": [record["metrics"]["zsl"]["top1"] for record in records],
        **{name: [entry[name] for entry in gzsl] for name in ("unseen", "seen", "harmonic", "ausuc")},
        "calibrated harmonic": [entry["calibrated"]["harmonic"] for entry in gzsl],
    }


def _summary_lines(summary: dict[str, list[float]], seeds: int) -> str:
    cells = [
        f"{name} {100 * np.mean(values):.1f}" + (f" +- {100 * np.std(values, ddof=1):.1f}" if seeds > 1 else "")
        for name, values in summary.items()
    ]
    return f"\nthe winner on the test split, %, mean and standard deviation of {seeds} seeds\n  " + "\n  ".join(cells)


def _text(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(trials: list[dict], metric: str, workdir) -> None:
    try:
        from zsl_jax import plots
    except ImportError:
        print("no picture: matplotlib is missing (pip install 'zsl-jax[viz]')")
        return
    plots.save(plots.landscape(trials, metric), workdir / "sweep.png")
    print(f"picture: {workdir / 'sweep.png'}")
