"""What any method can reach with a class-attribute matrix, before anything is trained."""

import importlib.metadata
import itertools
import pathlib
import platform
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import flags

from zsl_jax import bounds, errors
from zsl_jax.bounds import selection as selection_lib
from zsl_jax.training import files
from zsl_jax.verbs import bound_tables

USAGE = """\
usage: python -m zsl_jax bound FOLDER|FILE.csv [--classes=unseen|seen|all] [--attributes=N|NAME,NAME,...]
       [--error_rate=RATE|FILE.csv] [--time_limit=SECONDS] [--select=N] [--pair=CLASS,CLASS] [--out=DIR]

FOLDER        a benchmark in the xlsa17 layout: att_splits.mat (original_att) and testclasses.txt are read
FILE.csv      a header with attribute names, then a class a line: its name and P(attribute present | class) in [0, 1]

--classes     which classes are candidates (default: the unseen ones of a folder, all of a file)
--attributes  the first N, or those of these names (in a folder attributes are numbered from 1)
--error_rate  how often attribute detectors are wrong at most: a rate, or a file like the table (default 0)
--time_limit  seconds for the bound, and as many again for the selection (default 60); more than 14 classes need them
--select      how many attributes to select, one by one (default 8; 0 for none)
--pair        two classes: which attributes would tell them apart
--out         where to write bound.json and bound.png

example: python -m zsl_jax bound xlsa17/data/AWA2 --out=bounds/awa2"""

_SHOWN = 10


class _Wish(NamedTuple):
    """The arguments, read and checked."""

    table: bound_tables.Table
    error_rates: np.ndarray | None
    pair: tuple[int, int] | None
    select: int
    time_limit: float


def main(argv: Sequence[str]) -> int:
    if not argv:
        print(USAGE, file=sys.stderr)
        return errors.UserError.exit_code
    if {"-h", "-help", "--help"} & set(argv):
        print(USAGE)
        return 0
    values, path = _flags(argv)
    wish = _wish(values, path)
    record, alike = _bound(wish, pathlib.Path(path).resolve().name)
    _select(wish, record)
    for line in _report(record):
        print(line)
    if values.out:
        for written in _save(pathlib.Path(values.out), record, alike):
            print(f"wrote {written}")
    return 130 if record["interrupted"] else 0


def _flags(argv: Sequence[str]) -> tuple[flags.FlagValues, str]:
    values = flags.FlagValues()
    for name, says in (
        ("classes", "unseen, seen or all"),
        ("attributes", "the first N, or names"),
        ("error_rate", "a rate or a CSV file"),
        ("pair", "two classes"),
        ("out", "where to write"),
    ):
        flags.DEFINE_string(name, None, says, flag_values=values)
    flags.DEFINE_float("time_limit", 60.0, "seconds", flag_values=values)
    flags.DEFINE_integer("select", 8, "attributes to select", flag_values=values)
    known = [f"--{name}" for name in values]
    for argument in argv:
        if argument.startswith("-") and argument.lstrip("-").partition("=")[0] not in values:
            raise errors.unknown("flag of bound", argument.partition("=")[0], known)
    try:
        _, *paths = values(["bound", *argv])
    except flags.Error as error:
        raise errors.UserError(f"bound: {' '.join(str(error).split())}") from error
    if len(paths) != 1:
        raise errors.UserError(f"bound takes one folder or file, not {len(paths)}; see python -m zsl_jax bound --help")
    return values, paths[0]


