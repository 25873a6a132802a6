"""Arrays that a caller has as a dataset, and the same in a file, as `zsl_jax.fit(...).save` leaves it.

    labels [N], rows of the classes; a class that no label names is unseen

DIR/data.npz   inputs, labels, splits and the class table, by the names of `class_tables`
"""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors
from zsl_jax.data import arrays, class_tables, dataset, soundness, tables
from zsl_jax.data import inputs as inputs_lib

NAME, FILE = "in_memory", "data.npz"
_INPUTS = "inputs"


def load(dir: str | os.PathLike = "") -> dataset.Dataset:
    """The data of a model that was fitted on arrays and saved.

    Args:
      dir: the folder it was saved in.

    Raises:
      UserError: the folder has no such data, or damaged ones.
    """
    if not os.fspath(dir):
        raise errors.UserError(
            "in_memory is the data of a saved zsl_jax.fit: --config.data.dir=FOLDER, where it was saved"
        )
    path = pathlib.Path(dir).expanduser() / FILE
    held = arrays.read(path).arrays
    try:
        named, attributes = bool(held.pop("named")), held.pop("attributes", None)
        labels, validation = held.pop("labels"), held.pop("validation_classes", None)
        splits = {name.partition("/")[2]: held.pop(name) for name in list(held) if name.startswith("splits/")}
        inputs = class_tables.nested(_INPUTS, held)
        table = class_tables.from_arrays(path, {name: x for name, x in held.items() if not _is_part(_INPUTS, name)})
    except KeyError as error:
        raise errors.UserError(f"{path} is no data of a saved zsl_jax.fit: it has no {error.args[0]}") from error
    return dataset.Dataset(
        "arrays",
        inputs,
        labels,
        table,
        splits,
        validation,
        info=_info(named, None if attributes is None else attributes.tolist()),
    )


def arrays_of(source: dataset.Dataset) -> dict[str, np.ndarray]:
    """Returns a dataset as arrays by name, for `numpy.savez` in a file that `load` reads."""
    held = {"labels": source.labels, "named": np.array(source.info["named"])}
    held |= class_tables.flat(_INPUTS, source.inputs)
    held |= {f"splits/{name}": rows for name, rows in source.splits.items()}
    if "attributes" in source.info:
        held["attributes"] = np.array(source.info["attributes"])
    if source.validation_classes is not None:
        held["validation_classes"] = source.validation_classes
    return held | class_tables.arrays_of(source.classes)


def make(
    inputs: Any,
    labels: Any,
    classes: Any,
    *,
    names: Sequence[str] | None = None,
    attributes: Sequence[str] | None = None,
    validation: Sequence | None = None,
    test: tuple[Any, Any] | None = None,
) -> dataset.Dataset:
    """Returns arrays as a dataset; the classes that no label names are unseen.

    Args:
      inputs: `[N, ...]` of numpy or jax, or a dict of such; floats and rows of numbers become float32.
      labels: `[N]` whole numbers of any type, rows of `classes`.
      classes: `[C, A]`, a tree of arrays `[C, ...]`, or a `ClassTable`, whose `is_seen` is not looked at.
      names: `[C]`, of the classes; None where a `ClassTable` has them, or for `class 0`, `class 1`, ...
      attributes: `[A]`, names of the columns of `classes`.
      validation: rows or names of labelled classes that choices are made on; None draws them by the seed.
      test: inputs and labels that are scored once; a label may be of any class.

    Raises:
      UserError: what is wrong with them, in one line.

    >>> found = make(np.eye(4), [0, 0, 2, 2], np.eye(3), names=["horse", "zebra", "okapi"])
    >>> found.classes.is_seen.tolist(), found.inputs.dtype.name
    ([True, False, True], 'float32')
    """
    table, named = table_of(classes, names)
    inputs = rows_of(inputs)
    labels = _labels(labels, inputs_lib.count(inputs), len(table))
    is_seen = np.isin(np.arange(len(table)), labels)
    splits = {"train": np.arange(len(labels)), "test_seen": np.arange(0), "test_unseen": np.arange(0)}
    if test is not None:
        inputs, labels, splits = _with_test(inputs, labels, is_seen, test)
    table = dataset.ClassTable(table.embedding, is_seen, table.names, table.parts, table.shared)
    if attributes is not None:
        width = table.embedding.shape[-1] if class_tables.is_matrix(table) else 0
        attributes = names_of(attributes, "attributes")
        if len(attributes) != width:
            raise errors.UserError(f"attributes has {len(attributes)} names for {width} columns of classes")
        if wrong := soundness.names(attributes):
            raise errors.UserError(f"attributes: {wrong.replace('class', 'column')}")
    held_out = None if validation is None else _validation(validation, table)
    return dataset.Dataset("arrays", inputs, labels, table, splits, held_out, info=_info(named, attributes))


