"""Compositional zero-shot learning: a class is a pair of attribute and object; some pairs were never seen together.

    closed world   candidates are the pairs of training and of the phase; choices are made here, on validation pairs
    open world     candidates are all pairs of an attribute and an object
    curve          accuracies per image on seen (S) and unseen (U) pairs as gamma is subtracted from seen scores: its
                   area (AUC), the best S and U on it, and the best H = 2US/(U+S)

Reference: Purushwalkam, Nickel, Gupta, Ranzato, "Task-Driven Modular Networks for Zero-Shot Compositional Learning",
ICCV 2019; Mancini, Naeem, Xian, Akata, "Open World Compositional Zero-Shot Learning", CVPR 2021.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset
from zsl_jax.training.protocols import base

_UNSEEN, _SEEN = 0, 1


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns the task of the validation pairs, and that of the test pairs with all pairs in its table.

    The splits are `train`, `validation` and `test`; the table's `is_seen` marks the pairs of training.

    Raises:
      UserError: classes that are no pairs, or a split without inputs.
    """
    if source.classes.parts is None:
        raise errors.UserError(f"{source.name} has no pairs of attribute and object, which protocol=pairs asks for")
    for name in ("train", "validation", "test"):
        if not len(source.splits.get(name, ())):
            raise errors.UserError(
                f"{source.name} has no {source.kind} in its split {name}, which protocol=pairs asks for"
            )
    final = _task(source, "test")
    choosing = final if config.select.on == "test" else _task(source, "validation")
    final = dataclasses.replace(final, classes=_with_all_pairs(final.classes, source.parts))
    return (choosing,), final


def _task(source: dataset.Dataset, split: str) -> dataset.Task:
    """The closed world of a phase: the pairs of training, then the others that the phase has."""
    seen = np.flatnonzero(source.classes.is_seen)
    unseen = np.setdiff1d(source.labels[source.splits[split]], seen)
    splits = {"train": source.splits["train"], "test": source.splits[split]}
    return dataset.make_task(source, np.concatenate([seen, unseen]), len(seen), splits, sets=("test",))


