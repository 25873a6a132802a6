"""Stages: maps of rows that nothing trains, applied once and kept on disk, such as a frozen tower of texts.

    rows --function--> arrays [N, ...]         kept under the hash of the stage and of the rows

A stage stands before everything else: a dataset is loaded through it, and `predict` sends new inputs through it.
"""

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import tqdm

from zsl_jax import whole_files

BLOCK = 1 << 16  # texts


class Stage(NamedTuple):
    """A map of rows without a state.

    Fields:
      function: `rows -> [N, ...]` arrays; the row of an input depends on that input alone.
      sha256: of the weights and of all else that the result depends on.
      said: what a record says of it, JSON-able.
    """

    function: Callable[[Sequence[Any]], np.ndarray]
    sha256: str
    said: dict[str, Any]


def applied(stage: Stage, rows: Collection[str], *, folder: str | os.PathLike | None = None) -> np.ndarray:
    """Returns the stage of texts, a block of them in memory at a time; what was made before is read back.

    A block is kept as soon as it is made, so that one that is interrupted goes on where it was.

    Args:
      stage: the map.
      rows: texts, such as `data.text_rows.TextRows`.
      folder: where results are kept; None for `zsl_jax/stages` of the user's cache.
    """
    where, coming = pathlib.Path(folder or cache("stages")), iter(rows)
    made, done = _of_block(stage, list(itertools.islice(coming, BLOCK)), where), BLOCK
    if len(rows) <= BLOCK:
        return made
    whole = np.empty((len(rows), *made.shape[1:]), made.dtype)
    whole[:done] = made
    with tqdm.tqdm(total=len(rows), initial=done, desc="texts", unit="text", disable=None, leave=False) as bar:
        while block := list(itertools.islice(coming, BLOCK)):
            whole[done : done + len(block)] = _of_block(stage, block, where)
            done += len(block)
            bar.update(len(block))
    return whole


def _of_block(stage: Stage, rows: list[str], folder: pathlib.Path) -> np.ndarray:
    digest = hashlib.sha256(stage.sha256.encode())
    digest.update(json.dumps(rows).encode())
    path = folder / f"{digest.hexdigest()}.npy"
    if path.is_file():
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            path.unlink(missing_ok=True)
    made = stage.function(rows)
    _keep(path, made)
    return made


def cache(name: str) -> pathlib.Path:
    """Returns a folder of the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(home, "zsl_jax", name)


def _keep(path: pathlib.Path, made: np.ndarray) -> None:
    """Writes a result; where that cannot be, it is made again the next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_files.replacing(path) as part, part.open("wb") as file:
            np.save(file, made)
