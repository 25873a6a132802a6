"""What the scripts of pages on runs share: a command with names in capitals for files, run where it has no record."""

import json
import pathlib
import shlex
import sys

from zsl_jax import __main__


def record(lines: list[list[str]], places: dict[str, str]) -> dict | None:
    """Returns the record of a run that some commands make, run now where there is none; None where a file is not given.

    Args:
      lines: words of each command; the last one's end is its `--workdir`.
      places: what stands for each name in capitals.
    """
    words = {word.partition("=")[2] for line in lines for word in line}
    if any(word.replace("_", "").isalpha() and word.isupper() and word not in places for word in words):
        return None
    path = pathlib.Path(lines[-1][-1].partition("=")[2]) / "record.json"
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    for line in [] if path.exists() else lines:
        filled = [_filled(word, places) for word in line]
        if __main__.main(filled):
            sys.exit(f"failed: {shlex.join(filled)}")
    return json.loads(path.read_text())


def _filled(word: str, places: dict[str, str]) -> str:
    flag, sign, value = word.partition("=")
    return f"{flag}={places[value]}" if sign and value in places else word
