"""Images from files: decoded upright as RGB and brought to one size.

decode(path)                       [H, W, 3] uint8    EXIF rotation, greyscale, palettes, transparency, CMYK
fit(image, preprocessing)          [S, S, 3] uint8
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import math
import os
import pathlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin

from zsl_jax import errors

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # whatever the suffix; no other decoder is started
_FILTERS_OF_WARNINGS = threading.Lock()
_SIGNED = 2  # of the sample format of a TIFF
FITS = ("stretch", "crop")
VERSION = 2
_LONGEST = 32  # times the size: a line of pixels is not resized as a whole, which would fill the memory
FILTERS = {"bilinear": PIL.Image.Resampling.BILINEAR, "bicubic": PIL.Image.Resampling.BICUBIC}


class UnreadableImage(errors.UserError):
    """A file that is no image, an empty one, or a damaged one."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """What happens to an image between the file and the encoder.

    Args:
      size: S, height and width that the encoder sees, pixels.
      fit: `stretch` to the square, or `crop` the middle out of an image whose shorter side is `size / crop_fraction`.
      crop_fraction: (0, 1], without meaning for `stretch`.
      filter: of the resizing, `bilinear` or `bicubic`, over all pixels that an output pixel covers.
      version: of `crop`. In 2 the resized image and the place of the crop in it are whole pixels, as torchvision's
        `Resize` and `CenterCrop` make them (`crop_fraction` is the `crop_pct` of timm). In 1, of records that name no
        version, they had fractions.
    """

    size: int
    fit: str
    crop_fraction: float
    filter: str
    version: int = VERSION

    def __post_init__(self):
        if self.fit not in FITS:
            raise errors.unknown("fit", self.fit, FITS)
        if self.filter not in FILTERS:
            raise errors.unknown("filter", self.filter, FILTERS)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """Returns what `dataclasses.asdict` made plain values of, in a record of any version."""
        return cls(**{"version": 1, **values})


def decode(path: str | os.PathLike) -> np.ndarray:
    """Returns an image as `[H, W, 3]` uint8: turned as its EXIF tag says, transparent places on white.

    Raises:
      UnreadableImage: the file is missing, empty, damaged, no image or of a kind that is not read; the message names
        it.
    """
    with _named(path), _opened(path) as opened:
        opened.load()
        with _quiet():
            upright = PIL.ImageOps.exif_transpose(opened)
        return np.array(_rgb(upright))


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Returns an array as `[H, W, 3]` uint8: of grey `[H, W, 1]`, colours, or colours with transparency `[H, W, 4]`.

    Args:
      image: uint8, or uint16 where it is grey.
    """
    image = np.asarray(image)
    return np.array(_rgb(PIL.Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)))


def fault(path: str | os.PathLike) -> str | None:
    """What is wrong with a file by its size and its header, or None; a damaged end shows in `decode` only."""
    try:
        with _named(path), _opened(path):
            return None
    except UnreadableImage as error:
        return str(error)


