"""From zero-shot to few-shot: some labelled examples of the unseen classes move into training.

    task = few_shot(data.test_task(dataset), 5, seed=0)          five images of each unseen class join the training set

`classes.trained` then counts their classes too. `is_seen` stays as it was: it tells the classes with all their training
images from those with a few or none, and GZSL figures keep that meaning. What was zero-shot accuracy is now k-shot
accuracy, on the test images that remain.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, inputs


def limited(source: dataset.Dataset, shots: int, *, seed: int = 0) -> dataset.Dataset:
    """Returns the dataset with a few training examples of each class that has any; the others are left out.

    The examples of the same seed are nested: those of 2 shots are among those of 5.

    Args:
      source: with a label per example.
      shots: of each class; 0 leaves the dataset as it is.
      seed: of which are kept.

    Raises:
      UserError: a class with fewer, or several labels per example.
    """
    if not shots:
        return source
    if source.labels.ndim != 1:
        raise errors.UserError(f"{source.name} gives an example several labels: few_shot.of_seen is for one")
    rows, kept = source.splits["train"], []
    rng = np.random.default_rng(seed)
    for label in np.unique(source.labels[rows]):
        of_class = rng.permutation(rows[source.labels[rows] == label])
        if len(of_class) < shots:
            raise errors.UserError(
                f"few_shot.of_seen={shots}: class {source.classes.names[label]!r} has {len(of_class)} training "
                f"{source.kind}"
            )
        kept.append(of_class[:shots])
    return dataclasses.replace(source, splits={**source.splits, "train": np.sort(np.concatenate(kept))})


def few_shot(task: dataset.Task, shots: int | Mapping[str, int], *, reserve: int = 0, seed: int = 0) -> dataset.Task:
    """Returns the task with labelled examples of its unseen classes moved from `test_unseen` to `train`.

    It works on test tasks and on validation tasks, so that knobs for k shots can be chosen with k shots. The
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
    names, num_seen, unseen = task.unseen_classes.names, task.num_seen, task.sets["test_unseen"]
    if not isinstance(shots, Mapping):
        shots = dict.fromkeys(names, shots)
    for name in shots:
        if name not in names:
            raise errors.unknown("unseen class", name, names)
    rng = np.random.default_rng(seed)
    counts = np.array([shots.get(name, 0) for name in names])
    moved, reserved = [], []
    for row, (name, count) in enumerate(zip(names, counts)):
        rows = rng.permutation(np.flatnonzero(unseen.labels == num_seen + row))
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
    kept = np.setdiff1d(np.arange(len(unseen.labels)), reserved)
    train = dataset.Examples(
        inputs.joined(task.train.inputs, inputs.take(unseen.inputs, moved)),
        new_row[np.concatenate([task.train.labels, unseen.labels[moved]])],
    )
    left = dataset.rows_of(unseen, kept)
    left = left._replace(labels=new_row[left.labels])
    trained = num_seen + int(np.sum(counts > 0))
    classes = dataclasses.replace(task.classes[order], trained=trained)
    return dataclasses.replace(task, train=train, sets={**task.sets, "test_unseen": left}, classes=classes)
