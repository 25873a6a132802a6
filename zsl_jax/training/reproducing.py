"""A run rebuilt from its record alone, run again, and compared with it.

A record holds the whole config but no folder of the machine it was made on: where data lies is told anew.
"""

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_collections
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.training import problems, reading, record, run

# Fractions that a record of one seed may differ by and count as the same.
SAME = 0.0005


class Compared(NamedTuple):
    """One metric of a seed, recorded and new.

    Fields:
      title: of the metric.
      kind: `accuracy` or `number`.
      recorded, new: values.
      deviation: over the record's seeds; None with one seed.
      within: whether the difference is at most the deviation, or `SAME` with one seed, or what one test image makes.
    """

    title: str
    kind: str
    recorded: float
    new: float
    deviation: float | None
    within: bool


def config_of(content: dict, *, seed: int | None = None, folder: str = "") -> ml_collections.ConfigDict:
    """Returns the config of a record's run.

    Args:
      content: of a record.
      seed: one of the record's; None for the first.
      folder: what the record's data and weights are in, or one of these itself.

    Raises:
      UserError: a seed that the record does not have, data that is not found, or a config of another version.
    """
    seeds = content["seeds"]
    if seed is not None and seed not in seeds:
        raise errors.UserError(f"--seed={seed} is none of the record's seeds: {', '.join(map(str, seeds))}")
    config = config_lib.from_json(content["config"]).unlock()
    config.seed = seeds[0] if seed is None else seed
    config.plots = "none"
    known = config_lib.method_section(content["method"])
    for name in config.method:
        if name not in known:
            raise errors.unknown(f"knob of {content['method']} in the record", name, known)
    for section, name in record.PLACES:
        if section in config and config[section].get(name):
            config[section][name] = str(_place(f"{section}.{name}", config[section][name], folder))
    config_lib.check(config)
    return config.lock()


def again(
    content: dict, config: ml_collections.ConfigDict, workdir: pathlib.Path | None, *, say: Callable[[str], None]
) -> dict:
    """Returns the record of the run, run again in a workdir, or in a folder that is removed.

    Raises:
      UserError: the data are not those of the record.
    """
    problem = problems.make_problem(config)
    then, now = content["dataset"]["files"], dict(problem.dataset.info.get("files", {}))
    changed = sorted(name for name in then if now.get(name) != then[name])
    if changed:
        name = changed[0]
        raise errors.UserError(
            f"the data are not those of the record: {name} has sha256 {now.get(name, 'none')[:12]}, recorded is "
            f"{then[name][:12]}"
        )
    if workdir is not None:
        return run.run(config, workdir, say=say, problem=problem).record
    with tempfile.TemporaryDirectory() as temporary:
        return run.run(config, pathlib.Path(temporary) / "run", say=say, problem=problem).record


def compared(recorded: reading.Record, new: dict) -> list[Compared]:
    """Returns what is reported of a seed, in the order of the protocol's schema."""
    row = recorded.content["seeds"].index(new["seeds"][0])
    image = _one_image(recorded.content)
    result = []
    for metric in reading.protocol_of(recorded).schema:
        values = reading.values(recorded, metric)
        found = reading.values(reading.Record(recorded.path, recorded.name, new), metric)
        if values is None or found is None:
            continue
        was, now = float(values[row if len(values) > 1 else 0]), float(found[0])
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        allowed = SAME * max(1.0, abs(was)) if not deviation else max(deviation, SAME)
        if metric.kind == "accuracy":
            allowed = max(allowed, image + 1e-6)
        result.append(Compared(metric.title, metric.kind, was, now, deviation, abs(now - was) <= allowed))
    return result


def _one_image(content: dict) -> float:
    """The most that one test image moves an accuracy: two scores that tie may fall either way on another machine."""
    sides: dict[bool, list[float]] = {}
    for found in content.get("per_class", {}).values():
        if found.get("images"):
            sides.setdefault(bool(found.get("seen")), []).append(found["images"])
    return max((1 / (len(images) * min(images)) for images in sides.values()), default=0.0)


def changes(recorded: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Returns what differs between the two beside their numbers: versions and devices."""
    then, now = recorded.get("versions", {}), new["versions"]
    lines = [f"{name} {then[name]} then, {now.get(name)} now" for name in then if then[name] != now.get(name)]
    was, here = recorded.get("device", "unknown"), new["device"]
    return [*lines, *([f"device {was} then, {here} now"] if was != here else [])]


def _place(key: str, name: str, folder: str) -> pathlib.Path:
    """Where a file or folder is of which the record has the last name: in `folder`, or `folder` itself."""
    if not folder:
        raise errors.UserError(
            f"the record was made from {key}={name}, and says no more of its place: --folder=FOLDER names it, or the "
            "folder that it is in"
        )
    given = pathlib.Path(folder).expanduser()
    found = next((path for path in (given / name, given) if path.exists()), None)
    if found is None:
        raise errors.UserError(f"no file or folder {folder!r}, where --folder says that {key}={name} is")
    return found
