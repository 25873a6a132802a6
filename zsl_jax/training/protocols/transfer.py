"""Transfer: classes that have no labelled example at all, scored by what describes them; nothing is chosen on labels.

top1       per-class accuracy              macro_f1   mean over the classes of 2 P R / (P + R)
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from zsl_jax import metrics
from zsl_jax.data import dataset
from zsl_jax.data import tasks as tasks_lib
from zsl_jax.training.protocols import base


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns no task to choose on, and the one that scores the dataset's test examples among all of its classes.

    The test examples are those of the splits `test`, or `test_seen` and `test_unseen`, or all where nothing is split.
    """
    del config
    rows = [source.splits[name] for name in ("test", "test_seen", "test_unseen") if name in source.splits]
    rows = np.sort(np.concatenate(rows)) if rows else np.arange(len(source.labels))
    order = np.arange(len(source.classes))
    splits = {"train": rows[:0], "test": rows}
    return (), tasks_lib.make_task(source, order, 0, splits, sets=("test",))


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    return {"transfer": base.Look(("test",), np.zeros(len(task.classes), int), keep=keep)}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    found = counts(rows, facts, knobs)
    correct, images, predicted = (found[name] for name in ("correct", "images", "predicted"))
    f1 = jnp.where(images > 0, 2 * correct / jnp.maximum(images + predicted, 1), 0.0)
    return {
        "transfer": {
            "top1": metrics.mean_per_class(correct, images),
            "top1_micro": correct.sum() / jnp.maximum(images.sum(), 1),
            "macro_f1": f1.sum() / jnp.maximum(jnp.sum(images > 0), 1),
        }
    }


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns right answers, inputs, and how often each class was answered, `[C]`."""
    del knobs
    found, num_classes = rows["transfer"], len(facts["is_seen"])
    predictions = metrics.predicted_class(found)
    correct, images = metrics.per_class_counts(predictions, found.label, num_classes=num_classes)
    places = jnp.where(predictions < 0, num_classes, predictions)  # no answer counts for no class
    answered = jnp.zeros(num_classes, jnp.int32).at[places].add(1, mode="drop")
    return {"images": images, "correct": correct, "predicted": answered}


def intervals(per_class: dict[str, dict]) -> dict[str, Any]:
    """Returns the 95 % interval of the per-class accuracy over test inputs, by bootstrap within each class."""
    images, correct = (np.array([entry[name] for entry in per_class.values()]) for name in ("images", "correct"))
    return base.intervals({"top1": base.resampled(np.random.default_rng(0), correct, images)})


def probabilities(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any], temperatures) -> Any:
    """Returns those among the classes asked for."""
    del facts, knobs
    return base.probabilities(rows["transfer"], temperatures)


TRANSFER = base.Protocol(
    name="transfer",
    tasks=tasks,
    looks=looks,
    report=report,
    counts=counts,
    intervals=intervals,
    probabilities=probabilities,
    best="top1",
    schema=(
        base.Metric("top1", ("transfer", "top1"), "top-1", choice="top1", interval="top1"),
        base.Metric("top1_micro", ("transfer", "top1_micro"), "micro"),
        base.Metric("macro_f1", ("transfer", "macro_f1"), "macro F1", choice="macro_f1"),
    ),
)
