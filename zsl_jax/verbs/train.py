"""Train a method and evaluate it; run the same line again to resume, or to see the result of a finished run."""

import pathlib
import shlex
from collections.abc import Sequence

from absl import flags

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.verbs import command_line, table

USAGE = f"""\
Trains a method, evaluates it on classes it never saw, and leaves record.json in the workdir.
The same line again resumes a run that was stopped, or prints the table of one that is finished.

usage: python -m zsl_jax train --config=NAME[:DATASET[,WORD...]] --workdir=DIR [--config.KEY=VALUE ...]

  python -m zsl_jax train --config=configs/ale.py --workdir=runs/ale
  python -m zsl_jax train --config=configs/ale.py:digits --workdir=runs/digits
  python -m zsl_jax train --config=configs/ale.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cub

NAME is a recipe (ale) or a Python file (configs/ale.py). Words: smoke, a run of seconds to see that all works; sent,
classes described by sentence embeddings instead of attributes, where a folder in the xlsa17 layout has them.

Keys of every config, with their defaults (config.method.* and config.data.* are the arguments of the method and of the
dataset):
{config_lib.describe()}"""


def main(argv: Sequence[str]) -> int:
    line = argv
    argv, overrides = command_line.split_overrides(argv)
    values = command_line.parse("train", argv, _define, USAGE)
    if values is None:
        return 0
    config = command_line.required_config(values, overrides, "train")
    workdir = command_line.required_workdir(values, "train")

    from zsl_jax.training import processes  # jax and orbax load only once the command line is right

    with processes.connected(config.parallel.hosts, timeout_s=config.parallel.timeout_s):
        try:
            return _train(config, workdir)
        except errors.Stopped as stopped:
            print(f"zsl-jax: {stopped}\nto go on: {shlex.join(['python', '-m', 'zsl_jax', 'train', *line])}")
            return 0


def _train(config, workdir: pathlib.Path) -> int:
    from zsl_jax.training import interruption, problems, processes, reading, run

    done = workdir / "record.json"
    if processes.from_first(done.exists):
        run.open_workdir(workdir, config, problems.make_problem(config).made_of())
        record = reading.read(done)
        print(f"{workdir} is finished; to train it anew, choose another --workdir or delete this one")
        if config.plots == "story" and record["metrics"] and processes.is_first() and not any(workdir.glob("*.png")):
            _draw(run.evaluate(config, workdir), workdir)
    else:
        with interruption.listening() as should_stop:
            result = run.run(config, workdir, should_stop=should_stop)
        record = result.record
        if config.plots == "story" and result.evaluated is not None and processes.is_first():
            _draw(result, workdir)
    print(table.render(record))
    print(f"record: {done}")
    if (workdir / "words.csv").exists():
        print(f"words nearest to what was learned: {workdir / 'words.csv'}")
    drawn = sorted((path.name for path in workdir.glob("*.png")), key=lambda name: (name != "story.png", name))
    if drawn:
        print(f"figures: {workdir / drawn[0]}" + "".join(f", {name}" for name in drawn[1:]))
    return 0


def _define(values: flags.FlagValues) -> None:
    command_line.define_config(values)
    command_line.define_workdir(values)


def _draw(result, workdir: pathlib.Path) -> None:
    try:
        from zsl_jax.verbs import figures
    except ImportError:
        print("no figures: matplotlib is missing (pip install 'zsl-jax[viz]')")
        return
    figures.draw(result, workdir)
