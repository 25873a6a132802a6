"""Search hyper-parameters on validation classes, then train the winner on all seen classes and score it once a seed."""

import functools
import os
import shlex
import statistics
from collections.abc import Sequence

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Trains the settings that the recipe's sweep() names, side by side, and scores them on validation classes. The winner is
trained on all seen classes with several seeds and each is scored once. Run the same line again to go on.

usage: python -m zsl_jax sweep --config=NAME[:DATASET[,WORD...]] --workdir=DIR [--config.KEY=VALUE ...]

  python -m zsl_jax sweep --config=configs/ale.py --workdir=runs/ale_sweep
  python -m zsl_jax sweep --config=configs/ale.py:digits --workdir=runs/digits_sweep --config.sweep.seeds=5

  --config.sweep.seeds=3           seeds that the winner is trained with
  --config.sweep.samples=32        settings drawn, where the sweep names a range and not a grid
  --config.sweep.widen=3           times that a grid is widened where its winner is on an end of it
  --config.sweep.side_by_side=0    settings that a device trains at a time (0: as many as suit its cache or memory)
  --config.select.folds=0          draws of validation classes that the validation scores are averaged over (0: one
                                   where the benchmark names them, else 5)
  --config.select.seeds=1          seeds that the validation scores are averaged over"""

_SHOWN = 10
_NO_CHOICE = ("select.", "sweep.", "few_shot.")


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
    from zsl_jax.training import files, problems, processes, protocols, run, searching, selection, sweeps

    if processes.process_arguments("auto", os.environ) is not None:
        raise errors.UserError("sweep runs in one process, on all of its devices; train the winner with several")
    space = space()
    leaves = config_lib.leaves(config)
    for key in space:
        if key not in leaves:
            raise command_line.unknown_key(key, leaves, "config key in sweep()")
        if key == "seed" or key.startswith(_NO_CHOICE):
            raise errors.UserError(
                f"sweep() cannot choose {key}: settings must be comparable; --config.select.seeds averages over seeds"
            )
    searching.settings(config, space)  # its complaints come before anything is written
    problem = problems.make_problem(config)
    run.open_workdir(workdir, config, problem.made_of())
    if config.select.on == "test":
        print(run.ORACLE)
    trials = searching.search(config, space, workdir)
    metric, where = config.select.metric, selection.SELECTED_ON[config.select.on]
    ranked = sorted(trials, key=lambda trial: trial[metric], reverse=True)
    winner = ranked[0]
    protocol = protocols.find(config.protocol)
    print(_trials_table(ranked, protocol, metric, where))

    changes = {**overrides, **winner["setting"]}
    flags = [f"--config={values.config}", *(f"--config.{key}={value}" for key, value in changes.items())]
    command = shlex.join(["python", "-m", "zsl_jax", "train", *flags, "--workdir=DIR"])
    summary = _summary(_train_winner(sweeps.overridden(config, winner["setting"]), workdir), protocol)
    result = {"selected_on": where, "metric": metric, "winner": winner, "command": command, "test": summary}
    files.write_json(workdir / "sweep.json", result | {"trials": trials})
    print(_summary_lines(summary, config.sweep.seeds))
    print(f"winner: {command}\nresult: {workdir / 'sweep.json'}")
    if config.plots == "story":
        _draw(trials, metric, where, workdir)
    return 0


def _train_winner(config, workdir) -> list[dict]:
    """Returns the records of the winner's seeds, which share the data and the compiled programs."""
    from zsl_jax.training import problems, reading, run, sweeps

    records, problem = [], None
    for seed in range(config.seed, config.seed + config.sweep.seeds):
        folder, chosen = workdir / f"seed_{seed}", sweeps.overridden(config, {"seed": seed})
        problem = problem or problems.make_problem(config)
        if (folder / "record.json").exists():
            # What sweep() names may have changed since, and with it the winner.
            run.open_workdir(folder, chosen, problem.made_of())
            records.append(reading.read(folder / "record.json"))
        else:
            say = functools.partial(print, f"seed {seed}:")
            records.append(run.run(chosen, folder, say=say, problem=problem).record)
    return records


def _define(values) -> None:
    command_line.define_config(values)
    command_line.define_workdir(values)


def _trials_table(ranked: list[dict], protocol, metric: str, where: str) -> str:
    keys, scores = list(ranked[0]["setting"]), protocol.choices()
    head = [*keys, "epochs", *(each.title for each in scores.values())]
    rows = [
        [*(_text(t["setting"][key]) for key in keys), str(t["epochs"]), *(_score(t, name) for name in scores)]
        for t in ranked[:_SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in [head, *rows]]
    title = f"\n{len(ranked)} settings on {where}, %, best {metric} first"
    if any("deviation" in trial for trial in ranked):
        title += "; mean +- standard deviation over seeds and folds"
    more = [f"({len(ranked) - _SHOWN} more in sweep.json)"] if len(ranked) > _SHOWN else []
    return "\n".join([title, *lines, *more])


def _score(trial: dict, name: str) -> str:
    spread = f" +- {100 * trial['deviation'][name]:.1f}" if "deviation" in trial else ""
    return f"{100 * trial[name]:.1f}{spread}" if trial[name] >= 0 else "not finite"


def _summary(records: list[dict], protocol) -> dict[str, dict]:
    """The test scores of all seeds by name, with their mean and, of several, their standard deviation.

    There are none without test inputs.
    """
    from zsl_jax.training import protocols

    values = {
        metric.name: [protocols.value(record["metrics"], metric) for record in records]
        for metric in protocol.schema
        if metric.kind == "accuracy" and all(record["metrics"] for record in records)
    }
    return {
        name: {"mean": statistics.fmean(found), "values": found}
        | ({"deviation": statistics.stdev(found)} if len(found) > 1 else {})
        for name, found in values.items()
    }


def _summary_lines(summary: dict[str, dict], seeds: int) -> str:
    if not summary:
        return "\nnothing is scored without test inputs"
    cells = [
        f"{name} {100 * found['mean']:.1f}" + (f" +- {100 * found['deviation']:.1f}" if seeds > 1 else "")
        for name, found in summary.items()
    ]
    what = f"mean and standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    return f"\nthe winner on the test split, %, {what}\n  " + "\n  ".join(cells)


def _text(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(trials: list[dict], metric: str, where: str, workdir) -> None:
    try:
        from zsl_jax import plots
    except ImportError:
        print("no figure: matplotlib is missing (pip install 'zsl-jax[viz]')")
        return
    plots.save(plots.landscape(trials, metric, where), workdir / "sweep.png")
    print(f"figure: {workdir / 'sweep.png'}")
