"""A benchmark of 6 classes and 24 images in the xlsa17 layout, to be broken one way at a time.

Classes 1 to 4 are seen (3 training images and 1 test image each), 5 and 6 unseen. As in the real files, train_loc
(classes 1 to 3) and val_loc (class 4) hold the seen test images.
"""

import pathlib

import numpy as np
import scipy.io

NAMES = ["cat", "dog", "ox", "gnu", "emu", "owl"]
FEATURES_FILE_VARIABLES = ("features", "labels", "image_files")


def variables() -> dict:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(1, 7), 4))
    images = {label: np.flatnonzero(labels == label) + 1 for label in range(1, 7)}
    original_att = rng.integers(1, 100, (4, 6)).astype(float)

    def location(classes, start: int, stop: int) -> np.ndarray:
        return np.sort(np.concatenate([images[c][start:stop] for c in classes])).astype(np.uint16)[:, None]

    return {
        "features": rng.random((5, 24)).astype(np.float32),
        "labels": labels.astype(np.int16)[:, None],
        "image_files": [f"images/{NAMES[label - 1]}/{i}.jpg" for i, label in enumerate(labels)],
        "att": original_att / np.linalg.norm(original_att, axis=0),
        "original_att": original_att,
        "allclasses_names": list(NAMES),
        "trainval_loc": location(range(1, 5), 0, 3),
        "test_seen_loc": location(range(1, 5), 3, 4),
        "test_unseen_loc": location((5, 6), 0, 4),
        "train_loc": location((1, 2, 3), 0, 4),
        "val_loc": location((4,), 0, 4),
    }


def write(folder: pathlib.Path, held: dict | None = None) -> pathlib.Path:
    """Writes res101.mat and att_splits.mat; returns the folder."""
    held = variables() if held is None else held
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "res101.mat", {k: v for k, v in held.items() if k in FEATURES_FILE_VARIABLES})
    save(folder / "att_splits.mat", {k: v for k, v in held.items() if k not in FEATURES_FILE_VARIABLES})
    return folder


def save(path: pathlib.Path, held: dict) -> None:
    cells = {k: np.array(v, object)[:, None] if isinstance(v, list) else v for k, v in held.items()}
    scipy.io.savemat(path, cells, do_compression=True)
