"""Fixed image descriptors: nothing is learned, and the row of an image depends on that image alone.

    describe(images) = [edges at 32, 16, 8 pixels | textures at 32, 16 pixels | colours] / norm

Each block is a soft histogram, averaged over the cells of a grid, square-rooted (so that Euclidean distances between
rows are Hellinger distances between histograms, up to their scale) and scaled to unit length. The edges follow the idea
of histograms of oriented gradients. The purpose is a linear model of shape, texture, size and colour that carries over
to classes it never saw.
"""

import functools
from typing import NamedTuple

import numpy as np

NUM_FEATURES = 3 * 8 * 16 + 2 * 27 * 5 + 64

_SIDE = 32  # every image is brought to 32x32 first, so that one size's rows can be compared with another's
_CHUNK = 32  # images at a time: the working set stays in the processor's cache
_ANGLES = 8
_SMALL = np.float32(1e-6)


def describe(images: np.ndarray) -> np.ndarray:
    """Rows of unit length that hold an image's edges, textures and colours.

    Three invariances follow from how the blocks are made (for images of 32x32, up to rounding). The colour block does
    not change when pixels change places. The whole-image part of the texture blocks does not change when the image
    is mirrored or turned by 90 degrees. The edge blocks do not change when the same amount is added to every pixel.

    Args:
      images: `[N, H, W, 3]` uint8.

    Returns:
      `[N, 718]` float32.

    Raises:
      ValueError: images of another shape or dtype.

    >>> images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    >>> rows = describe(images)
    >>> rows.shape, rows.dtype
    ((2, 718), dtype('float32'))
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images must be [N, H, W, 3] uint8, not {list(images.shape)} {images.dtype}")
    rows = np.empty((len(images), NUM_FEATURES), np.float32)
    for start in range(0, len(images), _CHUNK):
        planes = np.moveaxis(images[start : start + _CHUNK], -1, 1).astype(np.float32) / np.float32(255)
        rows[start : start + _CHUNK] = _describe(_resize(planes))
    return rows


def _describe(planes: np.ndarray) -> np.ndarray:
    """`[n, 3, 32, 32]` in [0, 1] -> `[n, 718]`."""
    full = _gradients(planes)
    half = _gradients(_halve(planes))
    quarter = _gradients(_halve(_halve(planes)))
    blocks = [_edges(full), _edges(half), _edges(quarter), _textures(full), _textures(half), _colours(planes)]
    return _unit(np.concatenate([_unit(np.sqrt(np.maximum(block, 0.0))) for block in blocks], axis=1))


class _Gradients(NamedTuple):
    """Of the colour channel that changes most at a pixel, each `[n, H, W]`: direction (cos, sin) and size."""

    cos: np.ndarray
    sin: np.ndarray
    size: np.ndarray


def _gradients(planes: np.ndarray) -> _Gradients:
    dx, dy = np.zeros_like(planes), np.zeros_like(planes)
    np.subtract(planes[..., 2:], planes[..., :-2], out=dx[..., 1:-1])
    np.subtract(planes[..., 2:, :], planes[..., :-2, :], out=dy[..., 1:-1, :])
    squares = dx * dx + dy * dy
    x, y, square = dx[:, 0], dy[:, 0], squares[:, 0]
    for channel in (1, 2):
        larger = squares[:, channel] > square
        x, y = np.where(larger, dx[:, channel], x), np.where(larger, dy[:, channel], y)
        square = np.where(larger, squares[:, channel], square)
    size = np.sqrt(square) + _SMALL
    return _Gradients(x / size, y / size, size)


def _edges(gradients: _Gradients) -> np.ndarray:
    """How much edge there is in each of 8 directions, on a 4x4 grid."""
    maps = np.empty((len(gradients.cos), _ANGLES, *gradients.cos.shape[1:]), np.float32)
    for i, angle in enumerate(np.arange(_ANGLES) * np.pi / _ANGLES):
        response = gradients.cos * np.float32(np.cos(angle)) + gradients.sin * np.float32(np.sin(angle))
        for _ in range(3):
            response *= response  # cos^8 of the angle between: as wide as the step between two directions
        np.multiply(response, gradients.size, out=maps[:, i])
    return _cells(maps, grids=(4,))


def _textures(gradients: _Gradients) -> np.ndarray:
    """How strong, parallel and rectangular the edges are: a joint 3x3x3 histogram, on the whole and on a 2x2 grid.

    With edge directions a and sizes m in a small window: strength = mean m, parallel = |mean m e^{2ia}| / strength
    (1 on stripes), rectangular = |mean m e^{4ia}| / strength (1 on stripes and checks, small on dots).
    """
    cos, sin, size = gradients
    cos2, sin2 = cos * cos - sin * sin, 2 * cos * sin
    cos4, sin4 = cos2 * cos2 - sin2 * sin2, 2 * cos2 * sin2
    moments = np.stack([size, size * cos2, size * sin2, size * cos4, size * sin4], axis=1)
    while moments.shape[-1] > 16:
        moments = _halve(moments)
    strength, x2, y2, x4, y4 = np.moveaxis(_blur(moments), 1, 0)
    floor = strength + np.float32(0.02)  # a flat window has no direction
    parallel, rectangular = np.sqrt(x2 * x2 + y2 * y2) / floor, np.sqrt(x4 * x4 + y4 * y4) / floor
    by_strength, by_parallel, by_rectangular = (
        _bins(value, 3) for value in (np.minimum(strength * np.float32(2.5), 1), parallel, rectangular)
    )
    maps = [a * b * c for a in by_parallel for b in by_rectangular for c in by_strength]
    return _cells(np.stack(maps, axis=1), grids=(1, 2))


def _colours(planes: np.ndarray) -> np.ndarray:
    """A joint histogram of red, green and blue, 4x4x4 bins, of the whole image."""
    n = len(planes)
    red, green, blue = (np.stack(_bins(planes[:, i].reshape(n, -1), 4), axis=1) for i in range(3))
    red_green = (red[:, :, None] * green[:, None]).reshape(n, 16, -1)
    return (red_green @ np.swapaxes(blue, 1, 2)).reshape(n, -1)


def _bins(values: np.ndarray, count: int) -> list[np.ndarray]:
    """A value in [0, 1] shared between the two nearest of `count` bins; the shares add up to 1."""
    return [np.maximum(1 - np.abs(values * np.float32(count - 1) - np.float32(i)), 0) for i in range(count)]


def _halve(planes: np.ndarray) -> np.ndarray:
    rows = planes[..., ::2, :] + planes[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)


def _blur(maps: np.ndarray) -> np.ndarray:
    """Mean over 3x3 pixels; zero outside."""
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) * np.float32(1 / 9)


def _cells(maps: np.ndarray, *, grids: tuple[int, ...]) -> np.ndarray:
    """Averages of `[n, K, H, H]` maps over the cells of each grid, cells overlapping as tents: `[n, K * cells]`."""
    n, k, side, _ = maps.shape
    # One small product per image: a single large one would wake the BLAS threads, ten times slower on a busy machine.
    return (maps.reshape(n, k, side * side) @ _cell_weights(side, grids)).reshape(n, -1)


@functools.lru_cache
def _cell_weights(side: int, grids: tuple[int, ...]) -> np.ndarray:
    weights = [np.einsum("ay,bx->yxab", *[_tents(side, grid)] * 2).reshape(side * side, -1) for grid in grids]
    return np.concatenate(weights, axis=1).astype(np.float32)


def _resize(planes: np.ndarray) -> np.ndarray:
    height, width = planes.shape[-2:]
    if (height, width) == (_SIDE, _SIDE):
        return planes
    return _tents(height, _SIDE).astype(np.float32) @ planes @ _tents(width, _SIDE).T.astype(np.float32)


def _tents(source: int, target: int) -> np.ndarray:
    """`[target, source]` weights of linear interpolation; where it shrinks, tents as wide as a target pixel."""
    centres = (np.arange(target) + 0.5) / target
    positions = (np.arange(source) + 0.5) / source
    weights = np.maximum(1 - np.abs(positions - centres[:, None]) * min(source, target), 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALL)
