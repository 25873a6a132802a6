"""Multi-label zero-shot learning: an input has any number of classes, some of them unknown; labels are `[N, C]`.

    mAP       mean over classes of the area under the precision-recall curve of a class, over the inputs that know it
    ZSL       unseen classes alone          GZSL   all classes

Reference: Huynh, Elhamifar, "A Shared Multi-Attention Framework for Multi-Label Zero-Shot Learning", CVPR 2020.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, errors, metrics
from zsl_jax.data import dataset
from zsl_jax.data import tasks as tasks_lib
from zsl_jax.training.protocols import base


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns tasks that hold seen classes out for validation, one per draw, and the benchmark's own.

    The splits are `train` and `test`. In validation a share of the training inputs is scored.

    Raises:
      UserError: labels with one class per input, or too few seen classes to hold any out.
    """
    if source.labels.ndim != 2:
        raise errors.UserError(f"{source.name} gives an example one class: protocol=multilabel asks for labels [N, C]")
    is_seen = np.asarray(source.classes.is_seen)
    seen = np.flatnonzero(is_seen)
    order = np.concatenate([seen, np.flatnonzero(~is_seen)])
    final = tasks_lib.make_task(source, order, len(seen), source.splits, sets=("test",))
    if config.select.on == "nothing":
        return (), final
    if config.select.on == "test":
        return (final,), final
    training = data.training_part(source)
    folds = base.folds(config, len(training.classes))
    return tuple(_validation(training, config, draw) for draw in range(folds)), final


def _validation(training: dataset.Dataset, config, draw: int) -> dataset.Task:
    num_classes, split = len(training.classes), config.select.split
    held_out = max(1, round(split.class_fraction * num_classes))
    if num_classes - held_out < 2:
        raise errors.UserError(
            f"validation needs at least 2 seen classes to train on; {training.name} has {num_classes}"
        )
    rng = np.random.default_rng((config.seed, draw))
    classes, rows = rng.permutation(num_classes), rng.permutation(len(training.labels))
    order = np.concatenate([np.sort(classes[held_out:]), np.sort(classes[:held_out])])
    scored = max(1, round(split.image_fraction * len(rows)))
    splits = {"train": np.sort(rows[scored:]), "test": np.sort(rows[:scored])}
    return tasks_lib.make_task(training, order, num_classes - held_out, splits, sets=("test",))


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    del keep  # all scores are
    return {"all": base.Look(("test",), np.zeros(len(task.classes), int), keep=True)}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"multilabel": {"zsl": {"map": ..}, "gzsl": {"map": .., "f1": ..}}}`.

    An input is given as many classes as it has, the best ones; F1 is over all of these answers.
    """
    del knobs
    found, is_seen = rows["all"], facts["is_seen"]
    labels, known = found.label > 0, found.label >= 0
    precision = metrics.average_precision(found.scores, labels, known=known)
    has_positive = jnp.any(labels & known, axis=0)

    def mean(where):
        return jnp.sum(precision, where=where & has_positive) / jnp.maximum(jnp.sum(where & has_positive), 1)

    hits = _hits(found)
    total = jnp.maximum(jnp.sum(labels & known), 1)
    return {
        "multilabel": {
            "zsl": {"map": mean(~is_seen)},
            "gzsl": {"map": mean(jnp.ones_like(is_seen)), "f1": hits / total},
        }
    }


def _hits(rows: metrics.Rows) -> jax.Array:
    """How many of the answers are right, as many per input as it has known positives, among the classes it knows."""
    known = rows.label >= 0
    positives = jnp.sum(rows.label > 0, axis=1)
    order = jnp.argsort(-jnp.where(known, rows.scores, -jnp.inf), axis=1)
    rank = jnp.argsort(order, axis=1)
    return jnp.sum((rank < positives[:, None]) & (rows.label > 0))


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns how many inputs have each class, `[C]`, and the average precision of it."""
    del facts, knobs
    found = rows["all"]
    labels, known = found.label > 0, found.label >= 0
    return {
        "images": jnp.sum(labels & known, axis=0),
        "average_precision": metrics.average_precision(found.scores, labels, known=known),
    }


MULTILABEL = base.Protocol(
    name="multilabel",
    tasks=tasks,
    looks=looks,
    report=report,
    counts=counts,
    best="zsl_map",
    schema=(
        base.Metric("zsl_map", ("multilabel", "zsl", "map"), "ZSL mAP", choice="zsl", curve="ZSL"),
        base.Metric("gzsl_map", ("multilabel", "gzsl", "map"), "GZSL mAP", choice="gzsl"),
        base.Metric("gzsl_f1", ("multilabel", "gzsl", "f1"), "GZSL F1"),
    ),
)
