"""ImageStream that are decoded when they are asked for, for data that memory does not hold.

    images = ImageStream(source, np.arange(len(source)), size=64)    stands for uint8 [N, 64, 64, 3]
    images[rows]                                                  ImageStream again: nothing is decoded
    Reader(images[order]).take(n)                                 the next n of them, [n, 64, 64, 3]

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
_PART = 32  # images that a thread or a worker decodes at a time

T = TypeVar("T")


def is_streamed(cache: str, num_images: int, size: int) -> bool:
    """Whether images are decoded when they are needed: always for `stream`, for `auto` above `MOST_BYTES`.

    Args:
      cache: one of `CACHES`.
      num_images: N.
      size: S, their height and width, pixels.

    >>> is_streamed("auto", 10_000, 64), is_streamed("auto", 10_000, 224)
    (False, True)
    """
    if cache not in CACHES:
        raise errors.unknown("data.cache", cache, CACHES)
    return cache == "stream" or (cache == "auto" and num_images * size * size * 3 > MOST_BYTES)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class ImageStream:
    """Takes the place of an array `[N, S, S, 3]` uint8 in a dataset or a task.

    An index of rows gives the `ImageStream` of those rows, an integer one image, decoded. As an array it is refused, so
    that nothing decodes all of them unasked; in a pytree it has no leaves.

    Args:
      source: `source[row]` is a image `[S, S, 3]` uint8; it is pickled for worker processes.
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
            f"this needs all {len(self)} images in memory, where data.cache streams them: set data.cache=memory"
        )

    __jax_array__ = __array__


class Reader:
    """Decodes images in their order, some ahead of what is asked for; to be closed, or used in a `with`."""

    def __init__(self, images: ImageStream):
        import grain  # two seconds

        self._shape = images.shape[1:]
        workers = images.workers
        # A worker decodes one part after another; without any, as many threads as there are processors do.
        threads = 0 if workers else os.cpu_count()
        stream = grain.MapDataset.source(_Parts(images)).to_iter_dataset(
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
        """Returns the next images, `[count, S, S, 3]` uint8.

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
    """Parts of `_PART` images, decoded when they are asked for."""

    def __init__(self, images: ImageStream):
        self._images = images

    def __len__(self) -> int:
        return -(-len(self._images) // _PART)

    def __getitem__(self, part) -> np.ndarray:
        here = self._images[int(part) * _PART : (int(part) + 1) * _PART]
        return np.stack([here[row] for row in range(len(here))])
