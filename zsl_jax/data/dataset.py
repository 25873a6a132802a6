"""What a zero-shot problem is made of: a class table, examples, a dataset with named splits, a task cut from it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

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
      parts: `[C, 2]` int, the rows of attribute and object where a class is a pair; `[C, 4]`, those of two pairs, where
        it is a scene of two objects; None elsewhere.
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


def joined(table: ClassTable, others: ClassTable) -> ClassTable:
    """Returns the classes of one table, then those of another one that shares what the first shares.

    >>> table = ClassTable(np.eye(3), np.ones(3, bool), ("a", "b", "c"))
    >>> joined(table[:2], table[2:]).names
    ('a', 'b', 'c')
    """
    embedding, is_seen, parts = jax.tree.map(
        lambda x, y: np.concatenate([x, y]),
        *((each.embedding, each.is_seen, each.parts) for each in (table, others)),
    )
    return ClassTable(embedding, is_seen, table.names + others.names, parts=parts, shared=table.shared)


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
      describe: the embedding of other classes, from a table of their names, parts and what is shared; None where a
        class outside of the table has no description.
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
    describe: Callable[[ClassTable], Any] | None = None


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


def rows_of(examples: Examples, rows: Any) -> Examples:
    """Returns some of the examples."""
    ids = None if examples.ids is None else examples.ids[rows]
    return Examples(inputs_lib.take(examples.inputs, rows), examples.labels[rows], ids)
