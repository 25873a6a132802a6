"""What a zero-shot problem is made of: a class table, examples, a dataset with named splits, and the tasks cut from it.

    Dataset --test_task--------> Task    train on the seen classes,    score the test images, once
            --validation_task--> Task    train on some seen classes,   score the rest of them, as often as wanted

A `Task` lists its seen classes first, so that a label is the same row in the seen part of its table and in the whole.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from zsl_jax import errors


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ClassTable:
    """All that is known of the candidate classes; indexing takes a subset of them.

    Args:
      embedding: array `[C, A]`, or a pytree of arrays `[C, ...]` (text, graphs, prompts).
      is_seen: `[C]` bool, which classes have training examples.
      names: a name a class.

    >>> import numpy as np
    >>> table = ClassTable(np.eye(3), np.array([True, False, True]), ("horse", "zebra", "okapi"))
    >>> table[[2, 0]].names
    ('okapi', 'horse')
    """

    embedding: Any
    is_seen: Any
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index) -> "ClassTable":
        rows = np.arange(len(self))[index]
        if rows.ndim != 1:
            raise ValueError(f"a class table is indexed by a slice, a mask or a list of rows, not by {index!r}")
        embedding, is_seen = jax.tree.map(lambda x: x[rows], (self.embedding, self.is_seen))
        return ClassTable(embedding, is_seen, tuple(self.names[i] for i in rows))


class Examples(NamedTuple):
    """Inputs `[N, ...]` and their labels `[N]` (rows of the class table that goes with them)."""

    inputs: Any
    labels: Any


@jax.tree_util.register_static
class AxisName(str):
    """The name of a mapped axis, as part of a pytree's structure instead of its values."""


class Batch(NamedTuple):
    """A batch of examples; `where [B]` is False for the rows that only fill it up.

    Where `axis_name` is set the rows are one device's share of the batch, and the others' are along that mapped axis.
    """

    inputs: Any
    labels: Any
    where: Any
    axis_name: AxisName | None = None


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Inputs, labels, the class table, and named splits.

    Args:
      name: as the record shows it, e.g. `CUB127`.
      inputs: `[N, ...]`.
      labels: `[N]` int32, rows of `classes`.
      classes: the class table; `is_seen` marks the classes of the `train` split.
      splits: example indices `[n]` (0-based) by name: `train`, `test_seen`, `test_unseen`.
      validation_classes: rows of `classes` that the benchmark itself holds out for validation, or None.
      images: `[N, H, W, 3]` uint8 to look at, or None.
      info: what identifies the data, as it goes into the record: `semantics`, `split`, `files` (sha256 by name).
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    classes: ClassTable
    splits: Mapping[str, np.ndarray]
    validation_classes: np.ndarray | None = None
    images: np.ndarray | None = None
    info: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Task:
    """One zero-shot problem. Seen classes come first in `classes`; every label is a row of `classes`."""

    train: Examples
    test_seen: Examples
    test_unseen: Examples
    classes: ClassTable

    @property
    def num_seen(self) -> int:
        return int(np.sum(self.classes.is_seen))

    @property
    def seen_classes(self) -> ClassTable:
        return self.classes[: self.num_seen]

    @property
    def unseen_classes(self) -> ClassTable:
        return self.classes[self.num_seen :]


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
        inputs=dataset.inputs[rows],
        labels=new_row[dataset.labels[rows]],
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
    """Returns one `validation_task`, or one a fold: disjoint sets of seen classes, each held out in turn.

    The folds are of one shape, so that they can be trained in one program: each holds out as many classes, from few to
    many images alike, and where the images do not come out even some of the larger ones' are left out. With C
    classes, `C % folds` of the largest are in no fold. With several folds the classes come from the seed, not from the
    benchmark's validation classes.

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
    rng = np.random.default_rng(seed)
    sizes = np.bincount(training.labels, minlength=len(training.classes))
    by_size = np.lexsort((rng.random(len(sizes)), sizes))
    strata = by_size[: len(sizes) // folds * folds].reshape(-1, folds)
    parts = rng.permuted(strata, axis=1).T
    tasks = [
        validation_task(
            dataclasses.replace(training, validation_classes=part), seed=seed, image_fraction=image_fraction
        )
        for part in parts
    ]
    return _of_one_size(tasks, rng)


def _of_one_size(tasks: list[Task], rng: np.random.Generator) -> list[Task]:
    """Leaves examples out at random until all tasks have as many of each kind."""

    def cut(name: str) -> list[Examples]:
        kinds = [getattr(task, name) for task in tasks]
        count = min(len(examples.labels) for examples in kinds)
        rows = (np.sort(rng.permutation(len(examples.labels))[:count]) for examples in kinds)
        return [Examples(examples.inputs[kept], examples.labels[kept]) for examples, kept in zip(kinds, rows)]

    names = ("train", "test_seen", "test_unseen")
    return [
        dataclasses.replace(task, **dict(zip(names, kinds)))
        for task, kinds in zip(tasks, zip(*(cut(name) for name in names)))
    ]


def _task(dataset: Dataset, seen: np.ndarray, unseen: np.ndarray, splits: Mapping[str, np.ndarray]) -> Task:
    order = np.concatenate([seen, unseen])
    row = np.full(len(dataset.classes), -1, np.int32)
    row[order] = np.arange(len(order))
    table = dataset.classes[order]
    table = dataclasses.replace(table, is_seen=np.arange(len(order)) < len(seen))

    def examples(name: str) -> Examples:
        return Examples(dataset.inputs[splits[name]], row[dataset.labels[splits[name]]])

    return Task(examples("train"), examples("test_seen"), examples("test_unseen"), table)