def rows_of(inputs: Any, *, like: str = "inputs") -> Any:
    """Returns inputs as the library holds them: floats and rows of numbers as float32, images of bytes as they are.

    Raises:
      UserError: no rows, no numbers, one that is not finite, or a row that is all zeros.
    """
    leaves, tree = jax.tree.flatten(inputs if isinstance(inputs, dict) else _unmasked(inputs, like))
    found = [_numbers(leaf, like) for leaf in leaves]
    if not found or len({len(x) for x in found}) != 1 or not len(found[0]):
        raise errors.UserError(f"{like} has no row, or parts of different lengths: {[list(x.shape) for x in found]}")
    if len(found) == 1 and found[0].ndim == 2 and (wrong := soundness.features(found[0])):
        raise errors.UserError(f"{like}: {wrong}")
    return jax.tree.unflatten(tree, found)


def table_of(classes: Any, names: Sequence[str] | None = None) -> tuple[dataset.ClassTable, bool]:
    """Returns a class table of what a caller has, all of it unseen, and whether its classes have names of their own.

    Raises:
      UserError: not every class has a name and a description.
    """
    table = classes
    if not isinstance(classes, dataset.ClassTable):
        embedding = jax.tree.map(
            lambda x: _numbers(x, "classes"), classes if isinstance(classes, dict) else _unmasked(classes, "classes")
        )
        sizes = {len(x) for x in jax.tree.leaves(embedding)}
        if len(sizes) != 1 or not min(sizes):
            raise errors.UserError("classes has no row, or parts of different lengths")
        table = dataset.ClassTable(embedding, np.zeros(sizes.pop(), bool))
    named = names is not None or bool(table.names)
    given = names_of(table.names if names is None else names) or tuple(f"class {i}" for i in range(len(table)))
    if len(given) != len(table):
        raise errors.UserError(f"names has {len(given)} names for {len(table)} classes")
    if wrong := soundness.names(given):
        raise errors.UserError(f"names: {wrong}")
    embedding = table.embedding
    if (
        hasattr(embedding, "ndim")
        and embedding.ndim == 2
        and (wrong := soundness.descriptions(np.asarray(embedding), given))
    ):
        raise errors.UserError(f"classes: {wrong}")
    is_seen = np.asarray(table.is_seen)
    return dataset.ClassTable(embedding, is_seen, given, table.parts, table.shared), named


def names_of(given: Sequence, what: str = "names") -> tuple[str, ...]:
    """Returns names as the library holds them, of texts, UTF-8 bytes or whole numbers.

    Raises:
      UserError: one text in place of a list, or something that is no name.

    >>> names_of([b"ox", " gnu ", 3])
    ('ox', 'gnu', '3')
    """
    if isinstance(given, (str, bytes)):
        raise errors.UserError(f"{what} is one text, {given!r}: a list of them is wanted")
    found = []
    for place, value in enumerate(given):
        try:
            name = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            name = None
        if not isinstance(name, (str, int, np.integer)) or isinstance(name, bool):
            raise errors.UserError(f"{what}: entry {place} is {value!r}, no text in UTF-8")
        found.append(tables.name(str(name)))
    return tuple(found)


