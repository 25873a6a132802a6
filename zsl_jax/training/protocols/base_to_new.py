"""Base to new: trained on base classes, tested on these among themselves and on new classes among themselves.

    base       test images of the base classes, among the base classes
    new        images of the new classes, among the new classes
    harmonic   2 base new / (base + new)
    all        both among all classes

Accuracies are per image, as in the literature; `per_class` has means over classes. Papers report the harmonic mean of
averages over datasets and seeds, not the average of harmonic means. Base classes are the seen ones of a dataset; the
papers take the first half of the classes by label (`npz`: data.num_unseen=HALF, data.held_out=last) and a few images of
each (`few_shot.of_seen`).

Reference: Zhou, Yang, Loy, Liu, "Conditional Prompt Learning for Vision-Language Models", CVPR 2022.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset
from zsl_jax.training.protocols import base, gzsl


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns the three questions.

    Raises:
      UserError: no new class to score, or no test image of one, or of a base class.
    """
    del keep
    gzsl.check_unseen(task)
    if not len(task.sets["test_seen"].labels):
        raise errors.UserError("nothing to score: protocol=base_to_new has no test input of a base class")
    is_seen = np.asarray(task.classes.is_seen)
    return {
        "base": base.Look(("test_seen",), np.where(is_seen, 0, -1)),
        "new": base.Look(("test_unseen",), np.where(is_seen, -1, 0)),
        "all": base.Look(("test_seen", "test_unseen"), np.zeros(len(is_seen), int)),
    }


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"base_to_new": {"base": .., "new": .., "harmonic": .., "per_class": {...}, "all": {...}}}`."""
    del knobs
    is_seen, among_all = facts["is_seen"], rows["all"]
    of_seen = is_seen[among_all.label]
    alone = [_accuracies(rows[side], len(is_seen), None) for side in ("base", "new")]
    joint = [_accuracies(among_all, len(is_seen), where) for where in (of_seen, ~of_seen)]
    per_image, per_class = (_sides(*(each[i] for each in alone)) for i in (0, 1))
    found = {**per_image, "per_class": per_class, "all": _sides(*(each[0] for each in joint))}
    return {"base_to_new": found}


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns test images and right answers of each class, `[C]`, among its side and among all classes."""
    del knobs
    num_classes, found = len(facts["is_seen"]), {}
    for name, sides in (("correct", ("base", "new")), ("all_correct", ("all",))):
        per_side = [
            metrics.per_class_counts(metrics.predicted_class(rows[s]), rows[s].label, num_classes=num_classes)
            for s in sides
        ]
        found |= {name: sum(right for right, _ in per_side), "images": sum(images for _, images in per_side)}
    return found


def intervals(per_class: dict[str, dict]) -> dict[str, Any]:
    """Returns 95 % intervals over the test images, per image, by bootstrap."""
    entries = list(per_class.values())
    images, correct, seen = (np.array([entry[name] for entry in entries]) for name in ("images", "correct", "seen"))
    rng, found = np.random.default_rng(0), {}
    for name, where in (("base", seen), ("new", ~seen)):
        total = max(int(images[where].sum()), 1)
        share = np.array([correct[where].sum() / total])
        found[name] = base.resampled(rng, share * total, np.array([total]))
    found["harmonic"] = 2 * found["base"] * found["new"] / np.maximum(found["base"] + found["new"], 1e-12)
    return base.intervals(found)


def probabilities(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any], temperatures) -> Any:
    """Returns those among all classes."""
    del facts, knobs
    return base.probabilities(rows["all"], temperatures)


def _accuracies(rows: metrics.Rows, num_classes: int, where) -> tuple[Any, Any]:
    """Per image, and the mean over the classes."""
    correct, total = metrics.per_class_counts(
        metrics.predicted_class(rows), rows.label, num_classes=num_classes, where=where
    )
    return correct.sum() / jnp.maximum(total.sum(), 1), metrics.mean_per_class(correct, total)


def _sides(of_base, of_new) -> dict[str, Any]:
    return {"base": of_base, "new": of_new, "harmonic": metrics.harmonic_mean(of_base, of_new)}


BASE_TO_NEW = base.Protocol(
    name="base_to_new",
    tasks=gzsl.tasks,
    looks=looks,
    report=report,
    counts=counts,
    intervals=intervals,
    probabilities=probabilities,
    best="base_new_harmonic",
    schema=(
        base.Metric("base", ("base_to_new", "base"), "base", interval="base"),
        base.Metric("new", ("base_to_new", "new"), "new", interval="new"),
        base.Metric(
            "base_new_harmonic",
            ("base_to_new", "harmonic"),
            "H",
            choice="harmonic",
            interval="harmonic",
            curve="H, calibrated",
        ),
        base.Metric("all_harmonic", ("base_to_new", "all", "harmonic"), "H, all classes", choice="all_harmonic"),
    ),
)
