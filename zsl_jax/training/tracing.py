"""A trace of some steps, for TensorBoard's profiler, XProf or Perfetto."""

import pathlib

import jax


class Trace:
    """Records the steps from `first` up to `last`, not included, counted from 0, and writes them into a directory."""

    def __init__(self, first: int, last: int, directory: pathlib.Path):
        self._first, self._last, self._directory, self._is_on = first, last, directory, False

    def before(self, step: int, count: int) -> int:
        """To be called before `count` steps from `step` on; returns how many of them may run before the next call."""
        if self._is_on and step >= self._last:
            self.close()
        if not self._is_on and self._first <= step < self._last:
            jax.profiler.start_trace(self._directory)
            self._is_on = True
        borders = [border - step for border in (self._first, self._last) if border > step]
        return min(count, *borders) if borders else count

    def close(self) -> None:
        """Writes what was recorded."""
        if self._is_on:
            jax.profiler.stop_trace()
            self._is_on = False
