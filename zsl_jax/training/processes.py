"""Several processes as one run: the same line, started on every host.

The first process writes and talks. What is decided by looking at the disk is decided by the first for all
(`from_first`); all stop at the same step (`agreed`). With one process all of this does nothing.
"""

import contextlib
import functools
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax._src import distributed as jax_distributed  # the store of the coordinator has no public name
from jax.experimental import multihost_utils

from zsl_jax import errors
from zsl_jax.training import last_words, peers


@contextlib.contextmanager
def connected(hosts: str = "auto", *, timeout_s: int = 300) -> Iterator[None]:
    """Connects the processes of a run, before any device is used, where there are several.

    They are those of `JAX_COORDINATOR_ADDRESS=HOST:PORT JAX_NUM_PROCESSES=N JAX_PROCESS_ID=I`; else of a Slurm step, of
    Open MPI or of a TPU pod that shows in the environment; with `hosts` = `all`, of whatever `jax.distributed` detects
    (a TPU pod over ssh shows nothing).

    Inside, only the first process prints. An error of any is printed with its number and ends that process at once:
    there is nobody to wait for. Where a process is gone each of the others says so in a line and ends, see `peers`.

    Args:
      hosts: `auto`, `all` or `one`.
      timeout_s: seconds to wait for all processes; then a line says so and the process ends.

    Raises:
      UserError: variables that do not fit together.
    """
    arguments = process_arguments(hosts, os.environ)
    if arguments is None:
        yield
        return
    which = "process {process_id} of {num_processes} at {coordinator_address}" if arguments else "this process"
    which = which.format(**arguments)

    def give_up():
        print(
            f"zsl-jax: {which} has not met all others within config.parallel.timeout_s={timeout_s} s: "
            "a host is missing, or the coordinator cannot be reached",
            file=sys.stderr,
            flush=True,
        )
        os._exit(errors.UserError.exit_code)

    # The runtime aborts with a stack trace when its own, later, timeout runs out: it leaves nothing to catch.
    watchdog = threading.Timer(timeout_s, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        jax.distributed.initialize(**arguments, initialization_timeout=timeout_s + 60)
    except (ValueError, RuntimeError) as error:
        raise errors.UserError(f"the processes of this run cannot be connected: {error}") from error
    finally:
        watchdog.cancel()
    number, count = jax.process_index(), jax.process_count()
    client = jax_distributed.global_state.client
    watch = peers.Watch(client, number, count, functools.partial(peers.end, is_coordinator=is_first()))
    nothing_held = contextlib.nullcontext(lambda: None)
    with nothing_held if is_first() else _silent_but_for_errors(count) as show:
        try:
            yield
            watch.close()
        except BaseException as error:
            has_failed = isinstance(error, Exception) and not isinstance(error, errors.Stopped)
            if has_failed:
                # Where another process is gone the watch says so, and ends this one.
                watch.leave()
            if isinstance(error, errors.UserError):
                print(f"zsl-jax: process {number} of {count}: {error}", file=sys.stderr, flush=True)
            else:
                show()
                traceback.print_exc()
            sys.stdout.flush()
            if has_failed and is_first():
                time.sleep(3 * peers.EVERY_S)  # the others read its last sign from the store that ends with it
            os._exit(getattr(error, "exit_code", 1))


@contextlib.contextmanager
def _silent_but_for_errors(count: int) -> Iterator[Callable[[], None]]:
    """Silences a process that is not the first; yields what shows the lines of the runtime that are held back."""
    gone = functools.partial(peers.end, peers.COORDINATOR_GONE.format(count), is_coordinator=False)
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        last_words.held_back(gone) as show,
    ):
        yield show


def are_several() -> bool:
    return jax.process_count() > 1


def is_first() -> bool:
    """Whether this process is the one that writes and talks."""
    return jax.process_index() == 0


def from_first(function: Callable[[], Any]):
    """Returns what `function()` gives on the first process, a JSON-able value, on all of them; so with a UserError.

    For what is decided by looking at the disk, or done to it, once for all.
    """
    if not are_several():
        return function()
    text = ""
    if is_first():
        try:
            text = json.dumps({"value": function()})
        except errors.UserError as error:
            text = json.dumps({"error": str(error)})
    content = np.frombuffer(text.encode(), np.uint8)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    content = multihost_utils.broadcast_one_to_all(content if is_first() else np.zeros(size, np.uint8))
    outcome = json.loads(np.asarray(content, np.uint8).tobytes())
    if "error" in outcome:
        raise errors.UserError(outcome["error"])
    return outcome["value"]


@contextlib.contextmanager
def held_by_first(hold: Callable[[], contextlib.AbstractContextManager]) -> Iterator[None]:
    """Enters `hold()` on the first process, for all of them."""
    with contextlib.ExitStack() as stack:
        from_first(lambda: stack.enter_context(hold()))
        yield


def agreed(stop: bool, length: int) -> tuple[bool, int]:
    """Returns the same on every process: whether any wants to stop, and the shortest length."""
    if not are_several():
        return stop, length
    found = multihost_utils.process_allgather(np.array([not stop, length], np.int32))
    return not found[:, 0].min(), int(found[:, 1].min())


def process_arguments(hosts: str, environment) -> dict[str, Any] | None:
    """Returns what to give `jax.distributed.initialize`, or None where there is one process."""
    names = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
    given = {name: environment[name] for name in names if environment.get(name)}
    if hosts == "one" or (hosts == "auto" and given.get("JAX_NUM_PROCESSES") == "1"):
        return None
    if given:
        missing = [name for name in names if name not in given]
        if missing:
            raise errors.UserError(f"{' and '.join(given)} without {' and '.join(missing)}: a run of several needs all")
        address, count, number = given.values()
        if not (count.isdecimal() and number.isdecimal() and int(number) < int(count)):
            raise errors.UserError(f"JAX_PROCESS_ID={number} is no number below JAX_NUM_PROCESSES={count}")
        if not address.rpartition(":")[2].isdecimal():
            raise errors.UserError(f"JAX_COORDINATOR_ADDRESS={address} is not HOST:PORT")
        return {"coordinator_address": address, "num_processes": int(count), "process_id": int(number)}
    sizes = (environment.get(name, "") for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"))
    several = any(size.isdecimal() and int(size) > 1 for size in sizes)
    several |= "," in environment.get("TPU_WORKER_HOSTNAMES", "")
    return {} if hosts == "all" or several else None
