"""Category discovery: inputs of known and of unknown classes together; a class without a name is a cluster.

    all        test inputs in the cluster that is matched with their class
    known      those of classes with labelled examples
    unknown    those of the others

The answers are clusters, as many as there are classes, matched one to one with the classes by the labels of all test
inputs, see `metrics.discovered`. Accuracies are per input, as in the literature.

Reference: Vaze, Han, Vedaldi, Zisserman, "Generalized Category Discovery", CVPR 2022.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from zsl_jax import metrics
from zsl_jax.data import dataset
from zsl_jax.training.protocols import base, gzsl

_LOOK = "discovery"


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns the one question.

    Raises:
      UserError: no unknown class to score, or no test input of one.
    """
    gzsl.check_unseen(task)
    return {_LOOK: base.Look(("test_unseen", "test_seen"), np.zeros(len(task.classes), int), keep=keep)}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"discovery": {"all": .., "known": .., "unknown": ..}}`."""
    del knobs
    found, right = rows[_LOOK], _right(rows, facts)
    is_known = facts["is_seen"][found.label]
    sides = {"all": jnp.ones_like(is_known), "known": is_known, "unknown": ~is_known}
    return {_LOOK: {name: jnp.sum(right & of) / jnp.maximum(jnp.sum(of), 1) for name, of in sides.items()}}


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns test inputs, and those in the matched cluster, of each class, `[C]`."""
    del knobs
    labels = rows[_LOOK].label
    in_place = jnp.where(_right(rows, facts), labels, -1)
    correct, images = metrics.per_class_counts(in_place, labels, num_classes=len(facts["is_seen"]))
    return {"images": images, "correct": correct}


def intervals(per_class: dict[str, dict]) -> dict[str, Any]:
    """Returns 95 % intervals over the test inputs, per input, by bootstrap; the matching stays as it is."""
    entries = list(per_class.values())
    images, correct, seen = (np.array([entry[name] for entry in entries]) for name in ("images", "correct", "seen"))
    rng, found = np.random.default_rng(0), {}
    for name, where in (("all", np.ones_like(seen)), ("known", seen), ("unknown", ~seen)):
        total = max(int(images[where].sum()), 1)
        share = np.array([correct[where].sum() / total])
        found[name] = base.resampled(rng, share * total, np.array([total]))
    return base.intervals(found)


def _right(rows: dict[str, metrics.Rows], facts: dict[str, Any]) -> Any:
    """`[N]` bool, whether the cluster of an input is matched with its class."""
    found = rows[_LOOK]
    clusters = metrics.predicted_class(found)
    return metrics.discovered(clusters, found.label, num_classes=len(facts["is_seen"])) == found.label


DISCOVERY = base.Protocol(
    name="discovery",
    tasks=gzsl.tasks,
    looks=looks,
    report=report,
    counts=counts,
    intervals=intervals,
    best="discovered",
    schema=(
        base.Metric("discovered", (_LOOK, "all"), "all", choice="discovered", interval="all"),
        base.Metric("discovered_known", (_LOOK, "known"), "known", interval="known"),
        base.Metric(
            "discovered_unknown", (_LOOK, "unknown"), "unknown", choice="discovered_unknown", interval="unknown"
        ),
    ),
)
