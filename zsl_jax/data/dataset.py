"""What a zero-shot problem is made of: a class table, examples, a dataset with named splits, and the tasks cut from it.

    Dataset --test_task--------> Task    train on the seen classes,    score the test images, once
            --validation_task--> Task    train on some seen classes,   score the rest of them, as often as wanted

A `Task` lists its seen classes first, so that a label is the same row in the seen part of its table and in the whole.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from zsl_jax import errors
from zsl_jax.data import inputs as inputs_lib


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("embedding", "is_seen", "parts", "shared"),
    meta_fields=("trained",),
    drop_fields=("names",),
)
@dataclasses.dataclass(frozen=True)
class ClassTable:
    """All that is known of the candidate classes; indexing takes a subset of them.

    Args:
      embedding: array `[C, A]`, or a pytree of arrays `[C, ...]` (token ids, attribute and object vectors).
      is_seen: `[C]` bool, which classes have training examples of their own.
      names: a name per class. They stay beside the arrays on the host: inside a compiled program, and in what comes out
        of one, they are `()`, so that a new list of names compiles nothing.
      parts: `[C, 2]` int, the rows of attribute and object where a class is a pair; None elsewhere.
      shared: a pytree of what belongs to all classes together (a graph, a vocabulary, word vectors); never indexed.
      trained: the number of classes, the first of the table, that have labelled examples; None where nothing says.

    >>> import numpy as np
    >>> table = ClassTable(np.eye(3), np.array([True, False, True]), ("horse", "zebra", "okapi"))
    >>> table[[2, 0]].names
    ('okapi', 'horse')
    """

    embedding: Any
    is_seen: Any
    names: tuple[str, ...] = ()
    parts: Any = None
    shared: Any = None
    trained: int | None = None

    def __len__(self) -> int:
        return self.is_seen.shape[0]

    def __getitem__(self, index) -> "ClassTable":
        rows = np.arange(len(self))[index]
        if rows.ndim != 1:
            raise ValueError(f"a class table is indexed by a slice, a mask or a list of rows, not by {index!r}")
        names = tuple(self.names[i] for i in rows) if self.names else ()
        # Only a first part of the table keeps the meaning of `trained`.
        is_first_part = self.trained is not None and np.array_equal(rows, np.arange(len(rows)))
        trained = min(self.trained, len(rows)) if is_first_part else None
        return dataclasses.replace(take(self, rows), names=names, trained=trained)

    @property
    def num_trained(self) -> int:
        """The number of classes with labelled examples; all where nothing says."""
        return len(self) if self.trained is None else self.trained


def take(table: ClassTable, rows: Any) -> ClassTable:
    """Returns some rows of a class table; the rows may be traced, names are left out and `shared` stays whole.

    >>> import jax
    >>> table = ClassTable(np.eye(3), np.ones(3, bool), ("a", "b", "c"), shared=np.zeros(7))
    >>> part = jax.jit(take)(table, np.array([2]))
    >>> part.embedding.tolist(), part.shared.shape
    ([[0.0, 0.0, 1.0]], (7,))
    """
    embedding, is_seen, parts = jax.tree.map(lambda x: x[rows], (table.embedding, table.is_seen, table.parts))
    return ClassTable(embedding, is_seen, parts=parts, shared=table.shared)


class Examples(NamedTuple):
    """Inputs `[N, ...]`, their labels and, where somebody asks which they are, their rows in the dataset.

    Fields:
      inputs: see `data.inputs`.
      labels: `[N]` rows of the class table that goes with them, -1 for an example without a label; or `[N, C]` with 1
        (the class is there), 0 (it is not) and -1 (unknown), a column per class.
      ids: `[N]` int, rows of the dataset; None where nobody asks.
    """

    inputs: Any
    labels: Any
    ids: Any = None


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
      inputs: `[N, ...]`, see `data.inputs`.
      labels: `[N]` int32, rows of `classes`, or `[N, C]`, see `Examples`.
      classes: the class table; `is_seen` marks the classes of the `train` split.
      splits: example indices `[n]` (0-based) by name: `train`, `test_seen`, `test_unseen`.
      validation_classes: rows of `classes` that the benchmark itself holds out for validation, or None.
      images: `[N, H, W, 3]` uint8 to look at, or None.
      info: what identifies the data, as it goes into the record: `semantics`, `split`, `files` (sha256 by name).
      kind: what an input is, in the plural, as messages say it: `images`, `texts`.
      parts: the names of attributes and of objects that `classes.parts` are rows of, where classes are pairs.
    """

    name: str
    inputs: Any
    labels: np.ndarray
    classes: ClassTable
    splits: Mapping[str, np.ndarray]
    validation_classes: np.ndarray | None = None
    images: np.ndarray | None = None
    info: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = "images"
    parts: tuple[tuple[str, ...], tuple[str, ...]] | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """One zero-shot problem: what is trained on, what is scored, and the classes. Every label is a row of `classes`.

    Args:
      train: the labelled examples; there may be none.
      sets: examples that are scored, by name.
      classes: those with labelled examples first: `classes.trained` of them. Of these, the ones that have all their
        training examples are seen; the others have a few (few-shot).
    """

    train: Examples
    sets: Mapping[str, Examples]
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
    return of_one_size(tasks, rng)


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


def rows_of(examples: Examples, rows: Any) -> Examples:
    """Returns some of the examples."""
    ids = None if examples.ids is None else examples.ids[rows]
    return Examples(inputs_lib.take(examples.inputs, rows), examples.labels[rows], ids)


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
