"""The tasks cut from a dataset: the benchmark's own, and those that choices are made on.

    Dataset --test_task--------> Task    train on the seen classes,    score the test images, once
            --validation_task--> Task    train on some seen classes,   score the rest of them, as often as wanted

A `Task` lists its seen classes first, so that a label is the same row in the seen part of its table and in the whole.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from zsl_jax import errors
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.data.dataset import Dataset, Examples, Task, rows_of

_MOST_TRIES = 20  # at a set of held-out classes that no earlier draw had


def test_task(dataset: Dataset) -> Task:
    """The problem that the benchmark poses: all seen classes for training, the test splits for scoring."""
    is_seen = np.asarray(dataset.classes.is_seen)
    return _task(dataset, np.flatnonzero(is_seen), np.flatnonzero(~is_seen), dataset.splits)


test_task.__test__ = False  # a name of the field, not a test for pytest to collect


def training_part(dataset: Dataset) -> Dataset:
    """The dataset without its test examples and without its unseen classes: all that a choice may look at.

    Everything that selects (steps, hyper-parameters, the calibration constant) is handed this and nothing else, so that
    test labels are out of its reach by construction.
    """
    rows, seen = dataset.splits["train"], np.flatnonzero(np.asarray(dataset.classes.is_seen))
    new_row = np.full(len(dataset.classes), -1, np.int32)
    new_row[seen] = np.arange(len(seen))
    validation = dataset.validation_classes
    return dataclasses.replace(
        dataset,
        inputs=inputs_lib.take(dataset.inputs, rows),
        labels=_relabelled(dataset.labels[rows], new_row, seen),
        classes=dataset.classes[seen],
        splits={"train": np.arange(len(rows))},
        validation_classes=None if validation is None else new_row[validation],
        images=None,
    )


def validation_task(
    training: Dataset, *, seed: int = 0, class_fraction: float = 0.25, image_fraction: float = 0.2
) -> Task:
    """A problem of the same kind inside the training part: some seen classes play the unseen ones.

    Args:
      training: what `training_part` returns.
      seed: of the choices below.
      class_fraction: share of the classes held out, (0, 1), where the benchmark names no validation classes.
      image_fraction: share of each remaining class's images held out to play the seen test images, (0, 1).

    Returns:
      A `Task`; its classes are the seen classes of the benchmark and no others.

    Raises:
      UserError: fewer than two classes to train on or none to hold out.
    """
    rng = np.random.default_rng(seed)
    num_classes = len(training.classes)
    held_out = training.validation_classes
    if training.labels.ndim != 1:
        raise errors.UserError(f"{training.name} gives an example several labels: choose a protocol for those")
    if held_out is None:
        count = max(1, round(class_fraction * num_classes))
        held_out = rng.permutation(num_classes)[:count]
    held_out = np.sort(np.asarray(held_out))
    kept = np.setdiff1d(np.arange(num_classes), held_out)
    if len(kept) < 2 or len(held_out) < 1:
        raise errors.UserError(
            f"validation needs at least 2 seen classes to train on and 1 to hold out; "
            f"{training.name} has {num_classes} seen, of which {len(held_out)} would be held out"
        )
    fit, test_seen = [], []
    for label in kept:
        rows = rng.permutation(np.flatnonzero(training.labels == label))
        cut = min(len(rows) - 1, max(1, round(image_fraction * len(rows)))) if len(rows) > 1 else 0
        test_seen.append(rows[:cut])
        fit.append(rows[cut:])
    splits = {
        "train": np.sort(np.concatenate(fit)),
        "test_seen": np.sort(np.concatenate(test_seen)),
        "test_unseen": np.flatnonzero(np.isin(training.labels, held_out)),
    }
    return _task(training, kept, held_out, splits)


def validation_tasks(
    training: Dataset, *, folds: int = 1, seed: int = 0, class_fraction: float = 0.25, image_fraction: float = 0.2
) -> list[Task]:
    """Returns one `validation_task`, or several draws of the classes that are held out.

    Several draws hold out `class_fraction` of the classes each: different sets, from classes with few images to those
    with many, and each class about equally often. They are disjoint where `folds * class_fraction <= 1`. All draws are
    of one shape, so that they can be trained in one program: where the images do not come out even some of the larger
    ones' are left out. With several draws the classes come from the seed, not from the benchmark's validation classes.

    Args:
      training: what `training_part` returns.
      folds: K >= 1.
      seed, class_fraction, image_fraction: as `validation_task` takes them.

    Raises:
      UserError: as `validation_task`, also where there are fewer classes than folds.
    """
    if folds == 1:
        return [validation_task(training, seed=seed, class_fraction=class_fraction, image_fraction=image_fraction)]
    if folds > len(training.classes):
        raise errors.UserError(f"select.folds={folds} is more than the {len(training.classes)} seen classes")
    if training.labels.ndim != 1:
        raise errors.UserError(f"{training.name} gives an example several labels: choose a protocol for those")
    rng = np.random.default_rng(seed)
    sizes = np.bincount(training.labels, minlength=len(training.classes))
    by_size = np.lexsort((rng.random(len(sizes)), sizes))
    parts = _held_out(rng, by_size, folds, max(1, round(class_fraction * len(sizes))))
    tasks = [
        validation_task(
            dataclasses.replace(training, validation_classes=part), seed=seed, image_fraction=image_fraction
        )
        for part in parts
    ]
    return of_one_size(tasks, rng)


def _held_out(rng: np.random.Generator, by_size: np.ndarray, folds: int, count: int) -> list[np.ndarray]:
    """Returns different sets of `count` classes, one class of each stratum of sizes, in turn within a stratum.

    A stratum goes through its classes in a random order, and through all of them before it begins again. Sets that
    come out equal are drawn again, as long as that helps.
    """
    strata = [stratum for stratum in np.array_split(by_size, count) if len(stratum)]
    orders = [np.zeros(0, int)] * len(strata)
    parts: list[np.ndarray] = []
    for _ in range(folds):
        for _ in range(_MOST_TRIES):
            orders = [order if len(order) else rng.permutation(each) for order, each in zip(orders, strata)]
            part = np.sort([order[0] for order in orders])
            if not any(np.array_equal(part, earlier) for earlier in parts):
                break
            orders = [rng.permutation(order) for order in orders]
        orders = [order[1:] for order in orders]
        parts.append(part)
    return parts


def of_one_size(tasks: list[Task], rng: np.random.Generator) -> list[Task]:
    """Returns tasks of as many examples of each set, so that they can be trained in one program; leaves some out."""

    def cut(alike: Sequence[Examples]) -> list[Examples]:
        count = min(len(examples.labels) for examples in alike)
        rows = (np.sort(rng.permutation(len(examples.labels))[:count]) for examples in alike)
        return [rows_of(examples, kept) for examples, kept in zip(alike, rows)]

    train = cut([task.train for task in tasks])
    sets = {name: cut([task.sets[name] for task in tasks]) for name in tasks[0].sets}
    return [
        dataclasses.replace(task, train=train[i], sets={name: found[i] for name, found in sets.items()})
        for i, task in enumerate(tasks)
    ]


def make_task(
    dataset: Dataset,
    order: np.ndarray,
    num_seen: int,
    splits: Mapping[str, np.ndarray],
    *,
    sets: Sequence[str] = ("test_seen", "test_unseen"),
) -> Task:
    """Returns the task with some of a dataset's classes, in a given order, the seen ones first.

    Args:
      dataset: what the task is cut from.
      order: `[C']` rows of its classes.
      num_seen: how many of them, the first, are seen.
      splits: example rows by name: `train`, and those of `sets`.
      sets: names of the splits that are scored.
    """
    row = np.full(len(dataset.classes), -1, np.int32)
    row[order] = np.arange(len(order))
    is_seen = np.arange(len(order)) < num_seen
    table = dataclasses.replace(dataset.classes[order], is_seen=is_seen, trained=num_seen)

    def examples(name: str) -> Examples:
        rows = splits[name]
        labels = _relabelled(dataset.labels[rows], row, order)
        return Examples(inputs_lib.take(dataset.inputs, rows), labels, np.asarray(rows))

    train = examples("train")._replace(ids=None)
    if train.labels.ndim == 2:
        train = train._replace(labels=train.labels[:, :num_seen])
    return Task(train, {name: examples(name) for name in sets}, table)


def _relabelled(labels: np.ndarray, row: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Labels as rows of a new table: `[N]` by the new row of each class, `[N, C]` by the columns that stay."""
    return np.where(labels >= 0, row[labels], -1) if labels.ndim == 1 else labels[:, order]


def _task(dataset: Dataset, seen: np.ndarray, unseen: np.ndarray, splits: Mapping[str, np.ndarray]) -> Task:
    return make_task(dataset, np.concatenate([seen, unseen]), len(seen), splits)