def _wish(values: flags.FlagValues, path: str) -> _Wish:
    if not values.time_limit > 0:
        raise errors.UserError(f"--time_limit={values.time_limit:g}: seconds above 0 are wanted")
    if values.select < 0:
        raise errors.UserError(f"--select={values.select}: a number of attributes is wanted, or 0 for none")
    if values.out and pathlib.Path(values.out).exists() and not pathlib.Path(values.out).is_dir():
        raise errors.UserError(f"--out={values.out}: this is a file; a folder is wanted")
    table = bound_tables.choose(bound_tables.read(path, values.classes), values.attributes)
    rates = None if values.error_rate is None else bound_tables.read_error_rates(values.error_rate, table)
    if table.unknown.any():  # an unknown value is one that may be anything
        rates = np.where(table.unknown, 1.0, 0.0 if rates is None else rates)
    return _Wish(table, rates, _pair(values.pair, table.classes), values.select, values.time_limit)


def _pair(text: str | None, classes: tuple[str, ...]) -> tuple[int, int] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or names[0] == names[1]:
        raise errors.UserError(f"--pair={text}: two classes are wanted, e.g. --pair={classes[0]},{classes[1]}")
    for name in names:
        if name not in classes:
            raise errors.unknown("class", name, classes)
    return classes.index(names[0]), classes.index(names[1])


def _bound(wish: _Wish, name: str) -> tuple[dict, np.ndarray]:
    """The record of the bound, and how much of each two classes is alike."""
    table, start, interrupted, found = wish.table, time.monotonic(), False, None
    try:
        for found in bounds.narrow(table.matrix, error_rates=wish.error_rates, time_limit=wish.time_limit):
            _progress(f"between {found.lower:.4f} and {found.upper:.4f}, {time.monotonic() - start:.0f} s")
    except KeyboardInterrupt:
        interrupted = True
        if found is None:
            raise
    _progress("")
    alike, pairwise = bounds.shared(found.adversary), np.asarray(bounds.pairwise(table.matrix))
    couples = list(itertools.combinations(range(len(table.classes)), 2))
    worst = sorted(couples, key=lambda pair: (-alike[pair], -pairwise[pair]))[: max(_SHOWN, len(table.classes))]
    record = {
        "table": name,
        "classes": list(table.classes),
        "attributes": list(table.attributes),
        "unknown_values": int(table.unknown.sum()),
        "error_rates": None if wish.error_rates is None else wish.error_rates.tolist(),
        "guarantee": found.lower,
        "upper": found.upper,
        "exact": found.width <= 1e-6,
        "interrupted": interrupted,
        "seconds": time.monotonic() - start,
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
        "pair": None if wish.pair is None else _separating(table, wish.pair),
        "selection": [],
        "exchanged": None,
        "map": {"offset": np.asarray(found.rule.offset).tolist(), "slope": np.asarray(found.rule.slope).tolist()},
        "versions": {name: importlib.metadata.version(name) for name in ("zsl-jax", "jax", "numpy", "scipy")}
        | {"python": platform.python_version()},
    }
    return record, alike


def _separating(table: bound_tables.Table, pair: tuple[int, int]) -> dict:
    error = np.asarray(bounds.separating(table.matrix, *pair))
    best = np.argsort(error, kind="stable")[:_SHOWN]
    return {
        "classes": [table.classes[i] for i in pair],
        "attributes": [{"attribute": table.attributes[i], "error": float(error[i])} for i in best],
    }


def _select(wish: _Wish, record: dict) -> None:
    """Adds the selection of attributes to the record, as far as there is time."""
    table = wish.table
    columns = np.flatnonzero(~np.any(table.unknown, axis=0))
    count = min(wish.select, len(columns), selection_lib.largest(len(table.classes)))
    if not count or record["interrupted"]:
        return
    matrix, names, end = (
        table.matrix[:, columns],
        [table.attributes[i] for i in columns],
        time.monotonic() + wish.time_limit,
    )
    try:
        _progress(f"selecting attribute 1 of {count}")
        for step in bounds.greedy(matrix, count):
            row = {
                "attributes": len(step.attributes),
                "added": names[step.attributes[-1]],
                "guarantee": step.found.lower,
            }
            record["selection"].append(row)
            _progress(f"selecting attribute {len(step.attributes) + 1} of {count}")
            if time.monotonic() > end:
                break
        for better in itertools.islice(bounds.exchange(matrix, step.attributes), 1, None):
            attributes = [names[i] for i in better.attributes]
            record["exchanged"] = {"attributes": attributes, "guarantee": better.found.lower}
            _progress(f"exchanging attributes: {better.found.lower:.4f}")
            if time.monotonic() > end:
                break
    except KeyboardInterrupt:
        record["interrupted"] = True
    _progress("")


