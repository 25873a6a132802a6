"""Matching: is "a A and b B" told from "b A and a B"? Images of two scenes that swap their attributes, and two texts.

    text     each image of a couple scores its own text higher than the other one        chance 1/4
    image    each text scores its own image higher                                       chance 1/4
    group    both                                                                        chance 1/6
    swap     an image scores its text above the swapped one, a tie counts half           chance 1/2

Images of the two scenes of a couple are taken in turn; what is left over of one scene is not asked. Nothing is chosen:
the number of epochs is the recipe's. `data.scenes` has the scenes.

Reference: see `metrics.matching_accuracy`, `metrics.swap_accuracy`.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset, scenes
from zsl_jax.data import tasks as tasks_lib
from zsl_jax.training.protocols import base

_SIDES = ("unseen", "seen")
_SCORES = ("text", "image", "group", "swap")


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns no task to choose on, and the one that asks images of the test splits for their text and the swapped one.

    Raises:
      UserError: classes that are no scenes, or a split without a couple.
    """
    del config
    table = source.classes
    if table.parts is None or table.parts.shape[1] != 4:
        raise errors.UserError(
            f"{source.name} has no scenes of two objects, which protocol=matching asks for: --config=NAME:scenes"
        )
    other = scenes.swapped(table.parts)
    splits = {"train": source.splits["train"]}
    splits |= {side: _in_couples(source.labels, source.splits[f"test_{side}"], other) for side in _SIDES}
    for side in _SIDES:
        if not len(splits[side]):
            raise errors.UserError(f"{source.name} has no couple of {side} test {source.kind} with swapped attributes")
    is_seen = np.asarray(table.is_seen)
    order = np.concatenate([np.flatnonzero(is_seen), np.flatnonzero(~is_seen)])
    task = tasks_lib.make_task(source, order, int(is_seen.sum()), splits, sets=_SIDES)
    # The same inputs again, labelled with the scene that they are not of: what an image scores is kept of its label.
    other = scenes.swapped(task.classes.parts)
    asked = {f"{side}_swapped": task.sets[side]._replace(labels=other[task.sets[side].labels]) for side in _SIDES}
    return (), dataclasses.replace(task, sets={**task.sets, **asked})


def _in_couples(labels: np.ndarray, rows: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows of the first scenes of couples, then as many of the second ones, in the same order."""
    halves: tuple[list, list] = ([], [])
    for scene in np.flatnonzero(np.arange(len(other)) < other):
        both = [rows[labels[rows] == row] for row in (scene, other[scene])]
        for half, mine in zip(halves, both):
            half.append(mine[: min(map(len, both))])
    return np.concatenate([rows[:0], *halves[0], *halves[1]])


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns a look at each set among all scenes."""
    del keep
    return {name: base.Look((name,), np.zeros(len(task.classes), int)) for name in task.sets}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"matching": {"unseen": {...}, "seen": {...}}}`."""
    del facts, knobs
    return {"matching": {side: _of_side(rows[side].own, rows[f"{side}_swapped"].own) for side in _SIDES}}


def _of_side(own, swapped) -> dict[str, Any]:
    half = len(own) // 2
    first = jnp.stack([own[:half], swapped[:half]], axis=1)
    second = jnp.stack([swapped[half:], own[half:]], axis=1)
    found = metrics.matching_accuracy(jnp.stack([first, second], axis=1))
    return {**found._asdict(), "swap": metrics.swap_accuracy(own, swapped)}


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns the images of each scene, and those that score its text above the swapped one, `[C]`."""
    del knobs
    found = {"images": 0, "correct": 0}
    for side in _SIDES:
        own, swapped = rows[side], rows[f"{side}_swapped"]
        of = jnp.zeros(len(facts["is_seen"]), jnp.int32).at[own.label]
        found["images"] += of.add(1)
        found["correct"] += of.add((own.own > swapped.own).astype(jnp.int32))
    return found


MATCHING = base.Protocol(
    name="matching",
    tasks=tasks,
    looks=looks,
    report=report,
    counts=counts,
    best="unseen_group",
    schema=tuple(
        base.Metric(
            f"{side}_{score}", ("matching", side, score), f"{side} {score}", choice=score if side == "unseen" else None
        )
        for side in _SIDES
        for score in _SCORES
    ),
)
