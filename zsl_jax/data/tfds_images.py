"""Any image dataset that TFDS knows, its classes described by a table that is joined by class name.

    tfds builder   image, label, names of the labels        prepared on disk, `tfds build --file_format=array_record`
    table          class,seen,attribute,...                 a CSV file, see `class_files`

The images are brought to one size and kept as bytes, so that they fit on the device and are augmented there, or are
decoded each time that they are needed. TensorFlow is not needed.
"""

import concurrent.futures
import dataclasses
import difflib
import hashlib
import os
import pathlib
import re
from typing import Any

import numpy as np
import tqdm

from zsl_jax import errors
from zsl_jax.data import class_files, dataset, images, splits, streaming, tables


@dataclasses.dataclass(frozen=True)
class Records:
    """The images of a data source of TFDS by number, each decoded when it is asked for."""

    source: Any
    preprocessing: images.Preprocessing

    def __getitem__(self, row) -> np.ndarray:
        return self.example(row)[0]

    def example(self, row) -> tuple[np.ndarray, int]:
        """The image `[S, S, 3]` and its label."""
        try:
            example = self.source[int(row)]
            return images.fit(images.as_rgb(example["image"]), self.preprocessing), int(example["label"])
        except Exception as error:  # TFDS, ArrayRecord and the decoders raise what they like
            says = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise errors.UserError(f"image {int(row)} of the dataset cannot be read ({says})") from error


def load(
    *,
    builder: str = "",
    attributes: str = "",
    dir: str = "",
    split: str = "train+test",
    size: int = 32,
    inputs: str = "pixels",
    seed: int = 0,
    cache: str = "auto",
    workers: int = 0,
) -> dataset.Dataset:
    """Reads a dataset of TFDS with the descriptions of a table.

    A fifth of the images of each seen class, drawn by `seed`, is its part of `test_seen`.

    Args:
      builder: name of the dataset, e.g. `caltech_birds2011`; with a version or config as TFDS writes it.
      attributes: CSV file with the columns `class`, `seen` (true or false) and one per attribute. Names of classes are
        compared without regard to case, signs between words and a number before (`001.`).
      dir: folder of TFDS; empty for its usual one.
      split: of the builder, `train+test` for both.
      size: height and width, pixels, [4, 512]; images are cropped to the middle square first.
      inputs: `pixels`, the only ones.
      seed: of the seen test images, 0 or more.
      cache: `memory` decodes all of them now, `stream` each time that they are needed; `auto` streams where they would
        take more than `streaming.MOST_BYTES`. The results are the same.
      workers: processes that decode a stream; 0 for threads of this one.

    Returns:
      The dataset; `inputs [N, size, size, 3]` uint8, or `streaming.ImageStream` of them.

    Raises:
      UserError: an unknown or unprepared dataset, one without images or labels, or classes that only one side knows.
    """
    if not builder or not attributes:
        raise errors.UserError(
            "tfds_images needs a dataset and a table: --config.data.builder=NAME --config.data.attributes=FILE.csv"
        )
    if inputs != "pixels":
        raise errors.unknown("inputs", inputs, ["pixels"])
    if not isinstance(size, (int, np.integer)) or not 4 <= size <= 512:
        raise errors.UserError(f"tfds_images: size must be an integer in [4, 512], not {size!r}")
    described = class_files.read(pathlib.Path(attributes).expanduser())
    if not described.says_seen or np.all(described.classes.is_seen):
        raise errors.UserError(f"{attributes} must say in a column seen which classes are not (false)")
    names, source, version = _open(builder, dir, split)
    streamed = streaming.is_streamed(cache, len(source), size)
    rows = join(names, described.classes.names, builder, attributes)
    records = Records(source, images.Preprocessing(size=size, fit="crop", crop_fraction=1.0, filter="bilinear"))
    if streamed:
        pixels = streaming.ImageStream(records, np.arange(len(source)), size, workers)
        labels = _labels(_open(builder, dir, split, labels_only=True)[1])
        digest = {}
    else:
        pixels, labels = _read(records, size, builder)
        digest = {"images_sha256": hashlib.sha256(pixels).hexdigest()}
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(rows):
        raise errors.UserError(f"{builder}: a label is none of its {len(rows)} classes, as in a split without labels")
    labels = rows[labels]
    table = described.classes
    return dataset.Dataset(
        name=builder.replace(":", "_").replace("/", "_"),
        inputs=pixels,
        labels=labels,
        classes=table,
        splits=splits.fifth_of_seen(labels, np.asarray(table.is_seen), seed),
        images=pixels,
        info={
            "semantics": "att",
            "split": f"seed {seed}",
            "files": {os.path.basename(attributes): hashlib.sha256(pathlib.Path(attributes).read_bytes()).hexdigest()},
            "inputs": inputs,
            **digest,
            "attributes": list(described.attributes),
            "version": version,
        },
    )


def join(labels: list[str], classes: tuple[str, ...], source: str, table: str) -> np.ndarray:
    """Returns the row of `classes` for each of `labels`, `[L]` int32.

    >>> join(["001.Red_Fox", "002.Bear"], ("bear", "red fox"), "animals", "table.csv").tolist()
    [1, 0]

    Raises:
      UserError: names that only one side has, or that are the same in one spelling.
    """
    ours, theirs = ([_plain(name) for name in names] for names in (classes, labels))
    for names, where in ((ours, table), (theirs, source)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise errors.UserError(f"{where} has classes of the same name: {', '.join(twice[:5])}")
    for wanted, known, here, there in ((theirs, ours, source, table), (ours, theirs, table, source)):
        missing = [name for name in wanted if name not in set(known)]
        if missing:
            listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise errors.UserError(f"{len(missing)} classes of {here} are not in {there}: {listed}")
    return np.array([ours.index(name) for name in theirs], np.int32)


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"^\d+\.", "", tables.name(name).lower())))


def _open(builder: str, directory: str, split: str, *, labels_only: bool = False) -> tuple[list[str], Any, str]:
    """The names of the labels, the examples by their number, and the dataset's version."""
    import tensorflow_datasets as tfds  # half a second

    try:
        opened = tfds.builder(builder, data_dir=directory or None)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        near = difflib.get_close_matches(builder, tfds.list_builders(with_community_datasets=False), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "its documentation lists those that there are"
        raise errors.UserError(f"TFDS knows no dataset {builder!r}: {hint}") from error
    features = opened.info.features
    if "image" not in features or "label" not in features:
        raise errors.UserError(f"{builder} has no image or no label: its features are {', '.join(sorted(features))}")
    try:
        decoders = {"image": tfds.decode.SkipDecoding()} if labels_only else None
        source = opened.as_data_source(split=split, decoders=decoders)
    except Exception as error:  # TFDS and ArrayRecord raise what they like on a damaged or absent dataset
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise errors.UserError(
            f"{builder}: cannot read split {split!r} of {directory or 'the TFDS folder'} ({first})"
        ) from error
    return list(features["label"].names), source, str(opened.info.full_name)


def _read(records: Records, size: int, title: str) -> tuple[np.ndarray, np.ndarray]:
    """All images, `[N, size, size, 3]` uint8, and their labels; decoded in threads, in the order of the source."""
    pixels = np.empty((len(records.source), size, size, 3), np.uint8)
    labels = np.empty(len(pixels), np.int32)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(records.example, range(len(pixels)))
        for number, (image, label) in enumerate(tqdm.tqdm(found, total=len(pixels), desc=title, disable=None)):
            pixels[number], labels[number] = image, label
    return pixels, labels


def _labels(source) -> np.ndarray:
    return np.array([source[number]["label"] for number in range(len(source))], np.int32)
