"""Features of pictures of one's own, as `extract` wrote them: a TFDS dataset with the preprocessing in its metadata.

FEATURES/extraction.json                     what makes them, written first: another extraction is refused
FEATURES/parts/00000.npz, ...                while it runs; a run that was stopped goes on after them
FEATURES/features/NAME-att-HASH/1.0.0/       the dataset (ArrayRecord)
"""

import hashlib
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, image_folder, matfile

_PART = 256  # pictures


def load(dir: str | os.PathLike = "") -> dataset.Dataset:
    """Extracted features as a dataset in memory.

    Args:
      dir: the folder that `extract` wrote.

    Returns:
      A `Dataset` with `inputs [N, F]` float32; `info["preprocessing"]` says what made them of pictures.

    Raises:
      UserError: no features, or an extraction that has not ended.
    """
    if not os.fspath(dir):
        raise errors.UserError("features needs what `extract` wrote in its option dir: --config.data.dir=FEATURES")
    found = written(dir)
    if found is None:
        has_begun = (pathlib.Path(dir).expanduser() / "extraction.json").exists()
        says = (
            "the extraction has not ended: run the same line of `extract` again" if has_begun else "no features in it"
        )
        raise errors.UserError(f"{dir}: {says}")
    from zsl_jax.data import prepared  # imports TFDS

    return prepared.load_prepared(found)


def written(dir: str | os.PathLike) -> pathlib.Path | None:
    """The TFDS folder in what `extract` wrote, or None before its end."""
    found = sorted(pathlib.Path(dir).expanduser().glob("features/*/*/dataset_info.json"))
    return found[0].parent if found else None


def begin(dir: str | os.PathLike, extraction: dict[str, Any]) -> None:
    """Makes the folder and writes down what is extracted, or checks that the folder is of the same extraction.

    Raises:
      UserError: it cannot be written, or it holds another extraction.
    """
    folder = pathlib.Path(dir)
    path = folder / "extraction.json"
    wanted = json.loads(json.dumps(extraction))
    if path.exists():
        there = json.loads(path.read_text())
        changed = [name for name in wanted if there.get(name) != wanted[name]]
        if changed:
            raise errors.UserError(
                f"{folder} holds another extraction ({', '.join(changed)} differ): choose another --out"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise errors.UserError(f"{folder} is not empty and no extraction: choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".extraction.{os.getpid()}"
        part.write_text(json.dumps(wanted, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={folder}: {error.strerror}") from error


def collect(
    dir: str | os.PathLike,
    paths: list[pathlib.Path],
    extract: Callable[[list[pathlib.Path]], list[np.ndarray | None]],
    progress: Callable[[int], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Features of all pictures, a part at a time; what a run that was stopped left is read back.

    Args:
      dir: as for `begin`.
      paths: of the pictures.
      extract: features `[F]` of some pictures, None for one that is left out.
      progress: called with the number of pictures after each part.

    Returns:
      Features `[n, F]` of the pictures that were not left out, and `kept [N]`, which those are.
    """
    folder = pathlib.Path(dir) / "parts"
    folder.mkdir(exist_ok=True)
    features, kept = [], []
    for number, first in enumerate(range(0, len(paths), _PART)):
        some = paths[first : first + _PART]
        path = folder / f"{number:05}.npz"
        part = _read_part(path, len(some))
        if part is None:
            found = extract(some)
            sound = [row for row in found if row is not None]
            part = (
                (np.stack(sound) if sound else np.zeros((0, 0), np.float32)),
                np.array([x is not None for x in found]),
            )
            _write_part(path, *part)
        features += list(part[0])
        kept.append(part[1])
        progress(len(some))
    return np.array(features, np.float32), np.concatenate(kept)


def finish(dir: str | os.PathLike, imported: image_folder.Imported, features: np.ndarray, **info) -> pathlib.Path:
    """Writes the TFDS dataset and removes the parts; returns its folder."""
    from zsl_jax.data import prepared  # imports TFDS

    path = prepared.write(imported.dataset(features, **info), dir)
    shutil.rmtree(pathlib.Path(dir) / "parts", ignore_errors=True)
    return path


def sha256(paths: Sequence[pathlib.Path]) -> str:
    """Of the digests of all files, in their order."""
    return hashlib.sha256("\n".join(map(matfile.sha256, paths)).encode()).hexdigest()


def _read_part(path: pathlib.Path, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            features, kept = held["features"], held["kept"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (features, kept) if len(kept) == count and len(features) == kept.sum() else None


def _write_part(path: pathlib.Path, features: np.ndarray, kept: np.ndarray) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        np.savez(file, features=features, kept=kept)
    part.replace(path)
