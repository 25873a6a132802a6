"""Inputs of any kind, by rows: an array `[N, ...]`, a tree of such arrays, or a stream of images.

    features          [N, F]                         patches   {"vector": [N, D], "local": [N, P, D]}
    images            [N, H, W, 3] uint8             tokens    [N, L] int
    stream of images  `streaming.ImageStream`, which stands for uint8 [N, S, S, 3] and decodes when it is asked to

Everything else asks these functions and never looks inside.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from zsl_jax.data import streaming

_ALIGNMENT = 64  # bytes, of what XLA takes as it is


def take(inputs: Any, rows: Any) -> Any:
    """Returns some rows; of a stream the stream of those rows, with nothing decoded.

    >>> take({"vector": np.eye(3), "ids": np.arange(3)}, [2])["ids"].tolist()
    [2]
    """
    return _map(lambda x: _rows_of(x, rows), inputs)


def _rows_of(x: Any, rows: Any) -> Any:
    """`x[rows]`; a copy starts where a processor's device can read it from, so that there is no other."""
    if not isinstance(x, np.ndarray) or isinstance(rows, slice) or x.dtype.hasobject:
        return x[rows]
    places = np.arange(len(x))[rows]  # of any kind of index, checked
    size = math.prod((*places.shape, *x.shape[1:])) * x.dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    found = memory[start : start + size].view(x.dtype).reshape(*places.shape, *x.shape[1:])
    # In its other modes `take` fills a buffer of its own first.
    return np.take(x, places, axis=0, out=found, mode="clip")


def count(inputs: Any) -> int:
    """Returns N."""
    return len(_leaves(inputs)[0])


def is_stream(inputs: Any) -> bool:
    """Whether the inputs are decoded when they are asked for."""
    return isinstance(inputs, streaming.ImageStream)


def joined(*parts: Any) -> Any:
    """Returns inputs one after another.

    >>> joined(np.zeros((2, 3)), np.ones((1, 3))).shape
    (3, 3)
    """

    def join(first, *others):
        if is_stream(first):
            return dataclasses.replace(first, rows=np.concatenate([x.rows for x in (first, *others)]))
        return np.concatenate([first, *others])

    return jax.tree.map(join, *parts, is_leaf=is_stream)


def blocks(inputs: Any, size: int) -> Iterator[Any]:
    """Yields the rows in order, at most `size` at a time, decoded."""
    starts = range(0, count(inputs), size)
    if not is_stream(inputs):
        yield from (take(inputs, slice(first, first + size)) for first in starts)
        return
    with streaming.Reader(inputs) as reader:
        yield from (reader.take(min(size, len(inputs) - first)) for first in starts)


def decoded(inputs: Any) -> Any:
    """Returns the inputs in memory, where N is known to be small."""
    return np.concatenate(list(blocks(inputs, len(inputs)))) if is_stream(inputs) else inputs


def zeros(inputs: Any, number: int) -> Any:
    """Returns `number` rows of zeros of the shape and dtype that the inputs have."""
    return _map(lambda x: np.zeros((number, *x.shape[1:]), x.dtype), inputs)


def row_bytes(inputs: Any) -> int:
    """Returns the bytes of a row."""
    return sum(math.prod(x.shape[1:]) * x.dtype.itemsize for x in _leaves(inputs))


def spec(inputs: Any) -> Any:
    """Returns shape and dtype of a row as JSON-able values: of an array a dict of both, of a tree a dict of those.

    >>> spec(np.zeros((5, 3), np.float32))
    {'shape': [3], 'dtype': 'float32'}
    """
    return _map(lambda x: {"shape": list(x.shape[1:]), "dtype": str(x.dtype)}, inputs)


def from_spec(described: Any, number: int) -> Any:
    """Returns `number` rows of zeros of what `spec` describes, which take no memory."""
    if "shape" in described and "dtype" in described:
        zero = np.zeros((), described["dtype"])
        return np.broadcast_to(zero, (number, *described["shape"]))
    return {name: from_spec(part, number) for name, part in described.items()}


def _map(function, inputs: Any) -> Any:
    return jax.tree.map(function, inputs, is_leaf=is_stream)


def _leaves(inputs: Any) -> list:
    return jax.tree.leaves(inputs, is_leaf=is_stream)
