"""Scenes of two objects, "red circle and blue square", each beside the scene whose attributes are swapped.

    couple    {a, b} of attributes, {A, B} of objects:   "a A and b B",   "b A and a B"

    without a file    rendered: two solid shapes side by side, on either side, of 28 x 28 couples
    FILE.npz          features [N, F], or images [N, H, W, 3] uint8
                      attribute [N, 2], object [N, 2]      texts: of the first and of the second object

Both scenes of a couple are seen, or neither; every attribute of every object comes in seen scenes too where the couples
are many. In which order an archive names the objects of an image makes no difference.
"""

import hashlib
import itertools
import os
import pathlib
from typing import NamedTuple

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import arrays, dataset, descriptors, pair_archive, pair_names, recorded, shapes_rendering, splits

SEMANTICS = ("pairs", "names")
_INPUTS = {"features": descriptors.describe, "pixels": lambda images: images}
_MOST_COUPLES = 28**2
_UNSEEN = 0.25
_LENGTH = 16  # words of a scene that are kept


class _Found(NamedTuple):
    """Inputs with the attributes and objects `[N, 2]` of each, and what is known of them."""

    name: str
    kind: str
    inputs: np.ndarray
    attributes: list[list[str]]
    objects: list[list[str]]
    images: np.ndarray | None
    info: dict


def load(
    file: str | os.PathLike = "",
    *,
    num_couples: int = 120,
    num_per_class: int = 20,
    size: int = 32,
    inputs: str = "features",
    semantics: str = "pairs",
    seed: int = 0,
) -> dataset.Dataset:
    """Scenes as a dataset; a quarter of the couples, drawn by the seed, is unseen, and a fifth of a seen scene tested.

    Args:
      file: an archive, see the module; empty for rendered ones.
      num_couples: of rendered scenes, 4 to 784; each is two classes.
      num_per_class: images rendered of a scene, 5 or more.
      size: height and width of a rendered image, pixels, [16, 512].
      inputs: of rendered images, `features` for the rows of `descriptors.describe` or `pixels` for themselves.
      semantics: what describes a scene: `pairs` `[C, A O]`, which pairs of attribute and object are there, or `names`,
        the words of its name as `class_encoders.tokens`, `[C, 16]`. A text tower takes the names by itself.
      seed: of the images, and of what is drawn.

    Returns:
      A `Dataset` with `parts [C, 4]` in its class table: attribute and object of the first object, then of the second.

    Raises:
      UserError: an option out of its range, an archive of another form, or no couple.

    >>> scenes = load(num_couples=8, num_per_class=5)
    >>> len(scenes.classes), scenes.classes.embedding.shape, int(scenes.classes.is_seen.sum())
    (16, (16, 56), 12)
    >>> scenes.classes.names[:2]
    ('blue heart and yellow moon', 'yellow heart and blue moon')
    """
    for name, value, choices in (("inputs", inputs, _INPUTS), ("semantics", semantics, SEMANTICS)):
        if value not in choices:
            raise errors.unknown(name, value, choices)
    for name, value, low, high in (
        ("num_couples", num_couples, 4, _MOST_COUPLES),
        ("num_per_class", num_per_class, 5, 2**32 - 1),
        ("size", size, 16, 512),
    ):
        if not low <= value <= high:
            raise errors.UserError(f"scenes: {name} must be in [{low}, {high}], not {value}")
    place = os.fspath(file)
    if place:
        found = _read(pathlib.Path(place).expanduser())
    else:
        found = _rendered(num_couples, num_per_class, size, inputs, seed)
    names = [sorted({text for row in side for text in row}) for side in (found.attributes, found.objects)]
    row_of = [{name: row for row, name in enumerate(side)} for side in names]
    sides = [np.array([[row_of[i][x] for x in row] for row in side]) for i, side in enumerate(found[3:5])]
    # The object that comes first in the alphabet is named first.
    order = np.argsort(sides[1], axis=1)
    parts = np.stack([np.take_along_axis(side, order, axis=1) for side in sides], axis=2).reshape(-1, 4)
    parts, labels = np.unique(parts, axis=0, return_inverse=True)
    # Couples side by side, the scene whose first attribute is the lower one before the other.
    by_couple = np.lexsort(
        (parts[:, 0], np.max(parts[:, ::2], axis=1), np.min(parts[:, ::2], axis=1), *parts[:, 1::2].T)
    )
    parts, labels = parts[by_couple].astype(np.int32), np.argsort(by_couple)[labels.ravel()].astype(np.int32)
    is_seen = _seen(found.name, parts, seed)
    titles = tuple(f"{names[0][a]} {names[1][o]} and {names[0][b]} {names[1][p]}" for a, o, b, p in parts)
    if semantics == "names":
        embedding = class_encoders.tokens(titles, length=_LENGTH)
    else:
        embedding = np.zeros((len(parts), len(names[0]) * len(names[1])), np.float32)
        for side in (0, 2):
            embedding[np.arange(len(parts)), parts[:, side] * len(names[1]) + parts[:, side + 1]] = 1
    said = {"described_by": {"by": "tokens", "length": _LENGTH}} if semantics == "names" else {}
    return dataset.Dataset(
        name=found.name,
        inputs=found.inputs,
        labels=labels,
        classes=dataset.ClassTable(embedding, is_seen, titles, parts=parts),
        splits=splits.fifth_of_seen(labels, is_seen, seed),
        images=found.images,
        kind=found.kind,
        info={
            **said,
            "semantics": semantics,
            "split": f"{np.sum(~is_seen)} unseen scenes by seed {seed}",
            **found.info,
        },
    )


