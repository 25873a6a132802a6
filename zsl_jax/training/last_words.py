"""What the runtime says before it ends a process, held back; one line in their place where the coordinator is gone.

The runtime ends every other process within a second of the loss of the first one: it writes a stack trace and aborts,
and nothing is left for Python to catch. So what it writes goes to a file, which is read when the signal comes.
"""

import contextlib
import ctypes
import os
import signal
import tempfile
from collections.abc import Callable, Iterator

_OF_A_LOSS = b"distributed service detected fatal errors"
_MOST_BYTES = 2**20


@contextlib.contextmanager
def held_back(lost: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Inside, what is written to the process's stderr by others than Python is shown at the end, its last MiB.

    Args:
      lost: called in the place of an abort because of another process; it ends this one. Any other abort shows what
        was held back, and is one.

    Yields:
      What shows it sooner.
    """
    shown, libc = os.dup(2), ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile(buffering=0))

        def said() -> bytes:
            end = os.fstat(held.fileno()).st_size
            # The place where others go on writing stays where it is.
            return os.pread(held.fileno(), _MOST_BYTES, max(0, end - _MOST_BYTES))

        def show() -> None:
            os.write(shown, said())

        def on_abort(number: int) -> None:
            if _OF_A_LOSS in said():
                lost()
            show()
            libc.signal(number, None)  # the abort goes on as any other

        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(on_abort)
        before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
        stderr = stack.enter_context(open(os.dup(shown), "w", buffering=1, errors="backslashreplace"))
        os.dup2(held.fileno(), 2)
        stack.enter_context(contextlib.redirect_stderr(stderr))
        try:
            yield show
        finally:
            os.dup2(shown, 2)
            show()
            libc.signal(signal.SIGABRT, before)
            os.close(shown)
