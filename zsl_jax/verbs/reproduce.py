"""Run a record's run again from the record alone, and compare."""

import pathlib
from collections.abc import Sequence

from zsl_jax import errors, rules
from zsl_jax.verbs import command_line

USAGE = """\
Rebuilds a run from its record alone, runs it, and prints recorded, new, difference, and whether the difference is
within the deviation over the record's seeds (of one seed: equal to the third digit), or what one test image makes. The
exit code is 1 where one is not.

usage: python -m zsl_jax reproduce RECORD [--folder=FOLDER] [--seed=N] [--workdir=DIR]

  python -m zsl_jax reproduce docs/results/digits/eszsl
  python -m zsl_jax reproduce docs/results/CUB127_att/ale/record.json --folder=data/CUB127 --seed=3

RECORD is a record.json, or a folder with one. --folder is the folder or file that the record names, or what it is in.
--seed is one of the record's seeds (default: the first). Without --workdir nothing is left behind."""


_FLAGS = {
    "folder": "the record's data, or the folder that they are in",
    "seed": "one of the record's seeds",
    "workdir": "where the run goes",
}


def main(argv: Sequence[str]) -> int:
    given, options = _split(argv)
    values = command_line.parse("reproduce", options, _define, USAGE)
    if values is None:
        return 0
    if len(given) != 1:
        raise errors.UserError(
            f"reproduce takes one record, not {len(given)}: python -m zsl_jax reproduce docs/results/digits/eszsl"
        )
    path = pathlib.Path(given[0])
    path = path / "record.json" if path.is_dir() else path
    if not path.is_file():
        raise errors.UserError(f"no record at {path}: name a record.json, or a folder with one")
    seed = _seed(values.seed)

    from zsl_jax.training import reading, reproducing

    recorded = reading.Record(path, path.parent.name, reading.read(path))
    if recorded.content["config"]["data"].get("name") == "in_memory":
        raise errors.UserError(f"{path} is of arrays that were in memory: only who has them can run it again")
    config = reproducing.config_of(recorded.content, seed=seed, folder=values.folder or "")
    workdir = pathlib.Path(values.workdir) if values.workdir else None
    new = reproducing.again(recorded.content, config, workdir, say=print)
    found = reproducing.compared(recorded, new)
    print(f"\n{recorded.content['method']} on {recorded.content['dataset']['name']}, seed {new['seeds'][0]}\n")
    print(_table(found))
    for line in reproducing.changes(recorded.content, new):
        print(line)
    outside = [each.title for each in found if not each.within]
    if outside:
        raise errors.Irreproducible(f"not within the deviation of {path}: {', '.join(outside)}")
    print(f"all {len(found)} numbers are within the deviation of {path}")
    return 0


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the records and the flags; the word after a bare flag is its value.

    >>> _split(["a", "--seed", "2", "--folder=x"])
    (['a'], ['--seed', '2', '--folder=x'])
    """
    given, options = [], []
    for argument in argv:
        is_value = bool(options) and options[-1].lstrip("-") in _FLAGS
        (options if argument.startswith("-") or is_value else given).append(argument)
    return given, options


def _seed(text: str | None) -> int | None:
    if not text:
        return None
    seed = rules.whole_of(text)
    if seed is None:
        raise errors.UserError(f"--seed={text[:40]} is not a whole number of 0 or more")
    return seed


def _table(found) -> str:
    head = ("", "recorded", "new", "difference", "deviation", "within")
    rows = [
        (
            each.title,
            *(_number(value, each.kind) for value in (each.recorded, each.new, each.new - each.recorded)),
            "one seed" if each.deviation is None else _number(each.deviation, each.kind),
            "yes" if each.within else "NO",
        )
        for each in found
    ]
    return "\n".join(f"{title:<8}" + "".join(cell.rjust(12) for cell in cells) for title, *cells in (head, *rows))


def _number(value: float, kind: str) -> str:
    return f"{100 * value:.2f}" if kind == "accuracy" else f"{value:.4g}"


def _define(values) -> None:
    for name, says in _FLAGS.items():
        command_line.define_string(values, name, says)