def _unmasked(values: Any, name: str) -> np.ndarray:
    """An array; of a masked one the mask would be forgotten, and what is below it be taken for values."""
    if np.ma.is_masked(values):
        raise errors.UserError(f"{name} has masked values: leave these rows out, or fill them")
    return np.asarray(values)


def _numbers(values: Any, name: str) -> np.ndarray:
    """An array of numbers, `[N, ...]`."""
    found = _unmasked(values, name)
    if jnp.issubdtype(found.dtype, jnp.floating) and found.dtype.kind != "f":
        found = found.astype(np.float32)  # bfloat16
    if found.ndim < 2:
        raise errors.UserError(f"{name} has the shape {list(found.shape)}: an array with a row for each is wanted")
    if not found.size:
        raise errors.UserError(f"{name} has the shape {list(found.shape)}: there is nothing in it")
    if wrong := soundness.numbers(found):
        raise errors.UserError(f"{name}: {wrong}")
    is_numbers = found.dtype.kind in "fb" or found.ndim == 2
    return np.ascontiguousarray(found, np.float32) if is_numbers else found


def _labels(labels: Any, count: int, num_classes: int, name: str = "labels") -> np.ndarray:
    found = _unmasked(labels, name)
    if found.ndim != 1 or len(found) != count:
        raise errors.UserError(
            f"{name} has the shape {list(found.shape)}, where inputs has {count} rows: [{count}] is wanted"
        )
    if wrong := soundness.whole(found):
        raise errors.UserError(f"{name}: {wrong}; labels are rows of classes")
    outside = np.flatnonzero((found < 0) | (found >= num_classes))
    if len(outside):
        raise errors.UserError(
            f"{name}: entry {outside[0]} is {found[outside[0]]:.0f}, where classes has the rows 0 to {num_classes - 1}"
        )
    return found.astype(np.int32)


def _with_test(inputs, labels, is_seen, test) -> tuple[Any, np.ndarray, dict[str, np.ndarray]]:
    """Inputs and labels with those of the test behind them, and the splits."""
    if not isinstance(test, (tuple, list)) or len(test) != 2:
        raise errors.UserError("test is a pair, inputs and their labels")
    more = rows_of(test[0], like="inputs of test")
    if inputs_lib.spec(more) != inputs_lib.spec(inputs):
        raise errors.UserError(
            f"inputs of test are {inputs_lib.spec(more)} per row, those to train on {inputs_lib.spec(inputs)}"
        )
    there = _labels(test[1], inputs_lib.count(more), len(is_seen), "labels of test")
    rows = len(labels) + np.arange(len(there))
    splits = {
        "train": np.arange(len(labels)),
        "test_seen": rows[is_seen[there]],
        "test_unseen": rows[~is_seen[there]],
    }
    return inputs_lib.joined(inputs, more), np.concatenate([labels, there]), splits


def _validation(given: Sequence, table: dataset.ClassTable) -> np.ndarray:
    """The rows of validation classes that are given as rows or as names."""
    row = {name: number for number, name in enumerate(table.names)}
    rows = []
    if isinstance(given, str):
        raise errors.UserError(f"validation is one text, {given!r}: a list of rows or names is wanted")
    for one in np.asarray(given).tolist():
        one = tables.name(one) if isinstance(one, str) else one
        if isinstance(one, bool):
            raise errors.UserError(
                "validation is true or false of each class: rows or names are wanted, as of np.flatnonzero"
            )
        if isinstance(one, str) and one not in row:
            raise errors.unknown("validation class", one, [n for n, seen in zip(table.names, table.is_seen) if seen])
        number = row[one] if isinstance(one, str) else one
        if not isinstance(number, int) or not 0 <= number < len(table) or not table.is_seen[number]:
            raise errors.UserError(f"validation: {one!r} is no class that a label names")
        rows.append(number)
    return np.unique(np.array(rows, np.int64))


def _info(named: bool, attributes: Sequence[str] | None) -> dict[str, Any]:
    info = {"semantics": "given", "split": "given", "files": {}, "named": named}
    return info if attributes is None else info | {"attributes": list(attributes)}


def _is_part(tree: str, name: str) -> bool:
    return name.partition("/")[0] == tree
