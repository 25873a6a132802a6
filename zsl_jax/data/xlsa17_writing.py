"""Writes a dataset as a folder in the xlsa17 layout, which other codebases of the field read; see `xlsa17`."""

import contextlib
import pathlib

import numpy as np

from zsl_jax import errors, whole_files
from zsl_jax.data import dataset, inputs, xlsa17


def write(source: dataset.Dataset, folder: pathlib.Path) -> dict[str, int]:
    """Writes `res101.mat` and `att_splits.mat`, whatever the features are of: the layout demands that name.

    `original_att` holds the descriptions as they are and `att` those of length 1, as in the benchmark's own files.
    Where the dataset names validation classes, `train_loc` and `val_loc` divide `trainval_loc` by them, without
    seen test images.

    Args:
      source: features `[N, F]`, a label per image, a matrix of attributes `[C, A]`.
      folder: made if it does not exist.

    Returns:
      The number of images, features, classes and attributes, and of images in each split, by name.

    Raises:
      UserError: another kind of dataset, or a folder that holds such files already or cannot be written.
    """
    rows, embedding = source.inputs, source.classes.embedding
    if not isinstance(rows, np.ndarray) or rows.ndim != 2:
        raise errors.UserError(
            f"{source.name}: inputs are {inputs.spec(rows)}, and the layout holds features: run `extract` first"
        )
    if np.ndim(source.labels) != 1 or source.parts is not None:
        raise errors.UserError(f"{source.name}: the layout holds one label per image and classes that are no pairs")
    if getattr(embedding, "ndim", 0) != 2 or not np.issubdtype(embedding.dtype, np.floating):
        raise errors.UserError(f"{source.name}: the layout describes classes by a matrix of numbers [C, A]")
    if "train" not in source.splits:
        raise errors.UserError(f"{source.name}: no class has a training image, which the layout asks for")
    is_seen = np.asarray(source.classes.is_seen)
    unseen = np.unique(source.labels[source.splits["test_unseen"]])
    features = {"features": rows.T, "labels": source.labels[:, None].astype(np.float64) + 1}
    if source.info.get("image_files"):
        features["image_files"] = _cell(source.info["image_files"])
    described = np.asarray(embedding, np.float64).T
    locations = {
        "trainval_loc": source.splits["train"],
        "test_seen_loc": source.splits["test_seen"],
        "test_unseen_loc": source.splits["test_unseen"],
    }
    if source.validation_classes is not None:
        held_out = np.isin(source.labels[source.splits["train"]], source.validation_classes)
        locations |= {"train_loc": source.splits["train"][~held_out], "val_loc": source.splits["train"][held_out]}
    described_by = {
        "att": described / np.linalg.norm(described, axis=0),
        "original_att": described,
        "allclasses_names": _cell(source.classes.names),
        **{name: np.asarray(where, np.float64)[:, None] + 1 for name, where in locations.items()},
    }
    _save(folder, {xlsa17.FEATURES_FILE: features, xlsa17.SPLITS_FILE: described_by})
    return {
        "images": len(rows),
        "features": rows.shape[1],
        "classes": len(is_seen),
        "unseen": len(unseen),
        "attributes": described.shape[0],
        **{name: len(where) for name, where in locations.items()},
    }


def _cell(texts) -> np.ndarray:
    """Strings as MATLAB's cell, a column."""
    found = np.empty((len(texts), 1), object)
    found[:, 0] = list(map(str, texts))
    return found


def _save(folder: pathlib.Path, files: dict[str, dict[str, np.ndarray]]) -> None:
    import scipy.io  # late: `data check` need not wait for it

    there = [name for name in files if (folder / name).exists()]
    if there:
        raise errors.UserError(f"{folder} holds {there[0]} already: choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:  # all files, or none
            for name, variables in files.items():
                part = stack.enter_context(whole_files.replacing(folder / name))
                with part.open("wb") as file:
                    scipy.io.savemat(file, variables, do_compression=True)
    except OSError as error:
        raise errors.UserError(f"cannot write {folder}: {error.strerror or error}") from error
