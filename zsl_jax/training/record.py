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
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.encoders import class_sources, source_parts
from zsl_jax.methods import source_weights
from zsl_jax.training import checkpoints, evaluation, hashes, hits, parallel, phases, problems, states

VERSION = 1
_IDENTITY = ("semantics", "attributes", "split", "benchmark", "files", "described_by")
# The keys that say where files are: a record has the last name alone.
PLACES = (
    *(("data", name) for name in ("dir", "file", "words", "unseen_file")),
    ("encoder", "weights"),
    *(("classes", name) for name in source_parts.PLACES),
    *(("towers", name) for name in ("text", "image", "tie", "texts", "attributes")),
)
_SHARED = ("version", "method", "setting", "sees", "protocol", "dataset", "made_of", "config", "versions", "device")
_OF_A_RUN = ("seeds", "selection", "losses", "diverged", "state_sha256", "classes_sha256", "source_weights", "timing")
_PACKAGES = ("zsl-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def make(
    run: phases.Run,
    problem: problems.Problem,
    training: states.Training,
    *,
    state: Any,
    evaluated: evaluation.Evaluated | None,
    selection: dict,
    timing: dict,
    losses: dict[str, float] | None = None,
) -> dict:
    """Returns the record as a JSON-able dict; see the design's field list.

    Args:
      run: with the config, and the hashes of data and weights.
      problem: of the config.
      training: the final one.
      state: the finished state.
      evaluated: of the final task; None where it has no test input.
      selection: what was chosen.
      timing: seconds and rates.
      losses: mean losses of the first, the best and the last epoch of the final training.
    """
    config, source, task, protocol = run.config, problem.dataset, training.task, problem.protocol
    per_class = {} if evaluated is None else _per_class(evaluated.counts, task)
    seen = problems.sees(training.method, config, source.info)
    return {
        "version": VERSION,
        "method": config.method.name,
        "setting": problems.setting(seen),
        "sees": seen,
        "protocol": protocol.name,
        "dataset": _describe(source, task),
        "metrics": {} if evaluated is None else _measured(evaluated.metrics),
        "intervals": {} if evaluated is None else protocol.intervals(per_class),
        "selection": selection,
        "seeds": [config.seed],
        "per_class": per_class,
        **_hits(protocol, evaluated, task, per_class),
        "state_sha256": checkpoints.state_sha256(state),
        "classes_sha256": hashes.table_sha256(task.classes),
        **({"source_weights": source_weights.of(state)} if config.classes.weights == class_sources.LEARNED else {}),
        "made_of": run.made_of,
        "config": _without_folders(json.loads(config.to_json())),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "device": parallel.describe(problem.mesh),
        "timing": timing,
        **({"losses": losses, "diverged": phases.has_diverged(losses)} if losses else {}),
    }


def _hits(protocol, evaluated: evaluation.Evaluated | None, task: dataset.Task, per_class: dict) -> dict[str, Any]:
    """Which test inputs are answered rightly, where the protocol and the ids of the inputs say so."""
    rows = None if evaluated is None or protocol.hits is None else evaluated.rows[protocol.hits_of]
    if rows is None or rows.id is None:
        return {}
    ids, labels = np.asarray(rows.id), np.asarray(rows.label)
    return {"hits": hits.make(ids, labels, evaluated.hits, task.classes.names, list(per_class))}


