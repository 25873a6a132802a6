"""Name the class of new inputs, for classes that are given in a table at that moment."""

import csv
import importlib.util
import json
import math
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

import tqdm
from absl import flags

from zsl_jax import errors, whole_files
from zsl_jax.data import input_files, tables, text_files
from zsl_jax.verbs import command_line

USAGE = """\
Names the class of new inputs with a finished run, among the classes of a table: also classes nobody has trained on.

usage: zsl-jax predict --workdir=DIR [--classes=TABLE.csv | --names NAME NAME ...] [--top=K] [--probabilities]
       [--abstain_below=P] [--explain] [--gamma=G] [--header=auto|yes|no] [--format=csv|jsonl] [--out=FILE]
       [--figure=FILE.png] [--skip_unreadable] INPUTS...

  python -m zsl_jax predict --workdir=runs/ale --classes=classes.csv features.npy
  python -m zsl_jax predict --workdir=runs/ale --figure=named.png photos/
  python -m zsl_jax predict --workdir=runs/ale --explain --format=jsonl images.npy

INPUTS          .npy, .npz or .csv files of what the run was trained on, one row per input, read a block at a time, so
                of any length; where the run knows how to make features of images, also arrays of them, uint8
                [N, H, W, 3], image files (.jpg, .png, ...), and folders of these. All inputs are checked before the
                first answer
--classes       one class per line, `class` and the run's attributes in the header (default: DIR/classes.csv, all its
                classes); a class is seen if the run has seen one of that name, or as a column `seen` says
                (.npz, in the form of DIR/classes.npz, where they are not described by a matrix)
--names         candidates by their names alone, where the run makes its descriptions of names; words after it that are
                no files, or --names=FILE.txt with a name per line
--top           candidates per input, best first (default 1)
--probabilities also the probability of each candidate; its temperature was fitted on validation classes,
                or is that of CLIP's or SigLIP's towers, where nothing was chosen
--abstain_below no answer where the best probability is lower, in [0, 1]
--explain       which attributes speak for the best class and against the next: their contributions to the margin
--gamma         what is subtracted from the scores of seen classes (default: as chosen on validation classes)
--header        whether .csv inputs begin with a header; auto: only where the first line is clearly one, said on stderr
--skip_unreadable  leave images out that cannot be read, and name them
--out           a file (default: standard output)
--figure        a PNG, PDF or SVG of the first 24 images with their names

CSV has a line per input: `input`, `prediction`, its `score_1`, and `class_2`, `score_2`, ... with --top; `class_1` is
the best candidate where --abstain_below may leave the prediction empty."""

_FORMATS = ("csv", "jsonl")
_FIGURES = (".png", ".pdf", ".svg")
_REASONS = 5
_SHOWN = 24  # images of the figure


def main(argv: Sequence[str]) -> int:
    argv, names = _split_names(argv)
    inputs = [pathlib.Path(word) for word in argv if not word.startswith("-")]
    values = command_line.parse("predict", [word for word in argv if word.startswith("-")], _define, USAGE)
    if values is None:
        return 0
    workdir = command_line.required_workdir(values, "predict")
    if not inputs:
        raise errors.UserError("predict needs files or folders of inputs, e.g. features.npy or photos/")
    _check(values)

    from zsl_jax.training import asking, candidates, predicting, trained

    command_line.check_out("--out", values.out, inputs)
    command_line.check_out("--figure", values.figure, inputs)
    model = trained.load(workdir, say=lambda line: print(line, file=sys.stderr))
    if values.classes and names:
        raise errors.UserError("--classes and --names both say which candidates there are: give one of them")
    classes = candidates.read(model, pathlib.Path(values.classes)) if values.classes else model.classes
    if names:
        classes = candidates.named(model, names)
    files = asking.files(model, inputs)
    skip = _left_out if values.skip_unreadable else None
    asking.check(model, files, skip=skip, header=values.header, say=_say)
    images = asking.shown(files, _SHOWN) if values.figure else {}
    if values.figure and not images:
        raise errors.UserError(f"--figure={values.figure} shows images, and none of the inputs is one")
    if model.method.together is not None:
        _say(f"{model.record['method']} decides on all inputs of this call together: an answer depends on the others")
    found = predicting.predict(
        model,
        classes,
        asking.blocks(model, files, skip=skip, header=values.header),
        top=values.top,
        gamma=values.gamma,
        num_reasons=_REASONS if values.explain else 0,
    )
    shown = {}
    _write(_kept(found, images, shown), values, min(values.top, len(classes)))
    if values.figure:
        _draw(images, shown, classes, values)
    return 0


