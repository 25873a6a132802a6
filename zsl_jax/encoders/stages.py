"""Stages: maps of rows that nothing trains, applied once and kept on disk, such as a frozen tower of texts.

    rows --function--> arrays [N, ...]         kept under the hash of the stage and of the rows

A stage stands before everything else: a dataset is loaded through it, and `predict` sends new inputs through it.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import whole_files


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


def applied(stage: Stage, rows: Sequence[str], *, folder: str | os.PathLike | None = None) -> np.ndarray:
    """Returns the stage of texts; what was made before of the same texts is read back.

    Args:
      stage: the map.
      rows: texts.
      folder: where results are kept; None for `zsl_jax/stages` of the user's cache.
    """
    digest = hashlib.sha256(stage.sha256.encode())
    digest.update(json.dumps(list(rows)).encode())
    path = pathlib.Path(folder or cache("stages")) / f"{digest.hexdigest()}.npy"
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