def swapped(parts: np.ndarray) -> np.ndarray:
    """Returns the row of the scene whose attributes are swapped, `[C]`; -1 where it is not there.

    Args:
      parts: `[C, 4]`, of a class table of scenes.

    >>> swapped(np.array([[0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 2, 1]])).tolist()
    [1, 0, -1]
    """
    row = {tuple(scene): number for number, scene in enumerate(parts.tolist())}
    return np.array([row.get((b, o, a, p), -1) for a, o, b, p in parts.tolist()])


def _seen(name: str, parts: np.ndarray, seed: int) -> np.ndarray:
    """Which scenes are seen, `[C]`: both of a couple, or neither."""
    other = swapped(parts)
    couples = np.flatnonzero((other >= 0) & (np.arange(len(parts)) < other))
    count = max(1, round(_UNSEEN * len(couples)))
    if len(couples) < 2:
        raise errors.UserError(
            f"{name}: {len(couples)} scenes have one with swapped attributes beside them; 2 are needed"
        )
    drawn = np.random.default_rng(seed).permutation(couples)[:count]
    return ~np.isin(np.arange(len(parts)), np.concatenate([drawn, other[drawn]]))


def _rendered(num_couples: int, count: int, size: int, inputs: str, seed: int) -> _Found:
    colours, shapes = (
        list(itertools.combinations(found, 2)) for found in (shapes_rendering.COLOURS, shapes_rendering.SHAPES)
    )
    drawn = np.sort(np.random.default_rng(seed).permutation(_MOST_COUPLES)[:num_couples])
    pictures, attributes, objects = [], [], []
    for code in drawn.tolist():
        (a, b), (o, p) = colours[code // len(shapes)], shapes[code % len(shapes)]
        for side, (first, second) in enumerate((((a, o), (b, p)), ((b, o), (a, p)))):
            place = {"first": first, "second": second, "pixels": size}
            pictures.append(shapes_rendering.render_scene(seed, 2 * code + side, count, **place))
            attributes += [[first[0], second[0]]] * count
            objects += [[o, p]] * count
    images = np.concatenate(pictures)
    info = {
        "files": {},
        "inputs": inputs,
        "preprocessing": "descriptors" if inputs == "features" else None,
        "images_sha256": hashlib.sha256(images).hexdigest(),
    }
    kind = "features" if inputs == "features" else "images"
    return _Found("scenes", kind, _INPUTS[inputs](images), attributes, objects, images, info)


def _read(path: pathlib.Path) -> _Found:
    found = arrays.read(path)
    recorded.check(path, found.sha256)
    values, kind = pair_archive.inputs_of(path, found.arrays)
    sides = []
    for name in ("attribute", "object"):
        held = found.arrays.get(name, np.zeros(0))
        if held.shape != (len(values), 2) or held.dtype.kind not in "US":
            raise errors.UserError(
                f"{path.name}: {name} {held.shape} {held.dtype}, wanted the texts of two objects per input "
                f"[{len(values)}, 2]"
            )
        side = [
            [pair_names.clean(text.decode() if isinstance(text, bytes) else text) for text in row]
            for row in held.tolist()
        ]
        pair_names.check_spelling(path.name, name, [text for row in side for text in row])
        same = next((row for row, (first, second) in enumerate(side) if first == second), None)
        if same is not None:
            raise errors.UserError(
                f"{path.name}: row {same} has two objects of one {name}, {side[same][0]!r}: swapped it would be the "
                "same scene; leave it out"
            )
        sides.append(side)
    images = values if kind == "images" else None
    return _Found(path.stem, kind, values, *sides, images, {"files": {path.name: found.sha256}})
