"""The TFDS form of a folder in the xlsa17 layout: ArrayRecord files that other projects read without TensorFlow.

    path = prepare(folder)                                          DATA_DIR/xlsa17/NAME-SEMANTICS-HASH/1.0.0
    tfds.builder_from_directory(path).as_data_source("train")[0]    {"input": [F], "label": (), "index": ()}
    load_prepared(path) == xlsa17.load(folder)                      bit for bit

HASH is made of the SHA-256 of the source files, so that an edited file is another dataset and is prepared anew. The
class table is in the metadata: `builder.info.metadata["attributes"]` `[C, A]`, `["class_names"]` and `["is_seen"]`.
`sha256.json` holds the hash of every file of the dataset, and nothing is read of one that is not as it was written.
"""

import hashlib
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow_datasets as tfds

from zsl_jax import errors
from zsl_jax.data import dataset, json_files, matfile, soundness, xlsa17

HASHES_FILE = "sha256.json"
_REMEDY = "delete its folder and prepare or extract it again"
_OTHER_IMAGES = "unlisted"  # the split of the images that are in no split of the benchmark


class Features(tfds.core.GeneratorBasedBuilder):
    """The TFDS builder. Splits: `train`, `test_seen`, `test_unseen`, and `unlisted` for images in none of them.

    A split without an example is left out: TFDS writes none.

    An example is `input [F]` float32, `label` (row of the class table) and `index` (row among all images).

    Args:
      source: a dataset in memory whose `info` names its `semantics`, `attributes` and `files`.
      progress: called with the number of examples written and that of all examples.
      **kwargs: `data_dir` and what else a TFDS builder takes.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, source: dataset.Dataset, progress: Callable[[int, int], None] | None = None, **kwargs):
        self._dataset = source
        self._progress = progress
        self._written = 0
        kwargs.setdefault("file_format", "array_record")
        super().__init__(
            config=tfds.core.BuilderConfig(name=_identity(self._dataset.name, self._dataset.info)), **kwargs
        )

    def _info(self) -> tfds.core.DatasetInfo:
        data = self._dataset
        features = {
            # raw bytes: exact, and written and read faster than a list of numbers
            "input": tfds.features.Tensor(shape=data.inputs.shape[1:], dtype=np.float32, encoding="bytes"),
            "label": tfds.features.ClassLabel(names=data.classes.names),
            "index": tfds.features.Scalar(np.int32),
        }
        metadata = {
            "name": data.name,
            "class_names": list(data.classes.names),
            "attributes": data.classes.embedding.tolist(),
            "is_seen": data.classes.is_seen.tolist(),
            "validation_classes": None if data.validation_classes is None else data.validation_classes.tolist(),
            "info": dict(data.info),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="A zero-shot benchmark: image features, class descriptions, seen and unseen classes.",
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(metadata),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager  # nothing to download
        return {name: self._generate_examples(rows) for name, rows in _all_splits(self._dataset).items()}

    def download_and_prepare(self, **kwargs) -> None:
        """Writes the dataset unless it is there, and then the hashes of its files."""
        was_there = pathlib.Path(self.data_dir).is_dir()
        super().download_and_prepare(**kwargs)
        if not was_there:
            folder = pathlib.Path(self.data_dir)
            json_files.write(folder / HASHES_FILE, {path.name: matfile.sha256(path) for path in folder.iterdir()})

    def _generate_examples(self, rows: np.ndarray) -> Iterator[tuple[int, dict]]:
        data = self._dataset
        for key, row in enumerate(rows.tolist()):
            yield key, {"input": data.inputs[row], "label": int(data.labels[row]), "index": row}
            self._written += 1
            if self._progress:
                self._progress(self._written, len(data.inputs))


class Xlsa17(Features):
    """The builder for a folder in the xlsa17 layout.

    Args:
      manual_dir: the folder with res101.mat and att_splits.mat, read and checked here.
      semantics: as for `xlsa17.load`.
      attributes: as for `xlsa17.load`.
      **kwargs: as for `Features`.

    Raises:
      UserError: as `xlsa17.load`.
    """

    def __init__(self, *, manual_dir: str | os.PathLike, semantics: str = "att", attributes: str = "att", **kwargs):
        super().__init__(source=xlsa17.load(manual_dir, semantics=semantics, attributes=attributes), **kwargs)


def prepare(
    dir: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    *,
    semantics: str = "att",
    attributes: str = "att",
    progress: Callable[[int, int], None] | None = None,
) -> pathlib.Path:
    """Writes the TFDS form of a folder, unless the files it holds now have been prepared before.

    Args:
      dir: the folder, in the xlsa17 layout.
      data_dir: where prepared datasets live; the default of TFDS (the environment's TFDS_DATA_DIR, or
        ~/tensorflow_datasets) if None.
      semantics: as for `xlsa17.load`.
      attributes: as for `xlsa17.load`.
      progress: called after each example with the number written and that of all, in place of TFDS's own bars.

    Returns:
      The folder of the prepared dataset, for `load_prepared` or `tfds.builder_from_directory`.

    Raises:
      UserError: the folder is not sound, or `data_dir` cannot be written.
    """
    options = {"semantics": semantics, "attributes": attributes, "progress": progress}
    return _prepared(lambda: Xlsa17(manual_dir=dir, data_dir=data_dir, **options), quiet=progress is not None)


def write(source: dataset.Dataset, data_dir: str | os.PathLike) -> pathlib.Path:
    """Writes a dataset in memory in the same form; returns its folder.

    Raises:
      UserError: `data_dir` cannot be written.
    """
    return _prepared(lambda: Features(source=source, data_dir=data_dir), quiet=True)


def load_prepared(path: str | os.PathLike) -> dataset.Dataset:
    """The dataset in memory from its TFDS form: what `xlsa17.load` makes of the source files, bit for bit.

    Args:
      path: what `prepare` returns.

    Raises:
      UserError: there is no prepared dataset, or one of its files is not as it was written.
    """
    path = pathlib.Path(path)
    if not (path / "dataset_info.json").is_file():
        raise errors.UserError(f"{path}: no prepared dataset; make one with `python -m zsl_jax data prepare FOLDER`")
    _verify(path)
    try:
        loaded = _load(path)
    except errors.UserError:
        raise
    except Exception as error:  # TFDS and ArrayRecord raise what they like
        says = " ".join(str(error).split())[:200]
        raise errors.UserError(f"{path} cannot be read ({says}): {_REMEDY}") from error
    if wrong := soundness.features(loaded.inputs):
        raise errors.UserError(f"{path}: features: {wrong}")
    return loaded


def _verify(folder: pathlib.Path) -> None:
    """Compares every file with its hash."""
    if not (folder / HASHES_FILE).is_file():
        raise errors.UserError(
            f"{folder} has no {HASHES_FILE}, so that damage would not be seen (its writing was stopped, or an older "
            f"version wrote it): {_REMEDY}"
        )
    hashes = json_files.read(folder / HASHES_FILE, _REMEDY)
    if not hashes.keys() >= {"dataset_info.json", "features.json", "metadata.json"}:
        raise errors.UserError(f"{folder / HASHES_FILE} is damaged: {_REMEDY}")
    for name, digest in hashes.items():
        if not (folder / pathlib.Path(name).name).is_file() or matfile.sha256(folder / name) != digest:
            raise errors.UserError(f"{folder / name} is not as it was written: {_REMEDY}")


def _load(path: pathlib.Path) -> dataset.Dataset:
    builder = tfds.builder_from_directory(path)
    metadata = builder.info.metadata
    num_images = builder.info.splits.total_num_examples
    inputs = np.zeros((num_images, *builder.info.features["input"].shape), np.float32)
    labels = np.empty(num_images, np.int32)
    splits = {name: np.zeros(0, np.int64) for name in ("train", "test_seen", "test_unseen")}
    for name in builder.info.splits:
        rows = []
        for example in builder.as_data_source(split=name):
            rows.append(example["index"])
            inputs[rows[-1]] = example["input"]
            labels[rows[-1]] = example["label"]
        splits[name] = np.array(rows, np.int64)
    splits.pop(_OTHER_IMAGES, None)
    validation = metadata["validation_classes"]
    info = dict(metadata["info"])
    if "image_files" in info:
        info["image_files"] = tuple(info["image_files"])
    return dataset.Dataset(
        name=metadata["name"],
        inputs=inputs,
        labels=labels,
        classes=dataset.ClassTable(
            np.array(metadata["attributes"], np.float32),
            np.array(metadata["is_seen"], bool),
            tuple(metadata["class_names"]),
        ),
        splits=splits,
        validation_classes=None if validation is None else np.array(validation, np.int64),
        info=info,
    )


def _prepared(make_builder: Callable[[], Features], *, quiet: bool) -> pathlib.Path:
    if quiet:
        tfds.disable_progress_bar()
    try:
        builder = make_builder()
        folder = pathlib.Path(builder.data_dir)
        if folder.is_dir() and not (folder / HASHES_FILE).is_file():  # stopped between the data and its hashes
            shutil.rmtree(folder)
            builder = make_builder()
        builder.download_and_prepare()
    except OSError as error:
        raise errors.UserError(f"cannot write the prepared dataset: {error}") from error
    finally:
        if quiet:
            tfds.enable_progress_bar()
    return pathlib.Path(builder.data_dir)


def _identity(name: str, info: Mapping) -> str:
    """The configuration's name: the folder's, what describes the classes, and a hash of the source files."""
    digest = hashlib.sha256(repr(sorted(info["files"].items())).encode()).hexdigest()[:16]
    described = [info["semantics"], *(["original"] if info["attributes"] == "original_att" else [])]
    return "-".join([re.sub(r"\W+", "_", name), *described, digest])


def _all_splits(data: dataset.Dataset) -> dict[str, np.ndarray]:
    listed = np.concatenate(list(data.splits.values()))
    unlisted = np.setdiff1d(np.arange(len(data.inputs)), listed)
    splits = {**data.splits, _OTHER_IMAGES: unlisted}
    return {name: rows for name, rows in splits.items() if len(rows)}
