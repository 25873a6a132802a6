"""What the scripts of pages on runs share: a command with names in capitals for files, run where it has no record."""

import argparse
import functools
import json
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterable

import numpy as np
from scipy import stats

from zsl_jax import __main__


def record(lines: list[list[str]], places: dict[str, str], leaves: str = "record.json") -> dict | None:
    """Returns the record of a run that some commands make, run now where there is none; None where a file is not given.

    Args:
      lines: words of each command; the last one's end is its `--workdir`.
      places: what stands for each name in capitals.
      leaves: the file of the workdir that is the record.
    """
    words = {word.partition("=")[2] for line in lines for word in line}
    if any(word.replace("_", "").isalpha() and word.isupper() and word not in places for word in words):
        return None
    path = pathlib.Path(lines[-1][-1].partition("=")[2]) / leaves
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    for line in [] if path.exists() else lines:
        filled = [_filled(word, places) for word in line]
        if __main__.main(filled):
            sys.exit(f"failed: {shlex.join(filled)}")
    return json.loads(path.read_text())


def cell(values: np.ndarray) -> str:
    """Returns the mean, and half the width of its 95 % interval by Student's t; the value of a single one.

    >>> cell(np.array([10.0])), cell(np.array([10.0, 12.0]))
    ('10.0', '11.0 ± 12.7')
    """
    if len(values) == 1:
        return f"{values[0]:.1f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.1f} ± {half:.1f}"


def picked(metrics: dict, paths: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Returns some numbers of a record's metrics by name, to four digits.

    >>> picked({"zsl": {"top1": 0.25}}, {"ZSL": ("zsl", "top1")})
    {'ZSL': 0.25}
    """
    return {name: round(functools.reduce(lambda at, part: at[part], path, metrics), 4) for name, path in paths.items()}


def main(
    says: str,
    names: Iterable[str],
    measure: Callable[[dict[str, str]], None],
    page: Callable[[dict], str],
    *,
    figures: pathlib.Path,
    written: pathlib.Path,
    begin: str,
) -> None:
    """Runs what the command line names files for, and writes the part of a page that begins with `begin`.

    Args:
      says: the help.
      names: of the files, as options; in capitals they stand in commands.
      measure: `{NAME: file} -> None`, writes the figures.
      page: `figures -> text`.
      figures, written: the files of the figures and of the page.
      begin: the heading.
    """
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    for name in names:
        parser.add_argument(f"--{name}", help=f"what stands for {name.upper()}")
    given = parser.parse_args()
    if not given.page:
        measure({name.upper(): getattr(given, name) for name in names if getattr(given, name)})
    written.write_text(written.read_text().partition(begin)[0] + page(json.loads(figures.read_text())))


def _filled(word: str, places: dict[str, str]) -> str:
    flag, sign, value = word.partition("=")
    return f"{flag}={places[value]}" if sign and value in places else word
