"""Pictures that are decoded when they are asked for, for data that memory does not hold.

    pictures = Pictures(source, np.arange(len(source)), size=64)    stands for uint8 [N, 64, 64, 3]
    pictures[rows]                                                  Pictures again: nothing is decoded
    Reader(pictures[order]).take(n)                                 the next n of them, [n, 64, 64, 3]

A reader decodes ahead, in threads of this process or in worker processes, by grain. What it gives is a function of the
order alone, so that a run that is resumed begins to read where it stopped.
"""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from absl import flags

from zsl_jax import errors

CACHES = ("auto", "memory", "stream")
# What `auto` still keeps in memory: tasks are copies of parts of it, so that a run takes about three times as much.
MOST_BYTES = 2**30
_PART = 32  # pictures that a thread or a worker decodes at a time

T = TypeVar("T")


def is_streamed(cache: str, num_pictures: int, size: int) -> bool:
    """Whether pictures are decoded when they are needed: always for `stream`, for `auto` above `MOST_BYTES`.

    Args:
      cache: one of `CACHES`.
      num_pictures: N.
      size: S, their height and width, pixels.

    >>> is_streamed("auto", 10_000, 64), is_streamed("auto", 10_000, 224)
    (False, True)
    """
    if cache not in CACHES:
        raise errors.unknown("data.cache", cache, CACHES)
    return cache == "stream" or (cache == "auto" and num_pictures * size * size * 3 > MOST_BYTES)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Takes the place of an array `[N, S, S, 3]` uint8 in a dataset or a task.

    An index of rows gives the `Pictures` of those rows, an integer one picture, decoded. As an array it is refused, so
    that nothing decodes all of them unasked; in a pytree it has no leaves.

    Args:
      source: `source[row]` is a picture `[S, S, 3]` uint8; it is pickled for worker processes.
      rows: `[N]` of the source.
      size: S.
      workers: processes that decode; 0 for threads of this one.
    """

    source: Any
    rows: np.ndarray
    size: int
    workers: int = 0

    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.rows), self.size, self.size, 3)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)):
            return self.source[self.rows[index]]
        return dataclasses.replace(self, rows=self.rows[index])

    def __array__(self, dtype=None, copy=None):
        raise errors.UserError(
            f"this needs all {len(self)} pictures in memory, where data.cache streams them: set data.cache=memory"
        )

    __jax_array__ = __array__


def joined(*parts: Any) -> Any:
    """Inputs one after another: an array, or `Pictures` of one source.

    >>> joined(np.zeros((2, 3)), np.ones((1, 3))).shape
    (3, 3)
    """
    if not any(isinstance(part, Pictures) for part in parts):
        return np.concatenate(parts)
    return dataclasses.replace(parts[0], rows=np.concatenate([part.rows for part in parts]))


def blocks(inputs: Any, size: int) -> Iterator[np.ndarray]:
    """Yields inputs `[N, ...]` as arrays of at most `size` rows."""
    starts = range(0, len(inputs), size)
    if not isinstance(inputs, Pictures):
        yield from (inputs[first : first + size] for first in starts)
        return
    with Reader(inputs) as reader:
        yield from (reader.take(min(size, len(inputs) - first)) for first in starts)


def decoded(inputs: Any) -> np.ndarray:
    """Inputs `[N, ...]` as an array, where N is known to be small."""
    return np.concatenate(list(blocks(inputs, len(inputs)))) if isinstance(inputs, Pictures) else inputs


class Reader:
    """Decodes pictures in their order, some ahead of what is asked for; to be closed, or used in a `with`."""

    def __init__(self, pictures: Pictures):
        import grain  # two seconds

        self._shape = pictures.shape[1:]
        workers = pictures.workers
        # A worker decodes one part after another; without any, as many threads as there are processors do.
        threads = 0 if workers else os.cpu_count()
        stream = grain.MapDataset.source(_Parts(pictures)).to_iter_dataset(
            grain.ReadOptions(num_threads=threads, prefetch_buffer_size=4 * threads)
        )
        if workers:
            # Grain looks at flags of its own when it starts workers, and raises where no program has parsed any.
            if not flags.FLAGS.is_parsed():
                flags.FLAGS.mark_as_parsed()
            options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=4)
            stream = stream.mp_prefetch(options)
        self._stream = iter(stream)
        self._waiting = collections.deque()

    def take(self, count: int) -> np.ndarray:
        """Returns the next pictures, `[count, S, S, 3]` uint8.

        Raises:
          UserError: one of them cannot be read.
        """
        taken = np.empty((count, *self._shape), np.uint8)
        filled = 0
        while filled < count:
            part = self._waiting.popleft() if self._waiting else next(self._stream)
            here = min(len(part), count - filled)
            taken[filled : filled + here] = part[:here]
            filled += here
            if here < len(part):
                self._waiting.appendleft(part[here:])
        return taken

    def close(self) -> None:
        """Ends the threads and the workers."""
        self._stream.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def one_ahead(iterator: Iterator[T]) -> Iterator[T]:
    """Yields what `iterator` does, while a thread makes the next."""
    end = object()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, iterator, end)
        try:
            while (found := coming.result()) is not end:
                coming = pool.submit(next, iterator, end)
                yield found
        finally:
            concurrent.futures.wait([coming])
            iterator.close()


class _Parts:
    """Parts of `_PART` pictures, decoded when they are asked for."""

    def __init__(self, pictures: Pictures):
        self._pictures = pictures

    def __len__(self) -> int:
        return -(-len(self._pictures) // _PART)

    def __getitem__(self, part) -> np.ndarray:
        here = self._pictures[int(part) * _PART : (int(part) + 1) * _PART]
        return np.stack([here[row] for row in range(len(here))])
