"""Score a finished workdir again from its checkpoint, and compare with its record."""

from collections.abc import Sequence

from zsl_jax import errors
from zsl_jax.verbs import command_line, table

USAGE = """\
Scores a finished run again from its checkpoint and compares the result with its record.

usage: python -m zsl_jax evaluate --workdir=DIR [--data_dir=FOLDER]

  python -m zsl_jax evaluate --workdir=runs/ale

--data_dir is where the benchmark folder is now, if it was moved."""


def main(argv: Sequence[str]) -> int:
    values = command_line.parse("evaluate", argv, _define, USAGE)
    if values is None:
        return 0
    workdir = command_line.required_workdir(values, "evaluate")
    for name in ("config.json", "record.json"):
        if not (workdir / name).is_file():
            raise errors.UserError(f"--workdir={workdir} holds no finished run ({name} is missing)")

    from zsl_jax.training import reading, run

    config, _ = run.read_config(workdir / "config.json")
    if values.data_dir:
        if "dir" not in config.data:
            raise errors.UserError(f"--data_dir is for benchmark folders; {workdir} was trained on {config.data.name}")
        config.data.dir = values.data_dir
    saved = reading.read(workdir / "record.json")
    result = run.evaluate(config, workdir)
    print(table.render(result.record))
    differing = [name for name in ("metrics", "per_class", "state_sha256") if result.record[name] != saved[name]]
    if differing:
        raise errors.Irreproducible(f"the result differs from {workdir / 'record.json'} in: {', '.join(differing)}")
    print(f"the same numbers as in {workdir / 'record.json'}")
    return 0


def _define(values) -> None:
    command_line.define_workdir(values)
    command_line.define_string(values, "data_dir", "where the benchmark folder is now")