def _with_all_pairs(table: dataset.ClassTable, parts: tuple[tuple[str, ...], tuple[str, ...]]) -> dataset.ClassTable:
    """The table, then every other pair of an attribute and an object."""
    attributes, objects = parts
    known = table.parts[:, 0] * len(objects) + table.parts[:, 1]
    others = np.setdiff1d(np.arange(len(attributes) * len(objects)), known)
    every = np.concatenate([table.parts, np.stack([others // len(objects), others % len(objects)], axis=1)])
    every = every.astype(table.parts.dtype)
    return dataclasses.replace(
        table,
        embedding=pair_embedding(every, table.shared),
        parts=every,
        is_seen=np.concatenate([table.is_seen, np.zeros(len(others), bool)]),
        names=tuple(f"{attributes[a]} {objects[o]}" for a, o in every),
    )


def pair_embedding(parts: np.ndarray, shared: Any) -> np.ndarray:
    """Returns what describes pairs: vectors of attribute and object side by side, or their rows where there are none.

    Args:
      parts: `[C, 2]` int.
      shared: `{"attributes": [A, D], "objects": [O, E]}`, or None.
    """
    if shared is None:
        return parts
    return np.concatenate([shared["attributes"][parts[:, 0]], shared["objects"][parts[:, 1]]], axis=1)


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns the closed world and, where the table has more pairs than that, the open one."""
    del keep
    is_seen, num_classes = np.asarray(task.classes.is_seen), len(task.classes)
    groups = np.where(is_seen, _SEEN, _UNSEEN)
    in_closed = is_seen | np.isin(np.arange(num_classes), task.sets["test"].labels)
    found = {"closed": base.Look(("test",), np.where(in_closed, groups, -1), num_groups=2)}
    if not in_closed.all():
        found["open"] = base.Look(("test",), groups, num_groups=2)
    return found


def facts(classes: dataset.ClassTable) -> dict[str, Any]:
    return {"is_seen": jnp.asarray(classes.is_seen), "parts": jnp.asarray(classes.parts)}


def choose(rows: dict[str, metrics.Rows], facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the constant gamma with the best harmonic mean in the closed world, the mean over draws."""

    def best(rows, is_seen):
        unseen, seen, gamma = metrics.curve_of_rows(rows, is_seen, per_image=True)
        return gamma[jnp.argmax(metrics.harmonic_mean(unseen, seen))]

    return {"gamma": jnp.mean(jax.vmap(best)(rows["closed"], facts["is_seen"]))}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"pairs": {"closed": {...}, "open": {...}}}`."""
    return {"pairs": {world: _world(found, facts, knobs["gamma"]) for world, found in rows.items()}}


def _world(rows: metrics.Rows, facts: dict[str, Any], gamma) -> dict[str, Any]:
    is_seen, parts = facts["is_seen"], facts["parts"]
    unseen, seen, _ = metrics.curve_of_rows(rows, is_seen, per_image=True)
    found = metrics.curve_summary(unseen, seen)
    predictions = predicted(rows, gamma)
    # An image without a finite score has no predicted pair, and neither part of it.
    right = (parts[predictions] == parts[rows.label]) & (predictions >= 0)[:, None]
    of_unseen = ~is_seen[rows.label]
    hit = predictions == rows.label

    def mean(values, where):
        return jnp.sum(values & where) / jnp.maximum(jnp.sum(where), 1)

    u, s = mean(hit, of_unseen), mean(hit, ~of_unseen)
    return {
        "auc": found.auc,
        "harmonic": found.harmonic,
        "seen": found.seen,
        "unseen": found.unseen,
        "attribute": jnp.mean(right[:, 0]),
        "object": jnp.mean(right[:, 1]),
        "calibrated": {
            "gamma": jnp.asarray(gamma, jnp.float32),
            "unseen": u,
            "seen": s,
            "harmonic": metrics.harmonic_mean(u, s),
        },
    }


def predicted(rows: metrics.Rows, gamma) -> jax.Array:
    """Returns `[N]` the predicted pairs, with gamma subtracted from the scores of seen ones."""
    return metrics.predicted_class(rows, jnp.stack([jnp.zeros(()), -jnp.asarray(gamma, jnp.float32)]))


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns test images and right answers of each pair, `[C]`, in every world with gamma subtracted."""
    num_classes, result = len(facts["is_seen"]), {}
    for world, found in rows.items():
        correct, images = metrics.per_class_counts(
            predicted(found, knobs["gamma"]), found.label, num_classes=num_classes
        )
        result |= {"images": images, f"{world}_correct": correct}
    return result


def temperature(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any], temperatures) -> jax.Array:
    """Returns `[T]` the mean negative log-likelihood of the right pair in the closed world."""
    closed, gamma = rows["closed"], jnp.asarray(knobs["gamma"])
    lse = jnp.logaddexp(closed.lse[:, _UNSEEN], closed.lse[:, _SEEN] - (gamma / temperatures)[None, :])
    own = closed.own - jnp.where(facts["is_seen"][closed.label], gamma, 0.0)
    return jnp.mean(lse - own[:, None] / temperatures[None, :], axis=0)


def _metrics(world: str, *, chooses: bool) -> tuple[base.Metric, ...]:
    titles = {"auc": "AUC", "harmonic": "H", "seen": "S", "unseen": "U", "attribute": "attr.", "object": "obj."}
    return tuple(
        base.Metric(f"{world}_{name}", ("pairs", world, name), f"{world} {title}", choice=name if chooses else None)
        for name, title in titles.items()
    )


PAIRS = base.Protocol(
    name="pairs",
    tasks=tasks,
    looks=looks,
    facts=facts,
    choose=choose,
    report=report,
    counts=counts,
    temperature=temperature,
    best="closed_auc",
    schema=(*_metrics("closed", chooses=True), *_metrics("open", chooses=False)),
)
