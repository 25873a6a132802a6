"""The only file that knows orbax: states on disk, each with a manifest that proves it whole.

    DIR/000010/state/         what orbax writes
    DIR/000010/manifest.json  sizes and hashes of those files, shapes and dtypes of the arrays; written last

A step without a valid manifest does not count: it is named, and the newest step that is whole is used instead. (Orbax
alone restores flipped bits and other dtypes without a word.)
"""

import contextlib
import gc
import hashlib
import json
import logging
import pathlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from zsl_jax import errors
from zsl_jax.data import json_files
from zsl_jax.methods import base
from zsl_jax.training import files, parallel, processes

FORMAT = 1


class Restored(NamedTuple):
    """A state read back: the step it was saved at, its arrays, and the JSON-able notes saved beside it."""

    step: int
    state: Any
    notes: dict


def save(
    directory: pathlib.Path,
    step: int,
    state: Any,
    *,
    notes: dict | None = None,
    belongs: dict[str, str] | None = None,
    keep: int = 2,
) -> None:
    """Writes the state of a step, whole or not at all, and deletes all but the newest `keep` steps that are whole.

    Args:
      directory: of the checkpoints of one phase of one run.
      step: the number of steps done.
      state: any pytree; its frozen parts (`methods.Frozen`) are left out.
      notes: JSON-able, saved beside the state.
      belongs: what the state is bound to (phase, hashes of data and weights); compared when it is restored.
      keep: how many.

    Raises:
      UserError: the disk is full or the directory cannot be written; earlier steps are as they were.
      Diverged: a number of the state is not finite; nothing is written.
    """
    state = base.split(state)[0]
    if bad := _not_finite(state):
        raise errors.Diverged(f"the state at step {step} is not finite and is not saved ({', '.join(bad[:3])})")
    folder = directory.absolute() / f"{step:06d}"

    def begin():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def complete():
        manifest = {
            "format": FORMAT,
            "step": step,
            "files": _file_hashes(folder / "state"),
            "arrays": _array_specs(state),
            "notes": notes or {},
            "belongs": belongs or {},
        }
        files.write_json(folder / "manifest.json", manifest | {"sha256": _digest(manifest)})

    try:
        _on_first(begin, folder)
        # A method that trains nothing may keep nothing: orbax refuses an empty tree.
        if jax.tree.leaves(state):
            with _told_once(), ocp.StandardCheckpointer() as checkpointer:
                checkpointer.save(folder / "state", state)
        _on_first(complete, folder)
    except Exception as error:
        if processes.is_first():
            shutil.rmtree(folder, ignore_errors=True)
        # A full disk comes as an OSError, or as whatever the storage library beneath orbax raises.
        raise error if isinstance(error, errors.UserError) else _cannot_save(folder, error) from error
    if processes.is_first():
        # What a reader would reject keeps no place; later steps are of another try.
        whole = [old for old in _steps(directory) if old <= step and _is_whole(directory / f"{old:06d}", old)]
        for old in _steps(directory):
            if old not in whole[-keep:]:
                shutil.rmtree(directory / f"{old:06d}", ignore_errors=True)


@contextlib.contextmanager
def _told_once() -> Iterator[None]:
    """What fails in a thread of orbax is raised to the caller; its log and the stack traces are left out."""
    log, shown = logging.getLogger("absl"), (threading.excepthook, sys.unraisablehook)
    log.addFilter(hide := lambda record: "orbax" not in record.pathname)
    threading.excepthook = lambda failed: None if _is_orbax(failed.thread) else shown[0](failed)
    sys.unraisablehook = lambda failed: None
    try:
        yield
    except Exception:
        for thread in filter(_is_orbax, threading.enumerate()):
            thread.join(timeout=5)  # it may be writing still
        gc.collect()  # what waits for a loop that is gone complains when it goes
        raise
    finally:
        log.removeFilter(hide)
        threading.excepthook, sys.unraisablehook = shown


def _is_orbax(thread: threading.Thread | None) -> bool:
    return type(thread).__module__.startswith("orbax.")


