"""Signs of life between the processes of a run, so that the loss of one is said in one line and soon.

Every process writes a number that grows where all can read it, the store of the runtime's coordinator (the first
process). One whose number stands still is gone. The runtime itself finds out later, or in the middle of a collective
operation, and then says so in many lines.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

EVERY_S = 1.0
SILENCE_S = 20.0
EXIT_CODE = 3
COORDINATOR_GONE = "process 0 of {}, which coordinates, is gone"
_PLACE, _DONE, _LEFT = "zsl_jax/alive", "done", "left"


class Watch:
    """Watches the other processes from a thread of its own, until `close`.

    Args:
      client: of the runtime: `key_value_set(key, value, allow_overwrite=True)` and `key_value_dir_get(key)`.
      number, count: this process and how many there are.
      lost: called once, from the thread, with what is wrong.
      every_s: between two signs.
      silence_s: after which a process is gone.
    """

    def __init__(
        self,
        client: Any,
        number: int,
        count: int,
        lost: Callable[[str], None],
        *,
        every_s: float = EVERY_S,
        silence_s: float = SILENCE_S,
    ):
        self._client, self._number, self._count, self._lost = client, number, count, lost
        self._every, self._silence = every_s, silence_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the watch, and tells the others that this process has done its part."""
        self._say_last(_DONE)

    def leave(self) -> None:
        """Ends the watch before this process has done its part; the others miss it if they go on.

        Before that it waits until every other process has given a sign of life or has left too. Where one is gone,
        `lost` is called instead: what this process fails of is then most likely that.
        """
        first = None
        while self._thread.is_alive():  # it ends where it misses one
            with contextlib.suppress(Exception):  # a coordinator that does not answer is the thread's to miss
                signs = self._others()
                first = first or signs
                if all(sign in ("", _DONE, _LEFT) or sign != first[other] for other, sign in signs.items()):
                    break
            time.sleep(self._every / 10)
        self._say_last(_LEFT)

    def _others(self) -> dict[int, str]:
        """Returns the last sign of every other process; an empty one where there was none yet."""
        signs = dict(self._client.key_value_dir_get(_PLACE))
        return {n: signs.get(f"{_PLACE}/{n}", "") for n in range(self._count) if n != self._number}

    def _say_last(self, sign: str) -> None:
        self._closed.set()
        self._thread.join()
        with contextlib.suppress(RuntimeError):
            self._client.key_value_set(f"{_PLACE}/{self._number}", sign, allow_overwrite=True)

    def _run(self) -> None:
        turn, reached = 0, time.monotonic()
        last: dict[int, tuple[str, float]] = {}
        while not self._closed.wait(self._every):
            turn += 1
            try:
                self._client.key_value_set(f"{_PLACE}/{self._number}", str(turn), allow_overwrite=True)
                signs = self._others()
            except Exception:  # whatever the runtime raises where its coordinator does not answer
                if time.monotonic() - reached <= self._silence:
                    continue
                self._lost(COORDINATOR_GONE.format(self._count))
                return
            now = reached = time.monotonic()
            for other, sign in signs.items():
                if other not in last or last[other][0] != sign:
                    last[other] = (sign, now)
            silent = {other: sign for other, (sign, seen) in last.items() if now - seen > self._silence}
            gone = [str(other) for other, sign in silent.items() if sign not in ("", _DONE)]
            if gone:
                self._lost(f"process {' and '.join(gone)} of {self._count} is gone (silent for {self._silence:.0f} s)")
                return


def end(line: str, *, is_coordinator: bool) -> None:
    """Prints a line and ends the process; the coordinator last, so that the others can say theirs."""
    print(f"zsl-jax: {line}; the same line goes on from the last checkpoint", file=sys.stderr, flush=True)
    if is_coordinator:
        time.sleep(3 * EVERY_S)
    os._exit(EXIT_CODE)
