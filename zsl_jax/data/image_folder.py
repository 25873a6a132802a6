"""Your own images, as `data import` wrote them down: which there are, of which classes, described how.

DATASET/dataset.json     paths, labels, the class table and the splits; the images stay where they are
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, images, json_files, streaming

FILE = "dataset.json"
VERSION = 2


@dataclasses.dataclass(frozen=True)
class Imported:
    """What `dataset.json` holds.

    Args:
      name: of the folder of images.
      images_dir: that folder, an absolute path.
      images: paths of the images, relative to it.
      labels: a row of the class table for each.
      class_names: C names.
      attributes: A names.
      embedding: `[C][A]` numbers.
      is_seen: C flags.
      validation_classes: rows of the seen classes that are held out for validation, or None.
      splits: rows of images by name: `train`, `test_seen`, `test_unseen`.
      split_by: who chose the unseen classes, e.g. `the table`.
      files: sha256 by name, of what it was made of.
    """

    name: str
    images_dir: str
    images: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    attributes: tuple[str, ...]
    embedding: tuple[tuple[float, ...], ...]
    is_seen: tuple[bool, ...]
    validation_classes: tuple[int, ...] | None
    splits: Mapping[str, tuple[int, ...]]
    split_by: str
    files: Mapping[str, str]

    def paths(self) -> list[pathlib.Path]:
        return [pathlib.Path(self.images_dir, path) for path in self.images]

    def dataset(self, inputs: np.ndarray, *, preprocessing: Mapping[str, Any], **info) -> dataset.Dataset:
        """The dataset with these inputs `[N, ...]`, one row per image.

        Args:
          inputs: `[N, ...]`.
          preprocessing: what made them of the images, for `preprocessing.make`.
          **info: more that identifies it.
        """
        validation = self.validation_classes
        return dataset.Dataset(
            name=self.name,
            inputs=inputs,
            labels=np.array(self.labels, np.int32),
            classes=dataset.ClassTable(np.array(self.embedding, np.float32), np.array(self.is_seen), self.class_names),
            splits={name: np.array(rows, np.int64) for name, rows in self.splits.items()},
            validation_classes=None if validation is None else np.array(validation, np.int64),
            info={
                "semantics": "att",
                "split": self.split_by,
                "files": dict(self.files),
                "attributes": list(self.attributes),
                "image_files": self.images,
                "preprocessing": dict(preprocessing),
                **info,
            },
        )

    def keep(self, kept: np.ndarray) -> "Imported":
        """Only the images where `kept [N]` is True.

        Raises:
          UserError: a class or a split is left without an image.
        """
        new_row = np.cumsum(kept) - 1
        splits = {name: tuple(int(new_row[r]) for r in rows if kept[r]) for name, rows in self.splits.items()}
        labels = tuple(label for label, keep in zip(self.labels, kept) if keep)
        trained = {labels[row] for row in splits["train"]} | {labels[row] for row in splits["test_unseen"]}
        lost = [name for row, name in enumerate(self.class_names) if row in self.labels and row not in trained]
        if lost or (self.splits["test_seen"] and not splits["test_seen"]):
            what = f"class {lost[0]!r} has" if lost else "the seen classes have"
            raise errors.UserError(f"{what} no readable image left{' to train on' if lost else ' to test on'}")
        paths = tuple(path for path, keep in zip(self.images, kept) if keep)
        return dataclasses.replace(self, images=paths, labels=labels, splits=splits)


@dataclasses.dataclass(frozen=True)
class Files:
    """The images of files by number, each decoded when it is asked for."""

    paths: tuple[str, ...]
    preprocessing: images.Preprocessing

    def __getitem__(self, row) -> np.ndarray:
        return images.fit(images.decode(self.paths[row]), self.preprocessing)


def load(
    dir: str | os.PathLike = "",
    *,
    size: int = 64,
    fit: str = "crop",
    skip_unreadable: bool = False,
    cache: str = "auto",
    workers: int = 0,
):
    """Your own images, for encoders that are trained from pixels.

    Args:
      dir: the folder that `data import` wrote.
      size: S, height and width that they are brought to, pixels, at least 16.
      fit: `crop` the middle square or `stretch` to it.
      skip_unreadable: leave damaged images out, where they are an error otherwise.
      cache: `memory` decodes all of them now, `stream` each time that they are needed; `auto` streams where they would
        take more than `streaming.MOST_BYTES`. The results are the same.
      workers: processes that decode a stream; 0 for threads of this one.

    Returns:
      A `Dataset` with `inputs [N, S, S, 3]` uint8, or `streaming.ImageStream` of them.

    Raises:
      UserError: no imported dataset, or an image that cannot be read (of a stream, by its first bytes; the rest shows
        when it is decoded).
    """
    if not os.fspath(dir):
        raise errors.UserError(
            "image_folder needs what `data import` wrote in its option dir: --config.data.dir=DATASET"
        )
    if size < 16:
        raise errors.UserError(f"data.size={size} is less than 16 pixels")
    imported = read(dir)
    preprocessing = images.Preprocessing(size=size, fit=fit, crop_fraction=1.0, filter="bilinear")
    pixels, kept = opened(imported.paths(), preprocessing, skip=skip_unreadable, cache=cache, workers=workers)
    digest = {} if isinstance(pixels, streaming.ImageStream) else {"images_sha256": hashlib.sha256(pixels).hexdigest()}
    loaded = (imported if kept.all() else imported.keep(kept)).dataset(
        pixels,
        preprocessing={"by": "pixels", **dataclasses.asdict(preprocessing)},
        sizes_sha256=sizes_sha256(imported.paths(), preprocessing),
        **digest,
    )
    return dataclasses.replace(loaded, images=pixels)


def sizes_sha256(paths: Sequence[pathlib.Path], preprocessing: images.Preprocessing) -> str:
    """A hash over the sizes of files in bytes, and how these are cropped.

    It tells that a stream's images changed without reading them all.
    """
    digest = hashlib.sha256(np.array([path.stat().st_size for path in paths], np.int64))
    if preprocessing.fit == "crop":
        digest.update(str(preprocessing.version).encode())
    return digest.hexdigest()


def opened(
    paths: Sequence[pathlib.Path], preprocessing: images.Preprocessing, *, skip: bool, cache: str, workers: int
) -> tuple[np.ndarray | streaming.ImageStream, np.ndarray]:
    """Returns the images of files, in memory or as a stream, and which of the files they are, `[N]` bool."""
    if streaming.is_streamed(cache, len(paths), preprocessing.size):
        kept = _readable(paths, preprocessing, skip)
        files = Files(tuple(map(str, paths)), preprocessing)
        return streaming.ImageStream(files, np.flatnonzero(kept), preprocessing.size, workers), kept
    found = list(images.load(paths, preprocessing, skip=(lambda error: None) if skip else None))
    kept = np.array([image is not None for image in found])
    return np.stack([image for image in found if image is not None]), kept


def _readable(paths: Sequence[pathlib.Path], preprocessing: images.Preprocessing, skip: bool) -> np.ndarray:
    """Which images can be decoded, `[N]` bool; what is left out must be known before a stream begins."""
    if skip:
        return np.array([x is not None for x in images.load(paths, preprocessing, skip=lambda error: None)])
    for path in paths:
        wrong = images.fault(path)
        if wrong:
            raise images.UnreadableImage(wrong)
    return np.ones(len(paths), bool)


def write(folder: str | os.PathLike, imported: Imported) -> None:
    """Writes `dataset.json` whole, or not at all; the same dataset is the same bytes."""
    folder = pathlib.Path(folder)
    values = dataclasses.asdict(imported)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        json_files.write(folder / FILE, {"version": VERSION, "sha256": _sha256(values), **values})
    except OSError as error:
        raise errors.UserError(f"cannot write to {folder}: {error.strerror}") from error


def read(folder: str | os.PathLike) -> Imported:
    """Reads what `write` wrote; `images_dir` alone may be edited, where the images have moved.

    Raises:
      UserError: there is none, or it is damaged, edited or of another version.
    """
    path = pathlib.Path(folder).expanduser() / FILE
    if not path.is_file():
        raise errors.UserError(
            f"no dataset in {str(folder)!r}: make one with `zsl-jax data import IMAGES_DIR --attributes=TABLE.csv`"
        )
    values = json_files.read(path, "import the folder again")
    if values.pop("version", None) != VERSION:
        raise errors.UserError(f"{path} is damaged or of another version of zsl-jax: import the folder again")
    if values.pop("sha256", None) != _sha256(values) or not isinstance(values.get("images_dir"), str):
        raise errors.UserError(f"{path} is damaged or was edited, in more than images_dir: import the folder again")
    if values.keys() != {field.name for field in dataclasses.fields(Imported)}:
        raise errors.UserError(f"{path} is damaged or of another version of zsl-jax: import the folder again")
    found = Imported(**{name: _thawed(value) for name, value in values.items()})
    if not os.path.isdir(found.images_dir):
        raise errors.UserError(f"the folder of images {found.images_dir} is gone: import it again where it is now")
    return found


def _sha256(values: Mapping[str, Any]) -> str:
    """Of all but the place of the images."""
    return json_files.sha256({name: value for name, value in values.items() if name != "images_dir"})


def _thawed(value):
    if isinstance(value, list):
        return tuple(map(_thawed, value))
    return {name: _thawed(item) for name, item in value.items()} if isinstance(value, dict) else value
