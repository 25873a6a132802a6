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


def described(path: str | os.PathLike) -> extraction.Extraction:
    """Returns what makes features by the tower at a path, with the preprocessing that its weights expect.

    Raises:
      UserError: no such file or folder, or one of another kind.
    """
    place = pathlib.Path(path).expanduser()
    if place.is_dir():
        size = clip_files.load(place).image.size
        fit = "stretch" if getattr(size, "siglip", False) else "crop"
        fitted = images.Preprocessing(size=size.image_size, fit=fit, crop_fraction=1.0, filter="bicubic")
        return extraction.Extraction("clip", {}, str(place), fitted, _BATCH)
    if place.suffix != ".npz" or not place.is_file():
        raise errors.UserError(
            f"config.towers.image={path} is no folder of a CLIP model and no .npz file of MobileNetV2; for others "
            "run `extract`, and zero_shot:features"
        )
    fitted = images.Preprocessing(size=224, fit="stretch", crop_fraction=0.875, filter="bilinear")
    knobs = {"padding": "same", "scaling": "symmetric"}
    return extraction.Extraction("mobilenet_v2", knobs, str(place), fitted, _BATCH)


def dataset_of(dir: str | os.PathLike, tower: str | os.PathLike) -> dataset.Dataset:
    """Returns the features of an imported folder of images, kept on disk by the hash of tower and images.

    Args:
      dir: the folder that `data import` wrote.
      tower: see `described`.

    Raises:
      UserError: no dataset, no tower, or an image that cannot be read.
    """
    imported = image_folder.read(dir)
    extractor = extraction.load(described(tower))
    path_of = {matfile.sha256(path): path for path in imported.paths()}

    def features(digests):
        return np.stack(list(extractor.files([path_of[digest] for digest in digests])))

    sha256 = f"{extractor.extraction.weights_sha256} {extractor.extraction.images}"
    stage = stages.Stage(features, sha256, {})
    made = stages.applied(stage, [matfile.sha256(path) for path in imported.paths()])
    return imported.dataset(made, preprocessing=extractor.extraction.to_json())


def encoded(source: dataset.Dataset, tower: str | os.PathLike) -> dataset.Dataset:
    """Returns a dataset of images in memory with their features as inputs, kept on disk by the hash of tower and image.

    Args:
      source: of images `[N, H, W, 3]` uint8.
      tower: see `described`.

    Raises:
      UserError: no tower, or inputs that are no images.
    """
    pictures = source.inputs
    if getattr(pictures, "dtype", None) != np.uint8 or np.ndim(pictures) != 4:
        raise errors.UserError(
            f"config.towers.image encodes images, and the inputs of {source.name} are none in memory: give it images, "
            "or leave towers.image empty"
        )
    extractor = extraction.load(described(tower))
    digests = [hashlib.sha256(picture).hexdigest() for picture in pictures]
    row = {digest: number for number, digest in enumerate(digests)}

    def features(digests):
        fitted = (images.fit(pictures[row[digest]], extractor.extraction.images) for digest in digests)
        batches = iter(lambda: list(itertools.islice(fitted, _BATCH)), [])
        return np.concatenate([extractor(np.stack(batch)) for batch in batches])

    # The size of a picture is not among its bytes.
    sha256 = f"{extractor.extraction.weights_sha256} {extractor.extraction.images} {pictures.shape[1:]}"
    made = stages.applied(stages.Stage(features, sha256, {}), digests)
    info = {**source.info, "preprocessing": extractor.extraction.to_json()}
    return dataclasses.replace(source, inputs=made, info=info)
