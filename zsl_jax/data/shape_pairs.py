"""Rendered shapes as pairs of attribute and object, any number of them; which go together in training is a knob.

    attribute, object    factors: colour (8), shape (8), texture (4), size (2), or several: "size,colour" has 16 names
    p(o | a) = (1 - r) / k + r [o = o*(a)]       in training: k seen objects of a, o* its favourite, r the correlation

The factors that neither part names vary within a pair. All pairs have as many test images, whatever the correlation: a
method that tells the attribute by the object that it comes with fails on the pairs that break the habit.
"""

import hashlib
import itertools
import math
from typing import Any

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, descriptors, pair_archive, pair_names, pair_splits, pairs, shapes_rendering

FACTORS = {
    "colour": tuple(shapes_rendering.COLOURS),
    "shape": tuple(shapes_rendering.SHAPES),
    "texture": tuple(shapes_rendering.TEXTURES),
    "size": tuple(shapes_rendering.SIZES),
}
_INPUTS = {"features": descriptors.describe, "pixels": lambda images: images}
_TESTED = 0.2


def load(
    *,
    attribute: str = "colour",
    object: str = "shape",
    num_pairs: int = 0,
    unseen_count: int = 0,
    correlation: float = 0.0,
    num_per_class: int = 50,
    size: int = 32,
    inputs: str = "features",
    semantics: str = "two_hot",
    words: str = "",
    seed: int = 0,
) -> dataset.Dataset:
    """Paints the dataset; the same arguments give the same images on every machine.

    Args:
      attribute, object: factors of `FACTORS`, with commas between several; none in both.
      num_pairs: pairs that there are, drawn such that every attribute and object is in one; 0 for all.
      unseen_count: of these the unseen ones, drawn; 0 for a fifth.
      correlation: r in [0, 1), see the module.
      num_per_class: images per pair, 5 or more: a fifth is tested, the others train, on the mean over the seen objects
        of an attribute, and at least one of each pair.
      size: height and width in pixels, [16, 512].
      inputs: `features` for the rows of `descriptors.describe`, or `pixels`.
      semantics, words: as for `pairs.load`.
      seed: of the images, and of what is drawn.

    Returns:
      A `Dataset` as `pairs.load` gives it.

    Raises:
      UserError: an unknown factor or one in both parts, an option out of its range, or more pairs than there are.

    >>> found = load(attribute="size,colour", num_pairs=40, num_per_class=5)
    >>> len(found.classes), found.classes.names[0], [len(names) for names in found.parts]
    (40, 'large blue heart', [16, 8])
    """
    if inputs not in _INPUTS:
        raise errors.unknown("inputs", inputs, _INPUTS)
    for name, value, low, high in (
        ("num_per_class", num_per_class, 5, 2**32 - 1),
        ("size", size, 16, 512),
        ("correlation", correlation, 0, math.nextafter(1, 0)),
    ):
        if not low <= value <= high:
            raise errors.UserError(f"shape_pairs: {name} must be in [{low}, {high}], not {value}")
    factors = _factors(attribute), _factors(object)
    if both := set(factors[0]) & set(factors[1]):
        raise errors.UserError(
            f"shape_pairs: {both.pop()} is a factor of the attribute and of the object: name it once"
        )
    sides = [[dict(zip(some, values)) for values in itertools.product(*map(FACTORS.get, some))] for some in factors]
    chosen = _drawn_pairs([len(side) for side in sides], num_pairs, seed)
    named = [[" ".join(sides[i][row].values()) for row in chosen[:, i]] for i in (0, 1)]
    found = pair_names.make("shape_pairs", *named)
    # The rows of `chosen` in the order of the pairs.
    order = np.argsort(found.labels)
    unseen = pair_splits.drawn("shape_pairs", found, unseen_count, seed)
    tested = round(_TESTED * num_per_class)
    counts = _training_counts(found.parts, unseen.is_seen, num_per_class - tested, correlation, seed)
    images = [
        _images(seed, {**sides[0][a], **sides[1][o]}, int(count) + tested, size)
        for (a, o), count in zip(chosen[order], counts)
    ]
    labels = np.repeat(np.arange(len(order), dtype=np.int32), counts + tested)
    use = np.concatenate([np.repeat(["train", "test"], [count, tested]) for count in counts])
    pictures = np.concatenate(images)
    said = f"{unseen.said}, correlation {correlation:g}"
    info = {
        "files": {},
        "inputs": inputs,
        "preprocessing": "descriptors" if inputs == "features" else None,
        "images_sha256": hashlib.sha256(pictures).hexdigest(),
    }
    kind = "features" if inputs == "features" else "images"
    given = pair_archive.Found(
        "shape_pairs", kind, _INPUTS[inputs](pictures), found._replace(labels=labels), None, info, pictures
    )
    rows = {name: np.flatnonzero(use == name) for name in ("train", "test")}
    split = pair_splits.Split(unseen.is_seen, rows, said)
    return pairs.made(given, split, semantics=semantics, words=words)


def _factors(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in FACTORS:
            raise errors.unknown("factor", name, FACTORS)
    return list(dict.fromkeys(names))


def _drawn_pairs(sizes: list[int], count: int, seed: int) -> np.ndarray:
    """`[count, 2]` pairs that are there; every attribute and every object is in one of them."""
    every = np.stack(np.divmod(np.arange(math.prod(sizes)), sizes[1]), axis=1)
    if not count:
        return every
    if not max(sizes) < count <= len(every):
        raise errors.UserError(
            f"shape_pairs: num_pairs={count}: {max(sizes) + 1} to {len(every)} pairs of {sizes[0]} attributes and "
            f"{sizes[1]} objects, or 0 for all"
        )
    rng = np.random.default_rng(seed)
    # A walk along a diagonal has every attribute and object.
    orders = [np.resize(rng.permutation(size), max(sizes)) for size in sizes]
    kept = np.unique(orders[0] * sizes[1] + orders[1])
    others = rng.permutation(np.setdiff1d(np.arange(len(every)), kept))[: count - len(kept)]
    return every[np.sort(np.concatenate([kept, others]))]


def _training_counts(parts: np.ndarray, is_seen: np.ndarray, mean: int, correlation: float, seed: int) -> np.ndarray:
    """`[C]` training images of each pair: the formula of the module times the images of the attribute."""
    rng, counts = np.random.default_rng(seed), np.zeros(len(parts), int)
    for attribute in np.unique(parts[:, 0]):
        mine = rng.permutation(np.flatnonzero(is_seen & (parts[:, 0] == attribute)))
        share = (1 - correlation) / len(mine) + correlation * (np.arange(len(mine)) == 0)
        counts[mine] = np.maximum(1, np.round(share * mean * len(mine)))
    return counts


def _images(seed: int, look: dict[str, Any], count: int, size: int) -> np.ndarray:
    """Images of a pair; image i has the i-th value of what it does not name, in turn."""
    free = [name for name in FACTORS if name not in look]
    variants = [{**look, **dict(zip(free, values))} for values in itertools.product(*(FACTORS[name] for name in free))]
    of_variant = [len(range(number, count, len(variants))) for number in range(len(variants))]
    found = np.empty((count, size, size, 3), np.uint8)
    for number, (variant, images) in enumerate(zip(variants, of_variant)):
        code = 0
        for name, values in FACTORS.items():
            code = code * len(values) + values.index(variant[name])
        found[number :: len(variants)] = shapes_rendering.render(seed, code, images, **variant, pixels=size)
    return found
