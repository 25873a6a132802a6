"""Images of the `shapes` dataset: one textured object among scattered scraps, the same bits on every machine.

    image = grain + light * (background <- scraps <- shadow <- object <- scraps),    a <- b: b painted over a

Everything is computed from uniform random numbers by + - * / sqrt floor abs min max and comparisons, one numpy call
each, and IEEE 754 rounds each of them in only one way. No sine, no power, no sum over an axis and no matrix product
takes part, so neither the width of the processor's vectors nor the version of a library can flip a pixel. Angles come
from t = tan(angle / 2).

Lengths are in halves of the image's width: x and y run from -1 to 1, y downwards. A shape or a scrap is a signed
distance, negative inside, and its edge is softened over one pixel.
"""

from collections.abc import Callable

import numpy as np

# Red, green and blue of the object before they are jittered.
COLOURS = {
    "red": (0.84, 0.13, 0.15),
    "orange": (0.95, 0.50, 0.08),
    "yellow": (0.97, 0.86, 0.20),
    "green": (0.20, 0.64, 0.25),
    "cyan": (0.15, 0.76, 0.80),
    "blue": (0.15, 0.32, 0.85),
    "purple": (0.50, 0.20, 0.70),
    "pink": (0.96, 0.52, 0.72),
}

# The range of the object's radius.
SIZES = {"small": (0.40, 0.50), "large": (0.66, 0.80)}

_NUM_SCALARS = 128  # random numbers set aside for an image's layout (it uses 126); one per pixel follows for the grain
_NUM_KNOTS = 5  # along a side, of the clouds in the background
_SCRAPS_BEHIND, _SCRAPS_BEFORE = 5, 2
_SCENE_SCALARS = 160  # of an image with two objects (it uses 142)
_CHUNK_PIXELS = 2**15  # of the images painted together: their arrays stay in the processor's cache


def render(
    seed: int, class_index: int, count: int, *, shape: str, colour: str, texture: str, size: str, pixels: int
) -> np.ndarray:
    """The first `count` images of a class.

    Image i depends on `(seed, class_index, i)` alone: a larger count adds images, and more pixels show the same
    scene in finer detail (under another grain).

    Args:
      seed: of the whole dataset, [0, 2^32).
      class_index: [0, 2^32).
      count: how many images.
      shape: a key of `SHAPES`.
      colour: a key of `COLOURS`.
      texture: a key of `TEXTURES`.
      size: a key of `SIZES`.
      pixels: height and width.

    Returns:
      `[count, pixels, pixels, 3]` uint8.

    >>> render(0, 0, 2, shape="star", colour="red", texture="striped", size="large", pixels=32).shape
    (2, 32, 32, 3)
    """
    looks = SHAPES[shape], COLOURS[colour], TEXTURES[texture], SIZES[size]

    def add(image, draws, x, y):
        return _with_object(image, draws, x, y, *looks, pixels)

    return _images(seed, class_index, count, pixels, _NUM_SCALARS, add)


