"""Features of your own images, as `extract` wrote them: a TFDS dataset with the preprocessing in its metadata.

FEATURES/extraction.json                     what makes them, written first: another extraction is refused
FEATURES/parts/00000.npz, ...                while it runs; a run that was stopped goes on after them
FEATURES/features/NAME-att-HASH/1.0.0/       the dataset (ArrayRecord)
"""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors, whole_files
from zsl_jax.data import arrays, dataset, image_folder, json_files, matfile

_PART = 256  # images


def load(dir: str | os.PathLike = "") -> dataset.Dataset:
    """Extracted features as a dataset in memory.

    Args:
      dir: the folder that `extract` wrote.

    Returns:
      A `Dataset` with `inputs [N, F]` float32; `info["preprocessing"]` says what made them of images.

    Raises:
      UserError: no features, or an extraction that is not finished.
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
    found = sorted(pathlib.Path(dir).expanduser().glob("features/*/*/sha256.json"))
    return found[0].parent if found else None


def check_images(dir: str | os.PathLike, images_dir: str | os.PathLike) -> None:
    """Compares the images with those that the features in `dir` were made of.

    Raises:
      UserError: one has changed or is gone.
    """
    info = json_files.read(written(dir) / "metadata.json", "delete its folder and extract again").get("info", {})
    paths = [pathlib.Path(images_dir, name) for name in info.get("image_files", ())]
    if _of_digests(map(_digest, paths)) != info.get("files", {}).get("images"):
        raise errors.UserError(
            f"{dir} is finished, but images in {images_dir} have changed since: choose another --out"
        )


def begin(dir: str | os.PathLike, extraction: dict[str, Any]) -> None:
    """Makes the folder and writes down what is extracted, or checks that the folder is of the same extraction.

    Raises:
      UserError: it cannot be written, or it holds another extraction.
    """
    folder = pathlib.Path(dir)
    path = folder / "extraction.json"
    wanted = json.loads(json.dumps(extraction))
    if path.exists():
        there = json_files.read(path, "choose another --out, or delete this one to extract anew")
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
        json_files.write(path, wanted)
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={folder}: {error.strerror}") from error


def collect(
    dir: str | os.PathLike,
    paths: list[pathlib.Path],
    extract: Callable[[list[pathlib.Path]], list[np.ndarray | None]],
    progress: Callable[[int], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Features of all images, a part at a time; what a run that was stopped left is read back.

    A part is kept with the hash of each of its images, and made again where one of them has changed since.

    Args:
      dir: as for `begin`.
      paths: of the images.
      extract: features `[F]` of some images, None for one that is left out.
      progress: called with the number of images after each part.

    Returns:
      Features `[n, F]` of the images that were not left out, and `kept [N]`, which those are.

    Raises:
      UserError: an image changes while it is read, or the parts cannot be written.
    """
    folder = pathlib.Path(dir) / "parts"
    features, kept = [], []
    for number, first in enumerate(range(0, len(paths), _PART)):
        some = paths[first : first + _PART]
        path = folder / f"{number:05}.npz"
        digests = list(map(_digest, some))
        part = _read_part(path, digests)
        if part is None:
            found = extract(some)
            if list(map(_digest, some)) != digests:
                raise errors.UserError(
                    f"an image of {some[0].parent} changed while it was read: run the same line again"
                )
            sound = [row for row in found if row is not None]
            part = (
                (np.stack(sound) if sound else np.zeros((0, 0), np.float32)),
                np.array([x is not None for x in found]),
            )
            _write_part(path, *part, digests)
        features += list(part[0])
        kept.append(part[1])
        progress(len(some))
    return np.array(features, np.float32), np.concatenate(kept)


def collected_sha256(dir: str | os.PathLike) -> str:
    """What `sha256` says of the images that were not left out, as they were when their features were made."""
    digests = []
    for path in sorted((pathlib.Path(dir) / "parts").glob("*.npz")):
        part = arrays.read(path).arrays
        digests += part["sha256"][part["kept"]].tolist()
    return _of_digests(digests)


def finish(dir: str | os.PathLike, imported: image_folder.Imported, features: np.ndarray, **info) -> pathlib.Path:
    """Writes the TFDS dataset and removes the parts; returns its folder."""
    from zsl_jax.data import prepared  # imports TFDS

    path = prepared.write(imported.dataset(features, **info), dir)
    shutil.rmtree(pathlib.Path(dir) / "parts", ignore_errors=True)
    return path


def sha256(paths: Sequence[pathlib.Path]) -> str:
    """Of the digests of all files, in their order."""
    return _of_digests(map(matfile.sha256, paths))


def _of_digests(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _digest(path: pathlib.Path) -> str:
    """The sha256 of a file, or nothing for one that cannot be read: whether that is an error `extract` says."""
    try:
        return matfile.sha256(path)
    except errors.UserError:
        return ""


def _read_part(path: pathlib.Path, digests: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """The part that is there, unless it is damaged or of other images."""
    if not path.exists():
        return None
    try:
        held = arrays.read(path).arrays
        is_same = str(held.pop("content")) == _content(**held) and held["sha256"].tolist() == digests
    except (errors.UserError, KeyError, TypeError):
        return None
    return (held["features"], held["kept"]) if is_same else None


def _content(features: np.ndarray, kept: np.ndarray, sha256: np.ndarray) -> str:
    """The hash of a part: arrays that were saved again in another form are not taken for it."""
    digest = hashlib.sha256()
    for array in (features, kept, sha256):
        digest.update(f"{array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _write_part(path: pathlib.Path, features: np.ndarray, kept: np.ndarray, digests: list[str]) -> None:
    part = {"features": features, "kept": kept, "sha256": np.array(digests)}
    try:
        path.parent.mkdir(exist_ok=True)
        with whole_files.replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **part, content=_content(**part))
    except OSError as error:
        raise errors.UserError(f"cannot write to {path.parent}: {error.strerror}") from error