def fit(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Returns the image `[H, W, 3]` as `[S, S, 3]` uint8."""
    size, resample = preprocessing.size, FILTERS[preprocessing.filter]
    picture = PIL.Image.fromarray(image)
    if preprocessing.fit == "stretch":
        return np.asarray(picture.resize((size, size), resample))
    shorter = min(picture.size)
    if preprocessing.version == 1:
        side = shorter * preprocessing.crop_fraction
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        return np.asarray(picture.resize((size, size), resample, (left, top, left + side, top + side)))
    resized = math.floor(size / preprocessing.crop_fraction + 1e-6)
    width, height = (int(resized * side / shorter) for side in picture.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    if max(width, height) > _LONGEST * size:  # its middle alone, but for what a box in floats rounds
        across, down = picture.width / width, picture.height / height
        box = (left * across, top * down, (left + size) * across, (top + size) * down)
        return np.asarray(picture.resize((size, size), resample, box))
    return np.asarray(picture.resize((width, height), resample).crop((left, top, left + size, top + size)))


def load(
    paths: Sequence[str | os.PathLike],
    preprocessing: Preprocessing,
    *,
    skip: Callable[[UnreadableImage], None] | None = None,
    ahead: int = 64,
) -> Iterator[np.ndarray | None]:
    """Yields the images of `paths` in their order, `[S, S, 3]` uint8, decoded ahead in threads.

    Args:
      paths: of the images.
      preprocessing: size and fit.
      skip: called with what is wrong with an unreadable image, for which None is yielded; it is raised if None.
      ahead: images decoded before they are asked for, at most.
    """

    def load_one(path: str | os.PathLike) -> np.ndarray:
        return fit(decode(path), preprocessing)

    waiting, rest = collections.deque(), iter(paths)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            while True:
                while len(waiting) < ahead and (path := next(rest, None)) is not None:
                    waiting.append(pool.submit(load_one, path))
                if not waiting:
                    return
                try:
                    image = waiting.popleft().result()
                except UnreadableImage as error:
                    if skip is None:
                        raise
                    skip(error)
                    image = None
                yield image
        finally:
            for future in waiting:
                future.cancel()


def find(folder: str | os.PathLike) -> list[pathlib.PurePosixPath]:
    """Returns the images in a folder and below it, by suffix, relative to it and sorted; hidden ones are left out.

    Folders that are symbolic links are followed, unless they lead back to where they are found.
    """
    folder = pathlib.Path(folder)
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        here = pathlib.Path(place)
        above = {os.path.realpath(parent) for parent in (here, *here.parents)}
        folders[:] = [
            name for name in folders if not name.startswith(".") and os.path.realpath(here / name) not in above
        ]
        found += [
            pathlib.PurePosixPath((here / name).relative_to(folder).as_posix())
            for name in files
            if not name.startswith(".") and pathlib.Path(name).suffix.lower() in SUFFIXES
        ]
    return sorted(found)


@contextlib.contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    """Makes an UnreadableImage that names the file of whatever reading it raises."""
    try:
        yield
    except UnreadableImage:
        raise
    except PIL.UnidentifiedImageError as error:
        raise UnreadableImage(f"{path}: not a readable image") from error
    except Exception as error:  # PIL raises what it likes on a damaged file
        says = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        says = says.replace(repr(os.fspath(path)), "the file")
        raise UnreadableImage(f"{path}: not a readable image ({' '.join(says.split())[:200]})") from error


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[PIL.Image.Image]:
    """An image whose header is read: of a format and kind that is read, and of a size that can be one."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise UnreadableImage(f"{os.fspath(path)!r}: its name is no text in UTF-8: rename it") from error
    if not os.path.getsize(path):
        raise UnreadableImage(f"{path}: an empty file, not an image")
    with _quiet():
        opened = PIL.Image.open(path, formats=FORMATS)
    with opened:
        width, height = opened.size
        most = PIL.Image.MAX_IMAGE_PIXELS
        if most is not None and width * height > most:
            raise UnreadableImage(f"{path}: not a readable image ({width * height} pixels, of {most} at most)")
        if kind := _without_white(opened):
            raise UnreadableImage(f"{path}: not a readable image (pixels are {kind}, whose white is not known)")
        yield opened


def _without_white(opened: PIL.Image.Image) -> str | None:
    """What pixels are that PIL gives as numbers, without saying which of these is white; None for all others."""
    if opened.mode == "F":
        return "floats"
    if not isinstance(opened, PIL.TiffImagePlugin.TiffImageFile):
        return None
    tags, grey = opened.tag_v2, opened.mode.startswith("I")
    bits = tags.get(PIL.TiffImagePlugin.BITSPERSAMPLE, (1,))
    if _SIGNED in tags.get(PIL.TiffImagePlugin.SAMPLEFORMAT, (1,)):
        return f"integers of {bits[0]} bits with a sign"
    if grey and bits[0] != 16:
        return f"integers of {bits[0]} bits"
    is_inverted = grey and tags.get(PIL.TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return "inverted integers of 16 bits" if is_inverted else None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of odd metadata; one thread at a time, because the filters of warnings belong to all."""
    with _FILTERS_OF_WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":  # 16 bits of grey
        image = PIL.Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, "white")
        return PIL.Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
