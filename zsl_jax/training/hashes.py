"""Hashes of what a run is made of: data, labels, class table, weights. State on disk is bound to them."""

import hashlib
from typing import Any

import jax
import numpy as np

from zsl_jax import data, methods
from zsl_jax.data import inputs as inputs_lib


def made_of(dataset: data.Dataset, method: methods.Method) -> dict[str, str]:
    """Returns hashes of what a run is made of.

    `labels` with class table, splits and the hashes of the files; `data` with the inputs too, where they are in memory;
    `images` with the sizes of image files; `weights` where the method has any from elsewhere.
    """
    found = {} if inputs_lib.is_stream(dataset.inputs) else {"data": data_sha256(dataset)}
    found["labels"] = labels_sha256(dataset)
    if "sizes_sha256" in dataset.info:
        found["images"] = dataset.info["sizes_sha256"]
    weights = method.weights()
    if jax.tree.leaves(weights):
        found["weights"] = tree_sha256(weights)
    return found


def data_sha256(dataset: data.Dataset) -> str:
    """Returns a hash over inputs, labels, class table and splits."""
    return tree_sha256({"inputs": dataset.inputs, **_without_inputs(dataset)})


def labels_sha256(dataset: data.Dataset) -> str:
    """Returns a hash over labels, class table, splits and the hashes of files, which a stream has too."""
    return tree_sha256({"files": dict(dataset.info.get("files", {})), **_without_inputs(dataset)})


def _without_inputs(dataset: data.Dataset) -> dict[str, Any]:
    table = dataset.classes
    return {
        "labels": dataset.labels,
        "classes": (table.embedding, table.is_seen, table.parts, table.shared),
        "names": list(table.names),
        "splits": dict(dataset.splits),
    }


def table_sha256(classes: data.ClassTable) -> str:
    """Returns a hash over a class table as a run writes it: in float32, with its names."""
    arrays = jax.tree.map(_as_written, (classes.embedding, classes.is_seen, classes.parts, classes.shared))
    return tree_sha256({"arrays": arrays, "names": list(classes.names)})


def _as_written(x) -> np.ndarray:
    array = np.asarray(x)
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


def tree_sha256(tree: Any) -> str:
    """Returns a hash over structure, shapes, dtypes and values of a pytree of arrays, texts and numbers."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        digest.update(jax.tree_util.keystr(path).encode())
        if isinstance(leaf, (str, int, float)):
            digest.update(repr(leaf).encode())
            continue
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(repr(array.tolist()).encode() if array.dtype.kind == "O" else _bytes(array))
    return digest.hexdigest()


def _bytes(array: np.ndarray) -> Any:
    """The bytes of a contiguous array, without a copy."""
    return array.reshape(-1).view(np.uint8) if array.nbytes else b""
