"""Frozen towers of images as a stage of the data: a dataset of files becomes one of features, made once and kept.

    a folder      CLIP or SigLIP, see `clip_files`
    a .npz file   MobileNetV2 1.0/224 of Keras, normalisation folded

Other encoders have recipes for `extract`, which writes their features down.
"""

import dataclasses
import hashlib
import itertools
import os
import pathlib

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, image_folder, images, matfile
from zsl_jax.encoders import clip_files, extraction, stages

_BATCH = 8


def described(path: str | os.PathLike, *, dtype: str = "float32", scan: bool = False) -> extraction.Extraction:
    """Returns what makes features by the tower at a path, with the preprocessing that its weights expect.

    Args:
      path: of the tower.
      dtype: of products, `float32` or `bfloat16`.
      scan: whether the layers of a CLIP are one scanned program.

    Raises:
      UserError: no such file or folder, or one of another kind.
    """
    place = pathlib.Path(path).expanduser()
    if place.is_dir():
        size = clip_files.load(place).image.size
        fit = "stretch" if getattr(size, "siglip", False) else "crop"
        fitted = images.Preprocessing(size=size.image_size, fit=fit, crop_fraction=1.0, filter="bicubic")
        given = {"dtype": dtype, "scan": scan}
        # What is at its default is not said, as in records of before there was a choice.
        knobs = {
            name: given[name] for name, default in (("dtype", "float32"), ("scan", False)) if given[name] != default
        }
        return extraction.Extraction("clip", knobs, str(place), fitted, _BATCH)
    if place.suffix != ".npz" or not place.is_file():
        raise errors.UserError(
            f"config.towers.image={path} is no folder of a CLIP model and no .npz file of MobileNetV2; for others "
            "run `extract`, and zero_shot:features"
        )
    fitted = images.Preprocessing(size=224, fit="stretch", crop_fraction=0.875, filter="bilinear")
    knobs = {"padding": "same", "scaling": "symmetric", **({} if dtype == "float32" else {"dtype": dtype})}
    return extraction.Extraction("mobilenet_v2", knobs, str(place), fitted, _BATCH)


def dataset_of(
    dir: str | os.PathLike, tower: str | os.PathLike, *, dtype: str = "float32", scan: bool = False
) -> dataset.Dataset:
    """Returns the features of an imported folder of images, kept on disk by the hash of tower and images.

    Args:
      dir: the folder that `data import` wrote.
      tower, dtype, scan: see `described`.

    Raises:
      UserError: no dataset, no tower, or an image that cannot be read.
    """
    imported = image_folder.read(dir)
    extractor = extraction.load(described(tower, dtype=dtype, scan=scan))
    path_of = {matfile.sha256(path): path for path in imported.paths()}

    def features(digests):
        return np.stack(list(extractor.files([path_of[digest] for digest in digests])))

    made = extractor.extraction
    sha256 = f"{made.weights_sha256} {made.images} {made.knobs}"
    stage = stages.Stage(features, sha256, {})
    found = stages.applied(stage, [matfile.sha256(path) for path in imported.paths()])
    return imported.dataset(found, preprocessing=made.to_json())


def encoded(
    source: dataset.Dataset, tower: str | os.PathLike, *, dtype: str = "float32", scan: bool = False
) -> dataset.Dataset:
    """Returns a dataset of images in memory with their features as inputs, kept on disk by the hash of tower and image.

    Args:
      source: of images `[N, H, W, 3]` uint8.
      tower, dtype, scan: see `described`.

    Raises:
      UserError: no tower, or inputs that are no images.
    """
    pixels = source.inputs
    if getattr(pixels, "dtype", None) != np.uint8 or np.ndim(pixels) != 4:
        raise errors.UserError(
            f"config.towers.image encodes images, and the inputs of {source.name} are none in memory: give it images, "
            "or leave towers.image empty"
        )
    extractor = extraction.load(described(tower, dtype=dtype, scan=scan))
    digests = [hashlib.sha256(image).hexdigest() for image in pixels]
    row = {digest: number for number, digest in enumerate(digests)}

    def features(digests):
        fitted = (images.fit(pixels[row[digest]], extractor.extraction.images) for digest in digests)
        batches = iter(lambda: list(itertools.islice(fitted, _BATCH)), [])
        return np.concatenate([extractor(np.stack(batch)) for batch in batches])

    # The size of an image is not among its bytes.
    made = extractor.extraction
    sha256 = f"{made.weights_sha256} {made.images} {made.knobs} {pixels.shape[1:]}"
    found = stages.applied(stages.Stage(features, sha256, {}), digests)
    return dataclasses.replace(source, inputs=found, info={**source.info, "preprocessing": made.to_json()})
