"""From zero-shot to few-shot: some labelled examples of the unseen classes move into training.

    task = few_shot(data.test_task(dataset), 5, seed=0)          five images of each unseen class join the training set
    method = methods.any_shot(method, num_trained(task))         and the method is trained on their classes too

`is_seen` stays as it was: it tells the classes with all their training images from those with a few or none, and
GZSL figures keep that meaning. What was zero-shot accuracy is now k-shot accuracy, on the test images that remain.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, streaming


def few_shot(task: dataset.Task, shots: int | Mapping[str, int], *, reserve: int = 0, seed: int = 0) -> dataset.Task:
    """Returns the task with labelled examples of its unseen classes moved from `test_unseen` to `train`.

    It works on a test task and on a validation task alike, so that knobs for k shots can be chosen with k shots. The
    examples of the same seed are nested: those of 2 shots are among those of 5. With the same `reserve`, figures of
    different k are over the same test images, down to k = 0: one curve from zero-shot to few-shot to ordinary learning.

    Args:
      task: its unseen classes have examples in `test_unseen` only.
      shots: examples of each unseen class, or their number by class name (others get none).
      reserve: examples of each unseen class that leave the test at least; those that are not shots are left out.
      seed: of which examples are taken.

    Returns:
      A `Task`. Its classes are the seen ones, then the unseen ones with examples in training, then those without.
      `is_seen` is unchanged, so that a label of `train` may be a row of an unseen class.

    Raises:
      UserError: a name that is no unseen class, or more shots of a class than would leave a test example.
    """
    names, num_seen = task.unseen_classes.names, task.num_seen
    if not isinstance(shots, Mapping):
        shots = dict.fromkeys(names, shots)
    for name in shots:
        if name not in names:
            raise errors.unknown("unseen class", name, names)
    rng = np.random.default_rng(seed)
    counts = np.array([shots.get(name, 0) for name in names])
    moved, reserved = [], []
    for row, (name, count) in enumerate(zip(names, counts)):
        rows = rng.permutation(np.flatnonzero(task.test_unseen.labels == num_seen + row))
        taken = max(count, reserve)
        if not 0 <= count <= taken < max(len(rows), 1):
            raise errors.UserError(
                f"{taken} shots of class {name!r}: it has {len(rows)} examples, one of which must stay in the test"
            )
        moved.append(rows[:count])
        reserved.append(rows[:taken])
    moved, reserved = np.sort(np.concatenate(moved)), np.concatenate(reserved)
    order = np.concatenate([np.arange(num_seen), num_seen + np.argsort(counts == 0, kind="stable")])
    new_row = np.argsort(order).astype(np.int32)
    kept = np.setdiff1d(np.arange(len(task.test_unseen.labels)), reserved)
    joined = dataset.Examples(
        streaming.joined(task.train.inputs, task.test_unseen.inputs[moved]),
        new_row[np.concatenate([task.train.labels, task.test_unseen.labels[moved]])],
    )
    test_unseen = dataset.Examples(task.test_unseen.inputs[kept], new_row[task.test_unseen.labels[kept]])
    return dataclasses.replace(task, train=joined, test_unseen=test_unseen, classes=task.classes[order])


def num_trained(task: dataset.Task) -> int:
    """Returns how many classes, the first of the table, have training examples."""
    return max(task.num_seen, int(np.max(task.train.labels)) + 1)
