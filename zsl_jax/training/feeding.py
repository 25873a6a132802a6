"""What the compiled steps read their batches from: all examples, kept on the devices, or a window of the next steps.

    all       examples [N, ...]           step i takes rows[i] of them
    window    examples [B, W, ...]        steps first ... first + W - 1 in their order; the next one is made meanwhile

A window is for images that memory does not hold. Which examples are in it is what `stretches.epoch_rows` says, so that
both come to the same steps. Each process decodes the rows of its own devices.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from zsl_jax.data import dataset, streaming
from zsl_jax.training import parallel

_WINDOW_BYTES = 2**24
_ROWS_AT_ONCE = 2**22  # of the orders of epochs that workers are started with


class Feed(NamedTuple):
    """Examples on the devices, for the steps from `first` up to `end` of an epoch."""

    examples: Any
    epoch: int
    first: int
    end: int


class Feeder:
    """Gives the feed of a step; steps are asked for in their order.

    Args:
      train: the training examples.
      layout: of the steps.
      order: `epoch -> rows [T, B]` of the examples.
      begin: (epoch, step) of the first that will be asked for.
      epochs: in all.
      num_steps: T.
    """

    def __init__(
        self,
        train: dataset.Examples,
        layout: parallel.Layout,
        *,
        order: Callable[[int], np.ndarray],
        begin: tuple[int, int],
        epochs: int,
        num_steps: int,
    ):
        self.layout, self._windows = layout, None
        if layout.streamed:
            windows = _windows(train, layout, order, begin, epochs, num_steps)
            self._windows, self._feed = streaming.one_ahead(windows), Feed(None, *begin, begin[1])
        else:
            self._feed = Feed(parallel.place_examples(train, layout), 0, 0, num_steps)

    def at(self, epoch: int, step: int) -> Feed:
        """Returns the feed that holds a step.

        Raises:
          UserError: an image of a window cannot be read.
        """
        if self._windows is not None and (epoch, step) >= (self._feed.epoch, self._feed.end):
            self._feed = next(self._windows)
        return self._feed

    def close(self) -> None:
        if self._windows is not None:
            self._windows.close()


def _windows(train, layout, order, begin: tuple[int, int], epochs: int, num_steps: int) -> Iterator[Feed]:
    first_epoch, first_step = begin
    batch_size = order(first_epoch).shape[1]
    mine = parallel.my_places(batch_size, layout.mesh)
    row_bytes = int(np.prod(train.inputs.shape[1:]))
    length = min(max(_WINDOW_BYTES // (batch_size * row_bytes), 1), num_steps)
    together = max(_ROWS_AT_ONCE // (num_steps * len(mine)), 1)
    for opening in range(first_epoch, epochs, together):
        orders = {epoch: order(epoch)[:, mine] for epoch in range(opening, min(opening + together, epochs))}
        starts = {epoch: first_step if epoch == first_epoch else 0 for epoch in orders}
        rows = np.concatenate([rows[starts[epoch] :].ravel() for epoch, rows in orders.items()])
        with contextlib.closing(streaming.Reader(train.inputs[rows])) as reader:
            for epoch, rows in orders.items():
                for first in range(starts[epoch], len(rows), length):
                    labels = train.labels[rows[first : first + length]]
                    images = reader.take(labels.size).reshape(*labels.shape, *train.inputs.shape[1:])
                    window = dataset.Examples(_columns(images, length), _columns(labels, length))
                    placed = parallel.place_shares(window, mine, batch_size, layout)
                    yield Feed(placed, epoch, first, first + len(labels))


def _columns(steps: np.ndarray, length: int) -> np.ndarray:
    """From `[steps, n, ...]` to `[n, length, ...]`, zeros at the end."""
    columns = np.zeros((steps.shape[1], length, *steps.shape[2:]), steps.dtype)
    columns[:, : len(steps)] = steps.swapaxes(0, 1)
    return columns
