"""`zsl-jax VERB`, or `python -m zsl_jax VERB`: finds the verb, and turns what a user did wrong into one line."""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

import zsl_jax
from zsl_jax import errors

VERBS = {
    "train": "train a method, evaluate it on classes it never saw, and leave a record; run again to resume",
    "evaluate": "score a finished workdir again from its checkpoint",
    "predict": "name the class of new inputs, among the classes of a table given at that moment",
    "export": "write a trained method as one file that scores without this package",
    "report": "build the table of results from the records of runs, as text, Markdown, CSV and a page",
    "reproduce": "run a record's run again from the record alone, and compare",
    "sweep": "search hyper-parameters on validation classes, side by side, and train the winner",
    "data": "check or prepare a folder of benchmark files, or import a folder of images of your own",
    "extract": "turn imported images into features, by any encoder and its weights",
    "tie": "fit the map by which a text tower meets features of images",
    "words": "train word vectors on texts of your own",
    "bound": "what any method can reach with a class-attribute matrix, before anything is trained",
}


def usage() -> str:
    verbs = "\n".join(f"  {name:<9} {summary}" for name, summary in VERBS.items())
    return (
        f"zsl_jax: zero-shot learning in JAX\n\nusage: zsl-jax VERB [--help] ... | zsl-jax --version\n\n{verbs}\n\n"
        "to start: zsl-jax train --config=ale --workdir=runs/ale"
    )


class _Terminated(BaseException):
    """SIGTERM came where nothing was listening for it: while modules load, or in a verb that has nothing to save."""


@contextlib.contextmanager
def _terminated() -> Iterator[list[int]]:
    """Raises `_Terminated` where SIGTERM comes; yields a list that is empty until then.

    In a finaliser or a callback of the garbage collector what is raised is lost: there it is raised again, a bit later.
    """
    told: list[int] = []

    def terminate(number, frame):
        del frame
        told.append(number)
        raise _Terminated

    def lost(failed):
        if failed.exc_type is _Terminated:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            shown(failed)

    numbers = (signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, terminate) for number in numbers]
    shown, sys.unraisablehook = sys.unraisablehook, lost
    try:
        yield told
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = shown
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return _main(argv)
    with _terminated() as told:
        try:
            return _main(argv)
        except _Terminated:
            pass
        except Exception:  # what an extension that was loading made of it
            if not told:
                raise
    print("zsl-jax: told to stop; what was written is whole, and the same line goes on", file=sys.stderr)
    return 143


def _main(argv: list[str]) -> int:
    try:
        if not argv:
            print(usage(), file=sys.stderr)
            return 2
        verb, *rest = argv
        if verb in ("help", "-h", "--help", "-help"):
            print(usage())
            return 0
        if verb in ("--version", "-version"):
            print(f"zsl-jax {zsl_jax.__version__}")
            return 0
        for argument in argv:
            if "\0" in argument:
                raise errors.UserError(f"{argument!r} has a NUL character, which no name or value may have")
        if verb not in VERBS:
            raise errors.unknown("verb", verb, VERBS)
        return importlib.import_module(f"zsl_jax.verbs.{verb}").main(rest)
    except errors.UserError as error:
        print(f"zsl-jax: {_one_line(str(error))}", file=sys.stderr)
        if argv and argv[0] not in VERBS:
            print(f"\n{usage()}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("zsl-jax: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A full disk, or a folder that went away, wherever it happens.
        place = f"{error.filename}: " if error.filename else ""
        print(f"zsl-jax: {place}{error.strerror or error}", file=sys.stderr)
        return 1


def _one_line(text: str, most: int = 1000) -> str:
    """What a message quotes of a user's input may be long, or hold newlines and other characters that show nothing."""
    text = text if len(text) <= most else f"{text[:most]}..."
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


if __name__ == "__main__":
    sys.exit(main())
