"""From images to the inputs that a model was trained on: the one place that `predict` asks.

A dataset that is made of images says what made its inputs of them in `info["preprocessing"]`, a name or a dict with the
name in `by`, and the record of a run keeps it. Where there is none (a folder of features that others extracted), new
images cannot be brought into the same form and features are asked for.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import descriptors


class Preprocessing(NamedTuple):
    """How inputs are made of images.

    Fields:
      of_arrays: `images [n, H, W, 3] uint8 -> inputs [n, ...]`.
      of_files: `(paths, *, skip=None) -> ` the input of each file in turn; `skip` as in `images.load`.
    """

    of_arrays: Callable[[np.ndarray], np.ndarray]
    of_files: Callable[..., Iterator[np.ndarray | None]]


def make(said: str | Mapping[str, Any] | None) -> Preprocessing:
    """Returns the preprocessing that a record speaks of.

    Raises:
      UserError: none, or an unknown one.

    >>> make("descriptors").of_arrays(np.zeros((1, 32, 32, 3), np.uint8)).shape
    (1, 718)
    """
    if said is None:
        raise errors.UserError(
            "this model was trained on features whose extraction its record does not know: give it features, not images"
        )
    name = said if isinstance(said, str) else said.get("by")
    if name not in PREPROCESSINGS:
        raise errors.unknown("preprocessing", name, PREPROCESSINGS)
    return PREPROCESSINGS[name](said)


def _descriptors(said: str) -> Preprocessing:
    del said  # they have no options

    def of_files(
        paths: Sequence[str | os.PathLike], *, skip: Callable[[errors.UserError], None] | None = None
    ) -> Iterator[np.ndarray | None]:
        from zsl_jax.data import images  # PIL is for those who have files

        for path in paths:
            try:
                yield descriptors.describe(images.decode(path)[None])[0]
            except images.UnreadableImage as error:
                if skip is None:
                    raise
                skip(error)
                yield None

    return Preprocessing(descriptors.describe, of_files)


def _pixels(said: Mapping[str, Any]) -> Preprocessing:
    from zsl_jax.data import images

    preprocessing = images.Preprocessing.from_json({name: value for name, value in said.items() if name != "by"})

    def of_arrays(pixels: np.ndarray) -> np.ndarray:
        return np.stack([images.fit(image, preprocessing) for image in pixels])

    return Preprocessing(of_arrays, functools.partial(images.load, preprocessing=preprocessing))


def _encoder(said: Mapping[str, Any]) -> Preprocessing:
    from zsl_jax.data import images
    from zsl_jax.encoders import extraction  # flax is for those who encode

    extractor = extraction.load(extraction.Extraction.from_json(said))

    def of_arrays(pixels: np.ndarray) -> np.ndarray:
        return extractor(np.stack([images.fit(image, extractor.extraction.images) for image in pixels]))

    return Preprocessing(of_arrays, extractor.files)


PREPROCESSINGS: dict[str, Callable[[Any], Preprocessing]] = {
    "descriptors": _descriptors,
    "pixels": _pixels,
    "encoder": _encoder,
}
