"""The record of a run: what was run, on what data, how it was chosen, and what came out. Fractions in [0, 1]."""

import importlib.metadata
import json
import pathlib
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from zsl_jax.data import dataset
from zsl_jax.training import checkpoints, evaluation

VERSION = 1
_DRAWS, _LEVEL = 2000, 0.95
_IDENTITY = ("semantics", "attributes", "split", "benchmark", "files")
_PLACES = ("dir", "file")
_PACKAGES = ("zsl-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def make(
    config,
    source: dataset.Dataset,
    method,
    task: dataset.Task,
    evaluated: evaluation.Evaluation,
    selection: dict,
    state: Any,
    timing: dict,
    device: str,
) -> dict:
    """Returns the record as a JSON-able dict; see the design's field list."""
    calibrated = evaluation.calibrated(evaluated, task, selection["gamma"])
    per_class = _per_class(evaluated, calibrated, task)
    return {
        "version": VERSION,
        "method": config.method.name,
        "setting": method.setting,
        "dataset": _describe(source, task),
        "metrics": {
            "zsl": _floats(evaluated.zsl),
            "gzsl": _floats(evaluated.gzsl) | {"calibrated": calibrated.metrics},
        },
        "intervals": intervals(per_class),
        "selection": selection,
        "seeds": [config.seed],
        "per_class": per_class,
        "state_sha256": checkpoints.state_sha256(state),
        "config": json.loads(config.to_json()),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "device": device,
        "timing": timing,
    }


def merged(records: Sequence[dict]) -> dict:
    """Returns one record of several runs that differ in their seed alone.

    Metrics, and the epochs and gamma that were chosen, become lists, one value a seed; correct images of a class
    become means over the seeds, times medians. The scores of every epoch and the hash of the state are left out, and of
    the places of the data all but the last name.
    """
    first = records[0]
    fields = ("version", "method", "setting", "dataset", "config", "versions", "device")
    selection = {name: first["selection"][name] for name in ("on", "metric", "classes")}
    selection |= {name: [record["selection"][name] for record in records] for name in ("epochs", "gamma")}
    places = {name: pathlib.PurePath(first["config"]["data"].get(name, "")).name for name in _PLACES}
    data = first["config"]["data"] | {name: place for name, place in places.items() if place}
    return {name: first[name] for name in fields} | {
        "config": first["config"] | {"data": data},
        "metrics": _zipped([record["metrics"] for record in records], list),
        "selection": selection,
        "seeds": [seed for record in records for seed in record["seeds"]],
        "per_class": {
            name: _zipped([record["per_class"][name] for record in records], _mean) | {"seen": entry["seen"]}
            for name, entry in first["per_class"].items()
        },
        "timing": _zipped([record["timing"] for record in records], statistics.median),
    }


def _describe(source: dataset.Dataset, task: dataset.Task) -> dict:
    counts = {name: len(getattr(task, name).labels) for name in ("train", "test_seen", "test_unseen")}
    counts |= {"seen_classes": task.num_seen, "unseen_classes": len(task.unseen_classes)}
    identity = {name: source.info[name] for name in _IDENTITY if name in source.info}
    inputs = {
        "shape": list(source.inputs.shape[1:]),
        "dtype": str(source.inputs.dtype),
        "preprocessing": source.info.get("preprocessing"),
    }
    return {"name": source.name, **identity, "counts": counts, "inputs": inputs}


def intervals(per_class: dict[str, dict]) -> dict[str, Any]:
    """Returns 95 % intervals over the test images by metric, with their `level`: by bootstrap within each class.

    As `metrics.resampled_counts` draws them, but without the two seconds that compiling it would add to a run.

    Args:
      per_class: images and correct ones of each class, as the record holds them.
    """
    entries = list(per_class.values())
    images, seen = (np.array([entry[name] for entry in entries]) for name in ("images", "seen"))
    rng = np.random.default_rng(0)

    def accuracy(correct: str, of: np.ndarray) -> np.ndarray:
        right = np.array([entry.get(correct, 0) for entry in entries])[of]
        return np.mean(rng.binomial(images[of], right / images[of], (_DRAWS, len(right))) / images[of], axis=1)

    samples = {"zsl": accuracy("zsl_correct", ~seen)}
    for prefix, correct in (("", "gzsl_correct"), ("calibrated_", "calibrated_correct")):
        u, s = accuracy(correct, ~seen), accuracy(correct, seen)
        harmonic = 2 * u * s / np.maximum(u + s, np.finfo(float).tiny)
        samples |= {f"{prefix}unseen": u, f"{prefix}seen": s, f"{prefix}harmonic": harmonic}
    tails = (1 - _LEVEL) / 2
    found = {name: np.quantile(values, (tails, 1 - tails)).tolist() for name, values in samples.items()}
    return {"level": _LEVEL, **found}


def _per_class(evaluated: evaluation.Evaluation, calibrated: evaluation.Calibrated, task: dataset.Task) -> dict:
    """Correct and total test images of every class that has any."""
    return {
        name: {
            "seen": bool(task.classes.is_seen[row]),
            "images": int(evaluated.total[row]),
            "gzsl_correct": int(evaluated.gzsl_correct[row]),
            "calibrated_correct": int(calibrated.correct[row]),
            **({} if task.classes.is_seen[row] else {"zsl_correct": int(evaluated.zsl_correct[row])}),
        }
        for row, name in enumerate(task.classes.names)
        if evaluated.total[row]
    }


def _zipped(trees: Sequence[Any], join: Callable[[Iterable], Any]) -> Any:
    """Joins the leaves of dicts of one shape."""
    if not isinstance(trees[0], dict):
        return join(trees)
    return {name: _zipped([tree[name] for tree in trees], join) for name in trees[0]}


def _mean(values: Iterable[float]) -> float:
    mean = statistics.fmean(values)
    return int(mean) if mean == int(mean) else mean


def _floats(values: dict) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