def render_scene(
    seed: int, class_index: int, count: int, *, first: tuple[str, str], second: tuple[str, str], pixels: int
) -> np.ndarray:
    """The first `count` images of two objects side by side; which of them is on the left is drawn for each image.

    Args:
      seed, class_index, count, pixels: as for `render`.
      first, second: the colour and the shape of each; both are solid and as large as half of the image allows.

    Returns:
      `[count, pixels, pixels, 3]` uint8.

    >>> render_scene(0, 0, 2, first=("red", "star"), second=("blue", "moon"), pixels=32).shape
    (2, 32, 32, 3)
    """

    def add(image, draws, x, y):
        side = np.where(draws.number() < 0.5, np.float32(1), np.float32(-1))
        for (colour, shape), to in ((first, side), (second, -side)):
            looks = SHAPES[shape], COLOURS[colour], TEXTURES["solid"], SIZES["large"]
            # A half of the image, from -1 to 1, at some height.
            image = _with_object(image, draws, 2 * x + to, 2 * y + draws.number(-1, 1), *looks, pixels // 2)
        return image

    return _images(seed, class_index, count, pixels, _SCENE_SCALARS, add)


def _images(seed: int, class_index: int, count: int, pixels: int, scalars: int, add: Callable) -> np.ndarray:
    images = np.empty((count, pixels, pixels, 3), np.uint8)
    step = max(1, _CHUNK_PIXELS // pixels**2)
    for start in range(0, count, step):
        indices = range(start, min(start + step, count))
        uniforms = np.stack([_uniforms(seed, class_index, i, scalars + pixels**2) for i in indices])
        images[start : start + len(indices)] = np.moveaxis(_paint(uniforms, pixels, scalars, add), 0, -1)
    return images


def _uniforms(seed: int, class_index: int, index: int, count: int) -> np.ndarray:
    """Numbers in [0, 1), multiples of 2^-24. Numpy promises never to change the raw stream of PCG64."""
    raw = np.random.PCG64([seed, class_index, index]).random_raw(count)
    return (raw >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


class _Draws:
    """Hands out the random numbers of n images one after another, each as `[n, 1, 1]`."""

    def __init__(self, uniforms: np.ndarray):
        self._columns = iter(np.ascontiguousarray(uniforms.T)[:, :, None, None])

    def number(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        return low + (high - low) * next(self._columns)

    def colour(self, low: float, high: float) -> np.ndarray:
        return np.stack([self.number(low, high) for _ in range(3)])

    def direction(self, largest: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """(cos, sin) of an angle whose half has a tangent of at most `largest`; 1 reaches 90 degrees either way."""
        t = self.number(-largest, largest)
        scale = 1.0 / (1.0 + t * t)
        return (1.0 - t * t) * scale, 2.0 * t * scale


def _paint(uniforms, pixels: int, scalars: int, add: Callable) -> np.ndarray:
    """An image with what `(image, draws, x, y) -> image` adds to its background."""
    draws = _Draws(uniforms[:, :scalars])
    ticks = (np.arange(pixels, dtype=np.float32) + 0.5) * np.float32(2.0 / pixels) - 1.0
    x, y = ticks[None, None, :], ticks[None, :, None]
    image = _background(draws, x, y)
    for _ in range(_SCRAPS_BEHIND):
        image = _with_scrap(image, draws, x, y)
    image = add(image, draws, x, y)
    for _ in range(_SCRAPS_BEFORE):
        image = _with_scrap(image, draws, x, y)
    image = image * _light(draws, x, y)
    grain = uniforms[:, scalars:].reshape(-1, pixels, pixels) - 0.5
    image = image + draws.number(0.0, 0.10) * grain
    return np.floor(np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _background(draws: _Draws, x, y) -> np.ndarray:
    """A ramp from one dull colour to another, under clouds."""
    cos, sin = draws.direction()
    saturation = draws.number(0.1, 0.5)
    start, end = (draws.number(0.2, 0.8) + saturation * draws.colour(-0.5, 0.5) for _ in range(2))
    ramp = np.clip(0.5 + 0.5 * (cos * x + sin * y), 0.0, 1.0)
    knots = np.concatenate([draws.number(-0.5, 0.5) for _ in range(_NUM_KNOTS**2)], axis=1)
    clouds = _interpolate(knots.reshape(-1, _NUM_KNOTS, _NUM_KNOTS), x.size)
    return start + ramp * (end - start) + draws.number(0.0, 0.5) * clouds


def _with_scrap(image, draws: _Draws, x, y) -> np.ndarray:
    px, py = _local(x, y, draws.number(-1, 1), draws.number(-1, 1), draws.direction())
    distance = _box(px, py, draws.number(0.02, 0.35), draws.number(0.02, 0.15)) - draws.number(0.02, 0.12)
    return _over(image, draws.colour(0.1, 0.9), draws.number() * _inside(distance, x.size))


def _with_object(image, draws: _Draws, x, y, shape, rgb, texture, radii, pixels: int) -> np.ndarray:
    """The image with an object between -1 and 1, `pixels` wide and high."""
    radius = draws.number(*radii)
    reach = 0.98 - radius  # the object stays within the image
    cx, cy, tilt = reach * draws.number(-1, 1), reach * draws.number(-1, 1), draws.direction(0.27)

    sx, sy = _local(x, y, cx + 0.06, cy + 0.10, tilt)
    shadow = np.clip(0.5 - 6.0 * radius * shape(sx / radius, sy / radius), 0.0, 1.0)
    image = image * (1.0 - draws.number(0.3, 0.6) * shadow)

    base = np.asarray(rgb, np.float32)[:, None, None, None] + draws.colour(-0.08, 0.08)
    second = np.where(draws.number() < 0.5, base + 0.80 * (0.98 - base), 0.42 * base)
    tx, ty = _local(x, y, draws.number(-1, 1), draws.number(-1, 1), draws.direction())
    # Between a pattern that grows with the object and one that does not: fine ones would drown in the pixels.
    scale = draws.number(0.9, 1.1) * (0.55 + 0.65 * radius)
    paint = base + texture(tx / scale, ty / scale, pixels * scale) * (second - base)

    px, py = _local(x, y, cx, cy, tilt)
    px, py = px / radius, py / radius
    paint = paint * (1.0 - 0.16 * (px + py))  # lit from the upper left
    return _over(image, paint, _inside(radius * shape(px, py), pixels))


def _light(draws: _Draws, x, y) -> np.ndarray:
    cos, sin = draws.direction()
    slope = draws.number(-0.3, 0.3)
    return draws.number(0.68, 1.2) * draws.colour(0.88, 1.12) * (1.0 + slope * (cos * x + sin * y))


def _local(x, y, cx, cy, direction):
    """Coordinates as seen from (cx, cy), turned."""
    (cos, sin), x, y = direction, x - cx, y - cy
    return cos * x + sin * y, cos * y - sin * x


def _over(image, paint, opacity):
    return image + opacity * (paint - image)


def _inside(distance, pixels):
    """The share of a pixel that an edge at this signed distance leaves inside."""
    return np.clip(0.5 - distance * (pixels * np.float32(0.5)), 0.0, 1.0)


def _interpolate(knots: np.ndarray, pixels: int) -> np.ndarray:
    position = (np.arange(pixels, dtype=np.float32) + 0.5) * np.float32((_NUM_KNOTS - 1) / pixels)
    low = np.floor(position)
    t = position - low
    t = t * t * (3.0 - 2.0 * t)  # flat at the knots, so that they do not show
    low = low.astype(np.int64)
    rows = knots[:, low] + t[None, :, None] * (knots[:, low + 1] - knots[:, low])
    return rows[:, :, low] + t[None, None, :] * (rows[:, :, low + 1] - rows[:, :, low])


def _length(x, y):
    return np.sqrt(x * x + y * y)


def _box(x, y, half_width, half_height):
    """Signed distance to a rectangle around the origin."""
    dx, dy = np.abs(x) - half_width, np.abs(y) - half_height
    return _length(np.maximum(dx, 0.0), np.maximum(dy, 0.0)) + np.minimum(np.maximum(dx, dy), 0.0)


def _circle(x, y):
    return _length(x, y) - 0.9


def _ring(x, y):
    return np.abs(_length(x, y) - 0.68) - 0.26


def _square(x, y):
    return _box(x, y, 0.72, 0.72) - 0.06


def _triangle(x, y):
    return np.maximum(0.866025 * np.abs(x) - 0.5 * y - 0.40, y - 0.64) - 0.06


def _star(x, y):
    """Folded until half of one of the five points is left, which is bounded by one line."""
    x, y = np.abs(x), -y
    for side in (0.809017, -0.809017):
        beyond = 2.0 * np.maximum(side * x - 0.587785 * y, 0.0)
        x, y = x - beyond * side, y + beyond * 0.587785
    return 0.923312 * np.abs(x) + 0.384018 * (y - 0.98)


def _heart(x, y):
    """A square on its corner, with half a disc on each of its upper sides."""
    x, y = np.abs(x), y - 0.08
    square = 0.707107 * np.maximum(np.abs(x + y), np.abs(x - y)) - 0.54
    return np.minimum(square, _length(x - 0.381838, y + 0.381838) - 0.54)


def _cross(x, y):
    return np.minimum(_box(x, y, 0.86, 0.24), _box(x, y, 0.24, 0.86)) - 0.05


def _moon(x, y):
    return np.maximum(_length(x, y) - 0.9, 0.72 - _length(x - 0.42, y + 0.22))


SHAPES = {
    "circle": _circle,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "moon": _moon,
}


def _wave(x):
    """0 to 0.5 and back, once for every 1 of x."""
    return np.abs(x - np.floor(x) - 0.5)


def _solid(x, y, pixels):
    return np.zeros_like(x)


def _striped(x, y, pixels):
    return _inside(0.36 * (0.25 - _wave(x / 0.36)), pixels)


def _dotted(x, y, pixels):
    x, y = x / 0.38, y / 0.38
    row = np.floor(y)
    shift = 0.5 * row - np.floor(0.5 * row)  # half a step in every other row
    return _inside(0.38 * (_length(_wave(x + shift), _wave(y)) - 0.30), pixels)


def _checked(x, y, pixels):
    columns, rows = (_inside(0.56 * (0.25 - _wave(z / 0.56)), pixels) for z in (x, y))
    return columns + rows - 2.0 * columns * rows


# How much of the object's second colour there is at a point.
TEXTURES = {"solid": _solid, "striped": _striped, "dotted": _dotted, "checked": _checked}
