"""Examples in blocks of one size on the devices, to be scored one after another."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from zsl_jax.data import dataset, streaming
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.training import parallel

# Inputs that a device scores between two looks at whether to stop, at most, and what they may take: 16 MiB stay in a
# cache. The scores of a block may take 64 MiB.
_BLOCK, _BLOCK_BYTES, _SCORE_BYTES = 8192, 2**24, 2**26


@dataclasses.dataclass(frozen=True)
class Block:
    """Inputs and labels on the devices, of which the first `count` are real."""

    inputs: Any
    labels: Any
    count: int


def size_of(sets: Sequence[dataset.Examples], mesh, num_classes: int) -> int:
    """Returns the number of rows of the blocks of several sets, one for all so that they share a compiled program."""
    shares, longest = parallel.num_shares(mesh), max(len(examples.labels) for examples in sets)
    row_bytes = max(inputs_lib.row_bytes(examples.inputs) for examples in sets)
    most = min(_BLOCK, _BLOCK_BYTES // max(row_bytes, 1), _SCORE_BYTES // (4 * num_classes))
    return max(min(-(-longest // shares), most), 1) * shares


class Blocks:
    """Examples in blocks of one size: on the devices for good where they fit, else one at a time."""

    def __init__(self, examples: dataset.Examples, mesh, size: int):
        inputs, self._labels = examples.inputs, np.asarray(examples.labels)
        count = len(self._labels)
        self._inputs, self._mesh, self._size, self._count = inputs, mesh, size, count
        if inputs_lib.is_stream(inputs):
            # Decoded by threads: workers take seconds to start, each time anew.
            self._inputs = dataclasses.replace(inputs, workers=0)
            return
        blocks = [self._block(first) for first in range(0, count, size)]
        on_device = not parallel.must_divide(inputs, mesh)
        self._blocks = [self._placed(block) if on_device else block for block in blocks]

    def __iter__(self):
        if inputs_lib.is_stream(self._inputs):
            return streaming.one_ahead(self._decoded())
        return (self._placed(block) for block in self._blocks)

    def _block(self, first: int) -> Block:
        rows = slice(first, first + self._size)
        labels = self._labels[rows]
        return Block(_filled(inputs_lib.take(self._inputs, rows), self._size), _filled(labels, self._size), len(labels))

    def _placed(self, block: Block) -> Block:
        inputs, labels = parallel.place_rows((block.inputs, block.labels), self._mesh)
        return Block(inputs, labels, block.count)

    def _decoded(self):
        """Blocks of a stream, each process its share of them; the last one is filled up by zeros."""
        layout = parallel.Layout(self._mesh, divided=True, streamed=True)
        mine = parallel.my_places(self._size, self._mesh)
        firsts = range(0, self._count, self._size)
        places = np.concatenate([first + mine for first in firsts])
        with contextlib.closing(streaming.Reader(self._inputs[places[places < self._count]])) as reader:
            for first in firsts:
                block = np.zeros((len(mine), *self._inputs.shape[1:]), self._inputs.dtype)
                real = int(np.sum(first + mine < self._count))
                block[:real] = reader.take(real)
                labels = self._labels[first : first + self._size]
                placed = parallel.place_shares(block, mine, self._size, layout)
                yield Block(placed, parallel.place_rows(_filled(labels, self._size), self._mesh), len(labels))


def _filled(rows, size: int):
    """The rows of every array, and zeros up to `size`; a copy only where there are any."""

    def filled(x):
        return np.pad(x, [(0, size - len(x))] + [(0, 0)] * (np.ndim(x) - 1)) if len(x) < size else x

    return jax.tree.map(filled, rows)