def _measured(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics without those that are not finite: what was not measured is left out."""
    nested = {name: _measured(value) if isinstance(value, dict) else value for name, value in metrics.items()}
    return {name: value for name, value in nested.items() if isinstance(value, dict) or np.isfinite(value)}


def merged(records: Sequence[dict]) -> dict:
    """Returns one record of several runs that differ in their seed alone.

    Metrics, and the epochs and gamma that were chosen, become lists, one value per seed; correct images of a class
    become means over the seeds, times medians, and hits have a row per seed. What else is a seed's own (its whole
    selection with the scores of every epoch, its losses and the hash of its state) is in `runs`; of the places of
    the data all but the last name is left out.
    """
    first = records[0]
    fields = [name for name in _SHARED if name in first]
    selection = {name: first["selection"][name] for name in ("on", "metric", "classes")}
    selection |= {name: first["selection"][name] for name in ("draws",) if name in first["selection"]}
    chosen = ("epochs", *first["selection"].get("knobs", ("gamma",)), "temperature")
    selection |= {name: [record["selection"].get(name) for record in records] for name in chosen}
    hits_there = [record["hits"] for record in records if "hits" in record]
    together = hits.merged(hits_there) if len(hits_there) == len(records) else None
    return {name: first[name] for name in fields} | {
        "config": _without_folders(first["config"]),
        "metrics": _zipped([record["metrics"] for record in records], list),
        "selection": selection,
        "seeds": [seed for record in records for seed in record["seeds"]],
        "per_class": {
            name: _zipped([record["per_class"][name] for record in records], _mean) | {"seen": entry["seen"]}
            for name, entry in first["per_class"].items()
        },
        **({"hits": together} if together else {}),
        "timing": _zipped([record["timing"] for record in records], statistics.median),
        "runs": [_rounded({name: record[name] for name in _OF_A_RUN if name in record}) for record in records],
    }


def _rounded(tree: Any) -> Any:
    """Numbers to seven digits, more than a share of test images has."""
    if isinstance(tree, dict):
        return {name: _rounded(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_rounded(value) for value in tree]
    return float(f"{tree:.7g}") if isinstance(tree, float) else tree


def _without_folders(config: dict) -> dict:
    """The config with the last name of each path and no more: a record says nothing of its machine's folders."""
    result = dict(config)
    for section, name in PLACES:
        place = config.get(section, {}).get(name) if isinstance(config.get(section, {}), dict) else None
        if place:
            result[section] = result[section] | {name: pathlib.PurePath(place).name}
    if config.get("compilation_cache", "auto") not in ("auto", "none"):
        result["compilation_cache"] = pathlib.PurePath(config["compilation_cache"]).name
    return result


def _describe(source: dataset.Dataset, task: dataset.Task) -> dict:
    counts = {"train": len(task.train.labels), **{name: len(examples.labels) for name, examples in task.sets.items()}}
    counts |= {"seen_classes": task.num_seen, "unseen_classes": len(task.classes) - task.num_seen}
    counts["trained_classes"] = task.classes.num_trained
    identity = {name: source.info[name] for name in _IDENTITY if name in source.info}
    made = {
        "kind": source.kind,
        "preprocessing": source.info.get("preprocessing"),
        "stages": source.info.get("stages", []),
    }
    labels = "one" if source.labels.ndim == 1 else "several"
    if "named" in source.info:
        # The row that a caller knows each class by, where the run has the seen ones first.
        row = {name: number for number, name in enumerate(source.classes.names)}
        identity |= {"named": source.info["named"], "rows": [row[name] for name in task.classes.names]}
    return {
        "name": source.name,
        **identity,
        "counts": counts,
        "inputs": _inputs(source.inputs) | made,
        "labels": labels,
    }


def _inputs(inputs: Any) -> dict[str, Any]:
    """Shape and dtype of an input, or those of each of its parts."""
    described = inputs_lib.spec(inputs)
    return described if "shape" in described else {"parts": described}


def _per_class(counts: dict[str, np.ndarray], task: dataset.Task) -> dict:
    """What is counted of every class that has test inputs."""
    is_seen, images = np.asarray(task.classes.is_seen), np.asarray(counts["images"])

    def of(row: int) -> dict[str, Any]:
        # Only unseen classes are candidates of zero-shot learning.
        names = [name for name in counts if not (is_seen[row] and name.startswith("zsl_"))]
        return {"seen": bool(is_seen[row]), **{name: counts[name][row].item() for name in names}}

    return {name: of(row) for row, name in enumerate(task.classes.names) if images[row]}


def _zipped(trees: Sequence[Any], join: Callable[[Iterable], Any]) -> Any:
    """Joins the leaves of dicts of one shape."""
    if not isinstance(trees[0], dict):
        return join(trees)
    return {name: _zipped([tree[name] for tree in trees], join) for name in trees[0]}


def _mean(values: Iterable[float]) -> float:
    mean = statistics.fmean(values)
    return int(mean) if mean == int(mean) else mean


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
