"""Records read back from disk: whole, of a version that is understood, every file once."""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from zsl_jax import errors
from zsl_jax.training import record as record_lib

OLDEST = 1
METRICS = {
    "zsl": ("zsl", "top1"),
    "unseen": ("gzsl", "unseen"),
    "seen": ("gzsl", "seen"),
    "harmonic": ("gzsl", "harmonic"),
    "ausuc": ("gzsl", "ausuc"),
    "calibrated_unseen": ("gzsl", "calibrated", "unseen"),
    "calibrated_seen": ("gzsl", "calibrated", "seen"),
    "calibrated_harmonic": ("gzsl", "calibrated", "harmonic"),
    "gamma": ("gzsl", "calibrated", "gamma"),
}
_NEEDED = (
    *("method", "setting", "metrics", "seeds", "per_class", "config.method", "selection.on"),
    *("dataset.name", "dataset.semantics", "dataset.split", "dataset.files"),
    *(f"dataset.counts.{name}" for name in ("train", "test_seen", "test_unseen", "seen_classes", "unseen_classes")),
)
_NEEDED_OF_CLASS = ("seen", "images", "gzsl_correct")


@dataclasses.dataclass(frozen=True)
class Record:
    """A `record.json`: its file, the name of its run within the folder that was searched, and what it holds."""

    path: pathlib.Path
    name: str
    content: dict


def load(folders: Sequence[str | os.PathLike]) -> list[Record]:
    """Reads every `record.json` in the folders and below them, each file once.

    Raises:
      UserError: a folder is missing or holds no record, or a record is damaged, incomplete or of another version.
    """
    found = {}
    for folder in map(pathlib.Path, folders):
        if not folder.is_dir():
            raise errors.UserError(f"no folder {str(folder)!r}: report takes folders of runs, e.g. runs")
        paths = sorted(folder.rglob("record.json"))
        if not paths:
            raise errors.UserError(f"no record.json in {folder} or below it: train leaves one in its --workdir")
        for path in paths:
            inside = path.parent.relative_to(folder)
            found.setdefault(path.resolve(), (path, (inside if inside.parts else folder.absolute()).as_posix()))
    return [
        Record(path, name if not name.startswith("/") else pathlib.PurePosixPath(name).name, read(path))
        for path, name in found.values()
    ]


def read(path: pathlib.Path) -> dict:
    """Returns a record as this version of the library writes it.

    Raises:
      UserError: it is damaged, incomplete or of another version.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise errors.UserError(f"{path} is damaged ({error}): delete it and train again") from error
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise errors.UserError(f"{path} is no record of a run: it names no version")
    if version > record_lib.VERSION:
        raise errors.UserError(
            f"{path} is a record of version {version}, this zsl-jax reads up to {record_lib.VERSION}: "
            "install a newer one"
        )
    if version < OLDEST:
        raise errors.UserError(
            f"{path} is a record of version {version}, which lacks what a report needs: train again (version {OLDEST})"
        )
    missing = [name for name in _NEEDED if _get(content, name) is None]
    if missing:
        raise errors.UserError(f"{path} is damaged: it lacks {', '.join(missing)}")
    if not isinstance(content["seeds"], list) or not content["seeds"]:
        raise errors.UserError(f"{path} is damaged: seeds is {content['seeds']!r}, not a list of them")
    for name, counted in content["per_class"].items():
        needed = _NEEDED_OF_CLASS if _get(counted, "seen") else (*_NEEDED_OF_CLASS, "zsl_correct")
        missing = [field for field in needed if _get(counted, field) is None]
        if missing:
            raise errors.UserError(f"{path} is damaged: per_class.{name} lacks {', '.join(missing)}")
    for name in METRICS:
        _check_values(path, name, content)
    return content


def values(record: Record, name: str) -> np.ndarray:
    """Returns a metric `[S]`, one value a seed, or `[1]` where the record gives only the mean over its seeds."""
    return _values(record.content, name)


def _get(content: Any, name: str) -> Any:
    """Returns what a dotted name leads to, or None."""
    for part in name.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _values(content: dict, name: str) -> np.ndarray:
    return np.atleast_1d(np.asarray(functools.reduce(dict.__getitem__, METRICS[name], content["metrics"]), float))


def _check_values(path: pathlib.Path, name: str, content: dict) -> None:
    where = f"metrics.{'.'.join(METRICS[name])}"
    try:
        found = _values(content, name)
    except (KeyError, TypeError, ValueError):
        raise errors.UserError(f"{path} is damaged: no number in {where}") from None
    if not np.all(np.isfinite(found)) or (name != "gamma" and (found.min() < 0 or found.max() > 1)):
        raise errors.UserError(f"{path} is damaged: {where} is {found}, not in [0, 1]")
    if len(found) not in (1, len(content["seeds"])):
        raise errors.UserError(f"{path} is damaged: {len(found)} values in {where}, {len(content['seeds'])} seeds")