def restore_latest(
    directory: pathlib.Path,
    abstract_state: Any,
    *,
    warn: Callable[[str], None],
    belongs: dict[str, str] | None = None,
) -> Restored | None:
    """Returns the newest whole checkpoint, or None where there is none; damaged ones are named through `warn`.

    Args:
      directory: what `save` was given.
      abstract_state: the expected tree of `jax.ShapeDtypeStruct`, with shardings.
      warn: called with one line for each step that cannot be used.
      belongs: what the state must be bound to; a checkpoint that does not say is of an older version and is taken.
    """
    for step in processes.from_first(lambda: list(reversed(_steps(directory)))):
        folder = directory.absolute() / f"{step:06d}"
        notes, fault = processes.from_first(
            lambda folder=folder, step=step: _examine(folder, step, abstract_state, belongs or {})
        )
        if fault is None:
            try:
                state = abstract_state
                if jax.tree.leaves(abstract_state):
                    with ocp.StandardCheckpointer() as checkpointer:
                        state = checkpointer.restore(folder / "state", abstract_state)
                return Restored(step, state, notes)
            except (ValueError, KeyError, OSError) as error:
                fault = str(error).partition("\n")[0]
        warn(f"checkpoint {folder} is not used: {fault}")
    return None


def _examine(folder: pathlib.Path, step: int, abstract_state: Any, belongs: dict) -> tuple[dict, str | None]:
    """Returns the notes of a step, and what is wrong with it, or None."""
    try:
        manifest = _read_manifest(folder, step)
        there = manifest.get("belongs", {})
        for name, wanted in belongs.items():
            if there.get(name, wanted) != wanted:
                raise ValueError(f"it belongs to another run: its {name} is {there[name][:12]}, not {wanted[:12]}")
        if manifest["arrays"] != _array_specs(abstract_state):
            raise ValueError("its arrays are those of another model")
    except (ValueError, KeyError, OSError) as error:
        return {}, str(error)
    return manifest["notes"], None


def _on_first(function: Callable[[], None], folder: pathlib.Path) -> None:
    """Does something to the disk on one process; every process waits for it, and gets its error."""

    def attempt():
        try:
            function()
        except OSError as error:
            raise _cannot_save(folder, error) from error

    processes.from_first(attempt)


def _cannot_save(folder: pathlib.Path, error: Exception) -> errors.UserError:
    text = (getattr(error, "strerror", None) or str(error)).strip()
    for words in ("No space left on device", "File too large", "Permission denied", "Read-only file system"):
        if words in text:
            text = words
    first_line = text.partition("\n")[0]
    return errors.UserError(f"cannot save a checkpoint in {folder}: {first_line}; earlier ones are as they were")


def _not_finite(state) -> list[str]:
    """The names of arrays with a number that is not finite. On the host: a program of each state would take longer."""
    return [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(parallel.to_host(state))
        if jnp.issubdtype(leaf.dtype, jnp.floating) and not np.all(np.isfinite(leaf))
    ]


def state_sha256(state: Any) -> str:
    """Returns a hash over names, shapes, dtypes and bits of all arrays of a state but the frozen ones."""
    state = base.split(state)[0]
    digest = hashlib.sha256(json.dumps(_array_specs(state)).encode())
    for leaf in jax.tree.leaves(parallel.to_host(state)):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def _steps(directory: pathlib.Path) -> list[int]:
    if not directory.is_dir():
        return []
    return sorted(int(folder.name) for folder in directory.iterdir() if folder.name.isdecimal())


def _is_whole(folder: pathlib.Path, step: int) -> bool:
    try:
        _read_manifest(folder, step)
    except (ValueError, KeyError, OSError):
        return False
    return True


def _read_manifest(folder: pathlib.Path, step: int) -> dict:
    if not (folder / "manifest.json").is_file():
        raise ValueError("it was not written to the end")
    try:
        manifest = json_files.read(folder / "manifest.json", "")
    except errors.UserError as error:
        raise ValueError("its manifest is damaged") from error
    if manifest.pop("sha256", None) != _digest(manifest):
        raise ValueError("its manifest is damaged")
    if manifest["format"] != FORMAT:
        raise ValueError(f"its format is {manifest['format']}, this version reads {FORMAT}")
    if manifest["step"] != step:
        raise ValueError(f"it is of step {manifest['step']}: its folder was renamed")
    found = _file_hashes(folder / "state")
    for name, sha256 in manifest["files"].items():
        if found.get(name) != sha256:
            raise ValueError(f"its file state/{name} is {'damaged' if name in found else 'missing'}")
    return manifest


def _file_hashes(folder: pathlib.Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            hashes[str(path.relative_to(folder))] = files.sha256(path)
    return hashes


def _array_specs(state: Any) -> dict[str, list]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): [list(leaf.shape), str(leaf.dtype)] for path, leaf in leaves}


def _digest(manifest: dict) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
