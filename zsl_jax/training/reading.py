"""Records read back from disk: whole, of a version that is understood, every file once."""

import dataclasses
import os
import pathlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.data import json_files
from zsl_jax.training import hits as hits_lib
from zsl_jax.training import problems, protocols
from zsl_jax.training import record as record_lib

OLDEST = 1
_REMEDY = "delete it and train again"
_KINDS = {str: "a text", dict: "an object", list: "a list", int: "a whole number"}
_NEEDED = {
    **dict.fromkeys(("method", "setting", "selection.on", "config.method.name", "config.data.name"), str),
    **dict.fromkeys(("metrics", "per_class", "dataset.files"), dict),
    "seeds": list,
    **dict.fromkeys(("dataset.name", "dataset.semantics", "dataset.split"), str),
    **dict.fromkeys((f"dataset.counts.{name}" for name in ("train", "seen_classes", "unseen_classes")), int),
}
_WHERE_THERE = {
    **dict.fromkeys(("dataset.inputs", "selection.late", "timing", "versions", "losses", "made_of"), dict),
    **dict.fromkeys(("protocol", "dataset.benchmark"), str),
    **dict.fromkeys(("sees", "selection.knobs"), list),
}
_NEEDED_OF_CLASS = {"gzsl": ("gzsl_correct",)}


@dataclasses.dataclass(frozen=True)
class Record:
    """A `record.json`: its file, the name of its run within the folder that was searched, and what it holds."""

    path: pathlib.Path
    name: str
    content: dict


def load(folders: Sequence[str | os.PathLike], *, warn: Callable[[str], None] | None = None) -> list[Record]:
    """Reads every `record.json` in the folders and below them, each file once.

    Args:
      folders: where to look.
      warn: called with what is wrong with a record, which is then left out; None raises it.

    Raises:
      UserError: a folder is missing or holds no record, or a record is damaged, incomplete or of another version; with
        `warn` only where none is left.
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
    records, faults = [], []
    for path, name in found.values():
        try:
            content = read(path)
            if content.get("diverged"):
                raise errors.UserError(f"{path} is of a run whose training diverged: it counts as no seed")
            if not content["metrics"]:
                raise errors.UserError(f"{path} is of a run without test inputs: it has nothing to report")
        except errors.UserError as error:
            if warn is None:
                raise
            faults.append(error)
            continue
        short = pathlib.PurePosixPath(name).name if name.startswith("/") else name
        records.append(Record(path, short, content))
    if not records:
        raise faults[0]
    for fault in faults:
        warn(str(fault))
    return records


def read(path: pathlib.Path) -> dict:
    """Returns a record as this version of the library writes it.

    Raises:
      UserError: it is damaged, incomplete or of another version.
    """
    content = json_files.unsealed(json_files.read(path, _REMEDY), path, _REMEDY)
    version = content.get("version")
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
    for name, kind in (_NEEDED | _WHERE_THERE).items():
        found = _get(content, name)
        if not isinstance(found, kind) and (found is not None or name in content):
            raise errors.UserError(f"{path} is damaged: {name} is {found!r}, not {_KINDS[kind]}")
    if not content["seeds"] or not all(isinstance(seed, int) for seed in content["seeds"]):
        raise errors.UserError(f"{path} is damaged: seeds is {content['seeds']!r}, not a list of them")
    for name, digests in {"dataset.files": content["dataset"]["files"], "made_of": content.get("made_of", {})}.items():
        if not all(isinstance(digest, str) for digest in digests.values()):
            raise errors.UserError(f"{path} is damaged: {name} holds something else than hashes")
    try:
        config_lib.from_json(content["config"])
    except errors.UserError as error:
        raise errors.UserError(f"{path} is damaged: {error}") from error
    content.setdefault("protocol", "gzsl")
    content.setdefault("sees", [word for word, said in problems.SETTINGS.items() if said == content["setting"]])
    try:
        protocol = protocols.find(content["protocol"])
    except errors.UserError as error:
        raise errors.UserError(f"{path}: {error}") from error
    for name, counted in content["per_class"].items():
        needed = ["seen", "images", *_NEEDED_OF_CLASS.get(protocol.name, ())]
        if protocol.name == "gzsl" and not _get(counted, "seen"):
            needed.append("zsl_correct")
        missing = [field for field in needed if _get(counted, field) is None]
        if missing:
            raise errors.UserError(f"{path} is damaged: per_class.{name} lacks {', '.join(missing)}")
    if "hits" in content:
        _hits(path, content)
    if content["metrics"]:  # empty where there was no test input
        for metric in protocol.schema:
            _check_values(path, metric, content)
    return content


def protocol_of(record: Record) -> protocols.Protocol:
    """Returns the protocol that a record follows."""
    return protocols.find(record.content["protocol"])


def values(record: Record, metric: protocols.Metric) -> np.ndarray | None:
    """Returns a metric `[S]`, one value per seed, or `[1]` where the record gives only the mean over its seeds.

    None where it was not measured.
    """
    return _values(record.content, metric)


def hits(record: Record) -> hits_lib.Hits:
    """Returns on which images a record's seeds are right."""
    return _hits(record.path, record.content)


def _hits(path: pathlib.Path, content: dict) -> hits_lib.Hits:
    images = [counted["images"] for counted in content["per_class"].values()]
    try:
        return hits_lib.read(content["hits"], images, len(content["seeds"]))
    except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise errors.UserError(f"{path} is damaged: its hits cannot be read ({error})") from error


def _get(content: Any, name: str) -> Any:
    """Returns what a dotted name leads to, or None."""
    for part in name.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _values(content: dict, metric: protocols.Metric) -> np.ndarray | None:
    found = _get(content["metrics"], ".".join(metric.path))
    return None if found is None else np.atleast_1d(np.asarray(found, float))


def _check_values(path: pathlib.Path, metric: protocols.Metric, content: dict) -> None:
    where = f"metrics.{'.'.join(metric.path)}"
    try:
        found = _values(content, metric)
    except (TypeError, ValueError):
        raise errors.UserError(f"{path} is damaged: no number in {where}") from None
    if found is None:
        if metric.name == protocols.find(content["protocol"]).schema[0].name:
            raise errors.UserError(f"{path} is damaged: no number in {where}")
        return
    if not np.all(np.isfinite(found)) or (metric.kind == "accuracy" and (found.min() < 0 or found.max() > 1)):
        raise errors.UserError(f"{path} is damaged: {where} is {found}, not in [0, 1]")
    if len(found) not in (1, len(content["seeds"])):
        raise errors.UserError(f"{path} is damaged: {len(found)} values in {where}, {len(content['seeds'])} seeds")
