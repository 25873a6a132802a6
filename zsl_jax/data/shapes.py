"""Shapes: painted objects that are described by four attributes, 64 classes of which 16 are unseen.

A class is a pair (shape, colour), and each pair comes in one texture and one size, as in "small red striped star":

    shape    i   circle ring square triangle star heart cross moon      texture  (j + floor(i / 2)) mod 4
    colour   j   red orange yellow green cyan blue purple pink          size     (i + floor(j / 4)) mod 2
    unseen   where (j - 3 i) mod 8 is 0 or 2

So every shape, and every colour, comes in each texture and each size, and a quarter of the classes of every shape,
colour, texture and size is unseen. A model that knows the attributes can name an object of an unseen class: each of its
attributes, its shape in its texture and its colour in its texture have been seen, only its shape in its colour was not.
Place, tilt, light, background, and scraps behind and before the object vary.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import dataset, descriptors, shapes_rendering, shapes_wording

SHAPES = tuple(shapes_rendering.SHAPES)
COLOURS = tuple(shapes_rendering.COLOURS)
TEXTURES = tuple(shapes_rendering.TEXTURES)
SIZES = tuple(shapes_rendering.SIZES)
ATTRIBUTES = SHAPES + COLOURS + TEXTURES + SIZES

_SEMANTICS = ("att", "names", "sentences")
_LENGTH = {"names": 4, "sentences": 16}  # words
_INPUTS = {"features": descriptors.describe, "pixels": lambda images: images}


def load(
    *, seed: int = 0, num_per_class: int = 100, size: int = 32, inputs: str = "features", semantics: str = "att"
) -> dataset.Dataset:
    """Paints the dataset; the same arguments give the same images on every machine.

    Image i of a class depends on `seed` and i alone, so that more images per class add to the ones before. The last
    fifth of a seen class's images is its part of `test_seen`.

    Args:
      seed: of the images, [0, 2^32). The classes and which of them are unseen are fixed.
      num_per_class: images per class, 2 or more.
      size: height and width in pixels, [16, 512].
      inputs: `features` for the rows of `descriptors.describe`, `[N, 718]` float32 of unit length; `pixels` for the
        images themselves, `[N, size, size, 3]` uint8.
      semantics: what describes a class: `att` for the attributes, `[64, 22]` of 0 and 1; `names` for the words of its
        name as `class_encoders.tokens`, `[64, 4]`; `sentences` for those of 16 sentences in the wording of training,
        see `shapes_wording`, `{"texts": [64, 16, 16], "is_text": [64, 16]}`.

    Returns:
      A `Dataset` with the descriptions in its class table. `info` holds the names of the
      attributes; their groups (shape, colour, texture, size: one attribute of each group is 1); `pairs`, the
      (attribute, object) of each class as the compositional benchmarks call colour and shape; and the sha256 of the
      images.

    Raises:
      UserError: an option out of its range.

    >>> shapes = load(num_per_class=2)
    >>> shapes.inputs.shape, shapes.classes.embedding.shape, int(shapes.classes.is_seen.sum())
    ((128, 718), (64, 22), 48)
    >>> shapes.classes.names[32], shapes.info["pairs"][32]
    ('small red dotted star', ['red', 'star'])
    """
    _check("seed", seed, 0, 2**32 - 1)
    _check("num_per_class", num_per_class, 2, 2**32 - 1)
    _check("size", size, 16, 512)
    if inputs not in _INPUTS:
        raise errors.unknown("inputs", inputs, _INPUTS)
    if semantics not in _SEMANTICS:
        raise errors.unknown("semantics", semantics, _SEMANTICS)
    descriptions = [_description(i, j) for i in range(len(SHAPES)) for j in range(len(COLOURS))]
    images = np.concatenate(
        [
            shapes_rendering.render(
                seed, row, num_per_class, shape=shape, colour=colour, texture=texture, size=extent, pixels=size
            )
            for row, (shape, colour, texture, extent) in enumerate(descriptions)
        ]
    )
    is_seen = np.array([(j - 3 * i) % 8 not in (0, 2) for i in range(len(SHAPES)) for j in range(len(COLOURS))])
    names = tuple(f"{extent} {colour} {texture} {shape}" for shape, colour, texture, extent in descriptions)
    if semantics == "names":
        embedding = class_encoders.tokens(names, length=_LENGTH["names"])
    elif semantics == "sentences":
        embedding = read([shapes_wording.sentences(name) for name in names])
    else:
        embedding = np.array([[name in words for name in ATTRIBUTES] for words in descriptions], np.float32)
    return dataset.Dataset(
        name="shapes",
        inputs=_INPUTS[inputs](images),
        labels=np.repeat(np.arange(len(names), dtype=np.int32), num_per_class),
        classes=dataset.ClassTable(embedding, is_seen, names),
        splits=_splits(is_seen, num_per_class),
        images=images,
        info={
            **({"described_by": {"by": "tokens", "length": _LENGTH[semantics]}} if semantics in _LENGTH else {}),
            "semantics": semantics,
            "split": f"seed {seed}",
            "files": {},
            "inputs": inputs,
            "preprocessing": "descriptors" if inputs == "features" else None,
            "images_sha256": hashlib.sha256(images).hexdigest(),
            "attributes": list(ATTRIBUTES),
            "groups": {
                "shape": list(SHAPES),
                "colour": list(COLOURS),
                "texture": list(TEXTURES),
                "size": list(SIZES),
            },
            "pairs": [[colour, shape] for shape, colour, _, _ in descriptions],
        },
    )


def read(sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Returns the words of up to 16 sentences on each class, `{"texts": [C, 16, L], "is_text": [C, 16]}`."""
    most = len(shapes_wording.sentences(" ".join((SIZES[0], COLOURS[0], TEXTURES[0], SHAPES[0]))))
    # A free place repeats a sentence: an encoder is never shown a text without words.
    flat = [some[place % len(some)] for some in sentences for place in range(most)]
    words = class_encoders.tokens(flat, length=_LENGTH["sentences"])
    is_text = np.arange(most)[None] < np.array([len(some) for some in sentences])[:, None]
    return {"texts": words.reshape(len(sentences), most, -1), "is_text": is_text}


def _check(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not low <= value <= high:
        raise errors.UserError(f"shapes: {name} must be an integer in [{low}, {high}], not {value!r}")


def _description(i: int, j: int) -> tuple[str, str, str, str]:
    return SHAPES[i], COLOURS[j], TEXTURES[(j + i // 2) % len(TEXTURES)], SIZES[(i + j // 4) % len(SIZES)]


def _splits(is_seen: np.ndarray, num_per_class: int) -> dict[str, np.ndarray]:
    rows = np.arange(len(is_seen) * num_per_class).reshape(len(is_seen), num_per_class)
    cut = num_per_class - max(1, round(num_per_class / 5))
    return {
        "train": rows[is_seen, :cut].ravel(),
        "test_seen": rows[is_seen, cut:].ravel(),
        "test_unseen": rows[~is_seen].ravel(),
    }
