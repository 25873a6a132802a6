"""From images to features, by an encoder with its weights and the preprocessing that belongs to them.

extraction = Extraction(encoder="resnet50", knobs={}, weights="resnet50.safetensors", images=Preprocessing(...))
extractor = load(extraction)
features = extractor(images)                                  [n, S, S, 3] uint8 -> [n, D] float32, or [n, P, D]
Extraction.from_json(extractor.extraction.to_json())            what a dataset and a record keep of it
"""

import dataclasses
import inspect
import itertools
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import encoders, errors
from zsl_jax.data import images, matfile, recorded
from zsl_jax.encoders import clip_files, counts, pretrained, weights


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What makes features of images.

    Args:
      encoder: a name in `encoders.ENCODERS`.
      knobs: arguments of its factory.
      weights: file of its weights, or a name in `pretrained.CHECKPOINTS`; empty for random ones, always the same.
      images: the preprocessing.
      weights_sha256: of the file; None before it has been read.
      batch_size: images at a time; the features do not depend on it but for rounding.
      grid: cells per side; each has the mean of what the encoder has at its places. 0: one vector of the whole image.
    """

    encoder: str
    knobs: Mapping[str, Any]
    weights: str
    images: images.Preprocessing
    batch_size: int
    weights_sha256: str | None = None
    grid: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, which `from_json` reads; without the grid where there is none, as it was before there was."""
        values = {"by": "encoder", **dataclasses.asdict(self)}
        return values if self.grid else {name: value for name, value in values.items() if name != "grid"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Extraction":
        fields = {name: value for name, value in values.items() if name != "by"}
        knobs = {name: tuple(value) if isinstance(value, list) else value for name, value in values["knobs"].items()}
        return cls(**fields | {"knobs": knobs, "images": images.Preprocessing.from_json(values["images"])})


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A function from images `[n, S, S, 3]` uint8 to features `[n, *shape]` float32.

    Args:
      extraction: what it is made of, with the sha256 of its weights.
      shape: of the features of an image, `[D]`, or `[P, D]` where it is kept in P cells.
      size: parameters and operations, in words.
      embed: the compiled function, for `batch_size` images.
    """

    extraction: Extraction
    shape: tuple[int, ...]
    size: str
    embed: Callable[[np.ndarray], jax.Array]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        found = [np.zeros((0, *self.shape), np.float32)]
        step = self.extraction.batch_size
        for first in range(0, len(pixels), step):
            part = pixels[first : first + step]
            # One shape, one program: the last batch is filled up.
            filled = np.concatenate([part, np.zeros((step - len(part), *part.shape[1:]), part.dtype)])
            found.append(np.asarray(self.embed(filled))[: len(part)])
        return np.concatenate(found)

    def files(
        self,
        paths: Sequence[str | os.PathLike],
        *,
        skip: Callable[[images.UnreadableImage], None] | None = None,
    ) -> Iterator[np.ndarray | None]:
        """Yields the features `[*shape]` of a file in their order, None for one that `skip` took, see `images.load`."""
        step = self.extraction.batch_size
        loaded = images.load(paths, self.extraction.images, skip=skip)
        while batch := tuple(itertools.islice(loaded, 4 * step)):
            sound = [image for image in batch if image is not None]
            features = iter(self(np.stack(sound)) if sound else ())
            yield from (None if image is None else next(features) for image in batch)


def load(extraction: Extraction) -> Extractor:
    """Builds the encoder and reads its weights.

    Raises:
      UserError: an unknown encoder or knob, a size of image that the encoder does not take, more cells than it has
        places, weights that are missing, damaged, of another encoder or not those that `weights_sha256` names.
    """
    size = extraction.images.size
    pixels = np.zeros((1, size, size, 3), np.uint8)
    module, variables, path = PARTS.get(extraction.encoder, _by_name)(extraction, pixels)
    digest = None if path is None else matfile.sha256(path)
    if path is not None:
        recorded.check(path, digest)
        if extraction.weights_sha256 not in (None, digest):
            raise errors.UserError(f"{extraction.weights} is no longer the file of weights that the features came from")
    shapes = jax.eval_shape(lambda x: x, variables)

    @jax.jit
    def run(variables, batch):
        if not extraction.grid:
            return module.apply(variables, batch, train=False).astype(jnp.float32)
        _, places = module.apply(variables, batch, train=False, local=True)
        return cells(places.astype(jnp.float32), extraction.grid)

    if extraction.grid and "local" not in inspect.signature(type(module).__call__).parameters:
        raise errors.UserError(f"{extraction.encoder} gives one vector of an image and no places: grid should be 0")
    variables = jax.tree.map(jnp.asarray, variables)
    return Extractor(
        extraction=dataclasses.replace(extraction, weights_sha256=digest),
        shape=jax.eval_shape(run, shapes, pixels).shape[1:],
        size=counts.describe(module, shapes, pixels),
        embed=lambda batch: run(variables, batch),
    )


def cells(places: jax.Array, grid: int) -> jax.Array:
    """Returns the means of places in square cells, row by row; cells share a place where sides do not divide.

    Args:
      places: `[B, S * S, D]`, the places of a square map.
      grid: G, cells per side, at most S.

    Returns:
      `[B, G * G, D]`.

    Raises:
      UserError: places that are no square, or more cells than places.

    >>> cells(jnp.arange(16.0).reshape(1, 16, 1), 2)[0, :, 0]
    Array([ 2.5,  4.5, 10.5, 12.5], dtype=float32)
    """
    count, side = places.shape[1], math.isqrt(places.shape[1])
    if side * side != count or grid > side:
        raise errors.UserError(
            f"grid={grid}: the encoder has {count} places of an image"
            + (f", {side} x {side}: at most {side}" if side * side == count else ", which are no square")
        )
    first, place = np.arange(grid)[:, None] * side, np.arange(side)[None]
    is_in = (place >= first // grid) & (place < -(-(first + side) // grid))
    share = jnp.asarray(is_in / is_in.sum(axis=1, keepdims=True), places.dtype)
    means = jnp.einsum("gs,ht,bstd->bghd", share, share, places.reshape(-1, side, side, places.shape[-1]))
    return means.reshape(-1, grid * grid, places.shape[-1])


def _by_name(extraction: Extraction, pixels: np.ndarray):
    """The module that `encoders.ENCODERS` names, its variables, and the file of its weights, if there is one."""
    module = encoders.factory(extraction.encoder)(**extraction.knobs)

    def init():
        return module.init(jax.random.key(0), pixels, train=False)

    if not extraction.weights:
        return module, jax.jit(init)(), None
    path = pretrained.path(extraction.weights)
    return module, weights.load(path, jax.eval_shape(init)), path


def _clip(extraction: Extraction, pixels: np.ndarray):
    """The image tower of a folder; its sizes are those of its tensors."""
    del pixels
    model = clip_files.load(pathlib.Path(extraction.weights).expanduser(), **extraction.knobs)
    return model.image, model.variables("image"), model.file


# Encoders whose sizes are read from their weights, instead of being knobs.
PARTS = {"clip": _clip}
