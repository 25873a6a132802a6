"""The class table of a run on disk, whatever describes its classes.

classes.csv   a matrix, with a column per attribute: what a person edits, see `class_files`
classes.npz   anything else: names, which are seen, `parts`, and the arrays of `embedding` and `shared` by their path
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from zsl_jax import errors, whole_files
from zsl_jax.data import class_files, dataset, soundness, tables

_TREES = ("embedding", "shared")


def columns(source: dataset.Dataset) -> tuple[str, ...]:
    """Returns the names of the columns of a dataset's class table; none where it is no matrix."""
    return class_files.attribute_names(source) if is_matrix(source.classes) else ()


def is_matrix(table: dataset.ClassTable) -> bool:
    """Whether classes are described by a matrix of floats and nothing else."""
    embedding = table.embedding
    is_floats = hasattr(embedding, "ndim") and embedding.ndim == 2 and np.issubdtype(embedding.dtype, np.floating)
    return is_floats and table.parts is None and table.shared is None


def write(folder: pathlib.Path, table: dataset.ClassTable, attributes: Sequence[str]) -> None:
    """Writes a class table into a folder."""
    if is_matrix(table):
        with whole_files.replacing(folder / "classes.csv") as part:
            class_files.write(part, table, attributes)
        return
    with whole_files.replacing(folder / "classes.npz") as part:
        np.savez(part, **arrays_of(table))


def read(folder: pathlib.Path) -> class_files.Described | None:
    """Returns the class table in a folder, or None where there is none."""
    if (folder / "classes.csv").is_file():
        return class_files.read(folder / "classes.csv")
    if (folder / "classes.npz").is_file():
        return class_files.Described(read_npz(folder / "classes.npz"), (), True)
    return None


def read_npz(path: pathlib.Path) -> dataset.ClassTable:
    """Reads a class table of any kind.

    Raises:
      UserError: the file is damaged, or no class table.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return from_arrays(path, arrays)
    except errors.UserError:
        raise
    except Exception as error:  # a damaged archive raises what it likes
        raise errors.UserError(f"{path} is no class table: {' '.join(str(error).split())}") from error


def arrays_of(table: dataset.ClassTable) -> dict[str, np.ndarray]:
    """Returns a class table as arrays by name, which `from_arrays` reads."""
    arrays = {"names": np.array(table.names, str), "is_seen": np.asarray(table.is_seen)}
    if table.parts is not None:
        arrays["parts"] = np.asarray(table.parts)
    for name in _TREES:
        arrays |= flat(name, getattr(table, name))
    return arrays


def from_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> dataset.ClassTable:
    """Returns the class table that `arrays_of` took apart.

    Raises:
      KeyError: an array is missing.
      UserError: they have different numbers of rows, or are not what they should be.
    """
    arrays = dict(arrays)
    names, is_seen = soundness.text(arrays.pop("names")), arrays.pop("is_seen")
    if names is None:
        raise errors.UserError(f"{path} is no class table: its names are no text in UTF-8")
    if is_seen.dtype.kind not in "fiub" or not np.isin(is_seen, (0, 1)).all():
        raise errors.UserError(f"{path} is no class table: is_seen is not true or false of each class")
    parts = arrays.pop("parts", None)
    trees = {tree: nested(tree, arrays) for tree in _TREES}
    names, is_seen = tuple(map(tables.name, names)), is_seen.astype(bool)
    table = dataset.ClassTable(trees["embedding"], is_seen, names, parts=parts, shared=trees["shared"])
    lengths = {len(names), len(is_seen), *(len(x) for name, x in arrays.items() if name.startswith("embedding"))}
    if len(lengths) != 1 or trees["embedding"] is None:
        raise errors.UserError(f"{path} is no class table: its arrays have {sorted(lengths)} rows")
    return table


def flat(path: str, tree: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of nested dicts by their paths."""
    if tree is None:
        return {}
    if isinstance(tree, dict):
        return {name: x for key, value in tree.items() for name, x in flat(f"{path}/{key}", value).items()}
    return {path: np.asarray(tree)}


def nested(name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Returns nested dicts from arrays by their paths; None where there are none."""
    if name in arrays:
        return arrays[name]
    result: dict[str, Any] = {}
    for path, array in arrays.items():
        head, *keys = path.split("/")
        if head != name:
            continue
        node = result
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = array
    return result or None