def _report(record: dict) -> list[str]:
    """The lines that are printed."""
    num_classes = len(record["classes"])
    lines = [f"{record['table']}: {num_classes} classes, {len(record['attributes'])} attributes"]
    if record["unknown_values"]:
        lines.append(f"{record['unknown_values']} values are missing and may be anything")
    if record["error_rates"] is not None:
        lines.append(
            f"detectors are wrong in {100 * np.mean(record['error_rates']):.2f} % of the cases, on average, at most"
        )
    lines.append("")
    if record["exact"]:
        lines.append(f"the best map guarantees an accuracy of {_percent(record['guarantee'])} (exact)")
    else:
        lower, upper, width = record["guarantee"], record["upper"], record["upper"] - record["guarantee"]
        lines += [
            f"the best map guarantees an accuracy between {_percent(lower)} and {_percent(upper)}",
            f"(both are proved; they are {_percent(width)} apart, and a longer --time_limit narrows that)",
        ]
    lines.append(f"mean over classes, chance is {_percent(1 / num_classes)}; {record['seconds']:.1f} s")
    if record["interrupted"]:
        lines.append("interrupted: this is as far as it came")
    for first, second in record["identical"]:
        lines.append(f"{first!r} and {second!r} are described alike: between them every map is at chance, 50 %")
    lines += _confusions(record) + _selected(record) + _pair_lines(record)
    return lines


def _confusions(record: dict) -> list[str]:
    rows = record["confusions"][:_SHOWN]
    if not rows:
        return ["", "in the worst case no two classes are confused"]
    width = max(len(f"{a}, {b}") for a, b in (row["classes"] for row in rows))
    lines = ["", f"{'confused in the worst case':<{width}}  {'alike':>8}  {'least error between the two':>28}"]
    return lines + [
        f"{', '.join(row['classes']):<{width}}  {_percent(row['alike']):>8}  {_percent(row['pairwise_error']):>28}"
        for row in rows
    ]


def _selected(record: dict) -> list[str]:
    rows = record["selection"]
    if not rows:
        return []
    width = max(len(row["added"]) for row in rows) + 2
    lines = ["", f"{'attributes':<11}{'added':<{width}}{'guarantee (perfect detectors)':>30}"]
    lines += [f"{row['attributes']:<11}{row['added']:<{width}}{_percent(row['guarantee']):>30}" for row in rows]
    if record["exchanged"]:
        names = ", ".join(record["exchanged"]["attributes"])
        lines.append(f"after exchanges: {names}: {_percent(record['exchanged']['guarantee'])}")
    return lines


def _pair_lines(record: dict) -> list[str]:
    if record["pair"] is None:
        return []
    first, second = record["pair"]["classes"]
    rows = record["pair"]["attributes"]
    width = max(len(row["attribute"]) for row in rows)
    lines = ["", f"to tell {first!r} from {second!r}: the attribute, and the least error between the two with it alone"]
    return lines + [f"{row['attribute']:<{width}}  {_percent(row['error']):>8}" for row in rows]


def _save(folder: pathlib.Path, record: dict, alike: np.ndarray) -> list[pathlib.Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "bound.json", record)
    try:
        from zsl_jax import plots
        from zsl_jax.verbs import bound_pictures
    except ImportError:
        print("no picture without matplotlib: pip install 'zsl-jax[viz]'", file=sys.stderr)
        return [folder / "bound.json"]
    plots.save(bound_pictures.story(record, alike), folder / "bound.png")
    return [folder / "bound.json", folder / "bound.png"]


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
