"""SIGTERM and SIGINT as a question that a run asks itself between steps, so that it ends in good order."""

import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Whether the process was told to stop: `interruption()` is True from the first signal on."""

    def __init__(self):
        self.is_set = False

    def __call__(self) -> bool:
        return self.is_set


@contextlib.contextmanager
def listening() -> Iterator[Interruption]:
    """Takes SIGTERM and SIGINT as a wish to stop; a second one acts as it would have at first.

    For the main thread. To be entered after the processes of a run have found each other, which installs a handler too.
    """
    interruption, before = Interruption(), {number: signal.getsignal(number) for number in SIGNALS}

    def note(number, frame):
        del number, frame
        interruption.is_set = True
        restore()

    def restore():
        for number, handler in before.items():
            # None: a handler that Python did not install and cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield interruption
    finally:
        restore()
