"""What any method can reach with a class-attribute matrix, and what a finished run made of it."""

import pathlib
import sys
import time
from collections.abc import Sequence

import numpy as np
from absl import flags

from zsl_jax import errors
from zsl_jax.training import files
from zsl_jax.verbs.bounding import detectors, report, tables
from zsl_jax.verbs.bounding import record as record_lib

USAGE = """\
usage: python -m zsl_jax bound FOLDER|FILE.csv|WORKDIR [--classes=unseen|seen|all|NAME,NAME,...]
       [--attributes=N|NAME,NAME,...] [--error_rate=RATE|FILE.csv] [--detections=FILE.csv|WORKDIR]
       [--time_limit=SECONDS] [--select=N] [--pair=CLASS,CLASS] [--out=DIR]

FOLDER        a benchmark in the xlsa17 layout: att_splits.mat (original_att) and testclasses.txt are read
FILE.csv      a header with attribute names, then one class per line: its name and P(attribute | class) in [0, 1]
WORKDIR       of a finished run: its unseen classes, and what it confuses beside what the bound says; if the method
              predicts attributes (dap, iap), the bound for detectors that err as its own do on validation classes

--classes     which classes are candidates (default: the unseen ones of a folder, all of a file)
--attributes  the first N, or those of these names (in a folder attributes are numbered from 1)
--error_rate  how often attribute detectors are wrong at most: a rate, or a file like the table (default 0)
--detections  what detectors say of images of validation classes, to measure how far they are off: a header with
              attribute names, then one image per line: its class and the probability of each attribute; or a run of
              dap or iap
--time_limit  seconds for the bound, and as many again for the selection (default 60); more than 16 classes need them
--select      how many attributes to select, one by one (default 8; 0 for none)
--pair        two classes: which attribute to annotate next to tell them apart (default: the most confused pair)
--out         where to write bound.json and bound.png

Ctrl-C stops early and keeps the best that was proved so far.

example: python -m zsl_jax bound xlsa17/data/AWA2 --out=bounds/awa2"""


def main(argv: Sequence[str]) -> int:
    if not argv:
        print(USAGE, file=sys.stderr)
        return errors.UserError.exit_code
    if {"-h", "-help", "--help"} & set(argv):
        print(USAGE)
        return 0
    values, path = _flags(argv)
    request = _request(values, path)
    progress = _Progress()
    record, alike = record_lib.bound(request, pathlib.Path(path).resolve().name, progress.show)
    record_lib.select(request, record, progress.show)
    progress.show("")
    for line in report.lines(record):
        print(line)
    if values.out:
        for written in _save(pathlib.Path(values.out), record, alike):
            print(f"wrote {written}")
    return 130 if record["interrupted"] else 0


def _flags(argv: Sequence[str]) -> tuple[flags.FlagValues, str]:
    values = flags.FlagValues()
    for name, says in (
        ("classes", "unseen, seen, all, or names"),
        ("attributes", "the first N, or names"),
        ("error_rate", "a rate or a CSV file"),
        ("detections", "a CSV file"),
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


def _request(values: flags.FlagValues, path: str) -> record_lib.Request:
    if not values.time_limit > 0:
        raise errors.UserError(f"--time_limit={values.time_limit:g}: seconds above 0 are wanted")
    if values.select < 0:
        raise errors.UserError(f"--select={values.select}: a number of attributes is wanted, or 0 for none")
    if values.out and pathlib.Path(values.out).exists() and not pathlib.Path(values.out).is_dir():
        raise errors.UserError(f"--out={values.out}: this is a file; a folder is wanted")
    if values.error_rate and values.detections:
        raise errors.UserError("--error_rate or --detections says how often detectors err, not both")
    run = detectors.read_run(path) if detectors.is_workdir(path) else None
    if run is not None:
        if values.classes:
            raise errors.UserError(f"{path} is a run: its unseen classes are the candidates; leave --classes out")
        whole = run.unseen
    else:
        whole = tables.read(path, values.classes)
    places = tables.attribute_places(whole, values.attributes)
    table = tables.columns(whole, places)
    rates, source = None, None
    if values.error_rate is not None:
        rates, source = detectors.read_error_rates(values.error_rate, table), f"--error_rate={values.error_rate}"
    elif values.detections:
        everyone = run.everyone if run is not None else tables.read(path, "all")
        if detectors.is_workdir(values.detections):
            detections = detectors.detections_of_run(values.detections, everyone, whole.classes)
        else:
            detections = detectors.read_detections(values.detections, everyone, whole.classes)
        rates, source = detectors.measured(detections, everyone)[places], values.detections
    elif run is not None and run.observed.validation is not None:
        detections = detectors.Detections(*run.observed.validation)
        rates = detectors.measured(detections, run.everyone)[places]
        source = f"{len(set(detections.classes))} validation classes of the run"
    if table.unknown.any():  # an unknown value is one that may be anything
        if rates is not None and rates.ndim == 1:
            rates = np.where(table.unknown.any(axis=0), 1.0, rates)
        else:
            rates = np.where(table.unknown, 1.0, 0.0 if rates is None else rates)
    pair = _pair(values.pair, table.classes)
    return record_lib.Request(
        whole, places, rates, source, pair, values.select, values.time_limit, run and run.observed, run and run.method
    )


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


def _save(folder: pathlib.Path, record: dict, alike: np.ndarray) -> list[pathlib.Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / "bound.json", record)
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={folder}: {error.strerror}") from error
    try:
        from zsl_jax import plots
        from zsl_jax.verbs.bounding import figure
    except ImportError:
        print("no figure without matplotlib: pip install 'zsl-jax[viz]'", file=sys.stderr)
        return [folder / "bound.json"]
    plots.save(figure.story(record, alike), folder / "bound.png")
    return [folder / "bound.json", folder / "bound.png"]


class _Progress:
    """One line that is written over on a terminal; elsewhere a line every ten seconds."""

    def __init__(self):
        self.shown = time.monotonic()

    def show(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif text and time.monotonic() - self.shown > 10:
            self.shown = time.monotonic()
            print(text, file=sys.stderr, flush=True)
