"""Build the table of results from the records of runs: on the terminal, as Markdown, CSV and a page."""

import contextlib
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Builds the table of results from every record.json in the folders and below them: method by dataset, ZSL and GZSL, mean
and deviation over seeds, intervals over test images, and which differences survive. Published figures stand beside ours
where dataset and protocol match. Prints it, and writes results.md, results.csv, results.html and leaderboard.html, a
page whose tables are sorted by a click.

usage: python -m zsl_jax report DIR... [--out=DIR]

  python -m zsl_jax report runs
  python -m zsl_jax report runs/ale_0 runs/ale_1 --out=results

--out=DIR is where the files go (default: the folder `report` in the first DIR)."""


def main(argv: Sequence[str]) -> int:
    folders, options = _split(argv)
    values = command_line.parse("report", options, _define, USAGE)
    if values is None:
        return 0
    if not folders:
        raise errors.UserError("report needs the folders of the runs, e.g. python -m zsl_jax report runs")

    from zsl_jax.training import files, reading, reports  # jax loads only once the command line is right
    from zsl_jax.verbs import leaderboard, pages, results, results_csv

    left_out: list[str] = []
    report = reports.collect(reading.load(folders, warn=left_out.append))
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    blocks = results.blocks(report)
    written = {
        "results.md": pages.as_markdown(blocks),
        "results.csv": results_csv.render(report),
        "results.html": pages.as_html(blocks, title=results.TITLE),
        "leaderboard.html": leaderboard.render(report),
    }
    out = pathlib.Path(values.out) if values.out else pathlib.Path(folders[0]) / "report"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:  # all files or none
            for name, text in written.items():
                part = stack.enter_context(files.replacing(out / name))
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={out}: {error.strerror}") from error
    print(pages.as_text(blocks))
    print()
    for name in written:
        print(f"written: {out / name}")
    return 0


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the folders and the flags; the word after a bare `--out` is its value.

    >>> _split(["runs", "--out", "results", "more"])
    (['runs', 'more'], ['--out', 'results'])
    """
    folders, options = [], []
    for argument in argv:
        is_option = argument.startswith("-") or options[-1:] in (["--out"], ["-out"])
        (options if is_option else folders).append(argument)
    return folders, options


def _define(values: flags.FlagValues) -> None:
    command_line.define_string(values, "out", "where the files go")