def _kept(found: Iterator, images: Mapping, shown: dict) -> Iterator:
    """The predictions as they come; `shown` gets those of the images."""
    for prediction in found:
        if prediction.name in images:
            shown[prediction.name] = prediction
        yield prediction


def _draw(images: Mapping, shown: dict, classes, values: flags.FlagValues) -> None:
    from zsl_jax import plots

    is_seen = dict(zip(classes.names, classes.is_seen))
    answers = [(_answer(shown[name], values), shown[name].candidates[0].probability) for name in images]
    figure = plots.named_images(
        list(images.values()),
        [name for name, _ in answers],
        is_seen=[bool(is_seen.get(name)) for name, _ in answers],
        probabilities=[probability for _, probability in answers] if values.probabilities else None,
    )
    path = pathlib.Path(values.figure)
    try:
        plots.save(figure, path)
    except OSError as error:
        raise errors.UserError(f"cannot write to --figure={path}: {error.strerror}") from error
    _say(f"written: {path}")


def _split_names(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the arguments without `--names`, and the names: the words after it that are no files, or a file's lines.

    >>> _split_names(["--top=2", "--names", "red star", "blue dot"])
    (['--top=2'], ['red star', 'blue dot'])
    """
    rest, names, in_names = [], [], False
    for word in argv:
        if word.startswith("--names="):
            path = pathlib.Path(word.partition("=")[2])
            if not path.is_file():
                raise errors.UserError(f"--names={path}: no such file; a text file with a name per line is wanted")
            with text_files.opened(path) as file:
                names += [tables.name(line.strip()) for line in file if line.strip()]
        elif word == "--names":
            in_names = True
        elif in_names and not word.startswith("-") and not pathlib.Path(word).exists():
            names.append(tables.name(word))
        else:
            rest.append(word)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise errors.UserError(f"--names has {twice[0]!r} twice")
    return rest, names


def _left_out(error: errors.UserError) -> None:
    tqdm.tqdm.write(f"left out: {error}", file=sys.stderr)


def _say(line: str) -> None:
    tqdm.tqdm.write(line, file=sys.stderr)


def _define(values: flags.FlagValues) -> None:
    command_line.define_workdir(values)
    command_line.define_string(values, "classes", "table of the candidate classes")
    command_line.define_string(values, "out", "file to write")
    command_line.define_string(values, "figure", "figure of the images with their names")
    flags.DEFINE_string("header", "auto", "auto, yes or no", flag_values=values)
    flags.DEFINE_string("format", "csv", "csv or jsonl", flag_values=values)
    flags.DEFINE_integer("top", 1, "candidates per input", flag_values=values)
    flags.DEFINE_boolean("probabilities", False, "also probabilities", flag_values=values)
    flags.DEFINE_boolean("explain", False, "also the attributes that decide", flag_values=values)
    flags.DEFINE_float("abstain_below", None, "probability below which there is no answer", flag_values=values)
    flags.DEFINE_float("gamma", None, "subtracted from the scores of seen classes", flag_values=values)
    flags.DEFINE_boolean("skip_unreadable", False, "leave damaged images out", flag_values=values)


def _check(values: flags.FlagValues) -> None:
    if values.format not in _FORMATS:
        raise errors.unknown("format", values.format, _FORMATS)
    if values.header not in input_files.HEADERS:
        raise errors.unknown("header", values.header, input_files.HEADERS)
    if values.top < 1:
        raise errors.UserError(f"--top={values.top} is not a whole number >= 1")
    if values.abstain_below is not None and not 0 <= values.abstain_below <= 1:
        raise errors.UserError(f"--abstain_below={values.abstain_below:g} is not a probability in [0, 1]")
    if values.gamma is not None and not math.isfinite(values.gamma):
        raise errors.UserError(f"--gamma={values.gamma:g} is not a finite number")
    if values.figure is None:
        return
    path = pathlib.Path(values.figure)
    if path.suffix.lower() not in _FIGURES:
        raise errors.UserError(f"--figure={path}: a file that ends in {', '.join(_FIGURES)} is wanted")
    if not path.parent.is_dir():
        raise errors.UserError(f"--figure={path}: there is no folder {path.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise errors.UserError("--figure needs the package matplotlib: pip install 'zsl-jax[viz]'")


def _write(found: Iterator, values: flags.FlagValues, top: int) -> None:
    """Writes line by line; a file is there when all of it is, or not at all."""
    if not values.out:
        _lines(found, values, top, sys.stdout)
        return
    path = pathlib.Path(values.out)
    try:
        with whole_files.replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            _lines(found, values, top, file)
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={path}: {error.strerror}") from error
    print(f"written: {path}")


def _lines(found: Iterator, values: flags.FlagValues, top: int, file: TextIO) -> None:
    # To a terminal the lines are progress enough.
    bar = tqdm.tqdm(found, desc="predict", unit="input", disable=True if file.isatty() else None)
    if values.format == "jsonl":
        for prediction in bar:
            file.write(json.dumps(_as_json(prediction, values), ensure_ascii=False) + "\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    may_abstain = values.abstain_below is not None
    header = ["input", "prediction"]
    for rank in range(1, top + 1):
        header += [f"class_{rank}"] * (rank > 1 or may_abstain)
        header += [f"score_{rank}"] + [f"probability_{rank}"] * values.probabilities
    header += ["because"] * values.explain
    for number, prediction in enumerate(bar):
        if number == 0:
            writer.writerow(header)
        cells = [prediction.name, _answer(prediction, values) or ""]
        for rank, candidate in enumerate(prediction.candidates, 1):
            cells += [candidate.name] * (rank > 1 or may_abstain)
            cells += [_number(candidate.score)] + [_number(candidate.probability)] * values.probabilities
        cells += [_because(prediction.reasons)] if values.explain else []
        writer.writerow(cells)


def _answer(prediction, values: flags.FlagValues) -> str | None:
    best = prediction.candidates[0]
    abstains = values.abstain_below is not None and best.probability < values.abstain_below
    return None if abstains else best.name


def _as_json(prediction, values: flags.FlagValues) -> dict:
    candidates = [
        {"class": candidate.name, "score": candidate.score}
        | ({"probability": candidate.probability} if values.probabilities else {})
        for candidate in prediction.candidates
    ]
    result = {"input": prediction.name, "prediction": _answer(prediction, values), "candidates": candidates}
    return result | ({"because": prediction.reasons._asdict()} if values.explain else {})


def _because(reasons) -> str:
    """One line whose numbers add up to the margin.

    >>> from zsl_jax.training import predicting
    >>> _because(predicting.Reasons("horse", 0.5, {"striped": 0.75}, -0.25, 0.0))
    'over horse by 0.5: striped +0.75, other attributes -0.25'
    """
    parts = [f"{name} {value:+.4g}" for name, value in reasons.attributes.items()]
    if reasons.others:
        parts.append(f"other attributes {reasons.others:+.4g}")
    if reasons.calibration:
        parts.append(f"calibration {reasons.calibration:+.4g}")
    return f"over {reasons.runner_up} by {reasons.margin:.4g}: {', '.join(parts)}"


def _number(value: float) -> str:
    return f"{value:.6g}"
