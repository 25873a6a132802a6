"""On which test images a run is right: kept in its record, so that two methods are compared image by image.

    record["hits"] = {"ids", "classes", "right": {"zsl": [seed, ...], "gzsl": [...], "calibrated": [...]}}

Ids are rows of the dataset, classes places in the record's `per_class`, and a hit is one bit per image and seed. All
are packed: 3,000 images and five seeds take 10 kB.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Hits(NamedTuple):
    """What a record says of its test images, unpacked.

    Fields:
      ids: `[N]` rows of the dataset.
      classes: `[N]` places of the images' classes among the names of `per_class`.
      right: by question `[S, N]` bool, one row per seed; False where an image is not asked.
    """

    ids: np.ndarray
    classes: np.ndarray
    right: dict[str, np.ndarray]


def make(
    ids: np.ndarray, labels: np.ndarray, right: dict[str, np.ndarray], names: Sequence[str], listed: Sequence[str]
):
    """Returns the entry of a record for one run.

    Args:
      ids: `[N]` rows of the dataset.
      labels: `[N]` rows of the task's class table.
      right: by question `[N]` bool.
      names: of the table's classes.
      listed: the names in `per_class`, in their order.
    """
    place = {name: number for number, name in enumerate(listed)}
    classes = np.array([place[names[label]] for label in labels], np.int32)
    packed = {question: [_pack_bits(found)] for question, found in right.items()}
    return {"count": len(ids), "ids": _pack(ids), "classes": _pack(classes), "right": packed}


def merged(entries: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns the entry of several seeds, or None where they did not score the same images."""
    first = entries[0]
    if any(entry[name] != first[name] for entry in entries for name in ("count", "ids", "classes")):
        return None
    right = {name: [bits for entry in entries for bits in entry["right"][name]] for name in first["right"]}
    return first | {"right": right}


def read(entry: dict[str, Any], images: Sequence[int], seeds: int) -> Hits:
    """Returns what an entry holds.

    Args:
      entry: of a record.
      images: `[C]` test images of each class, as `per_class` counts them.
      seeds: of the record.

    Raises:
      ValueError: it is damaged, or at odds with the rest of the record.
    """
    count = int(sum(images))
    ids, classes = (_unpack(entry[name], count) for name in ("ids", "classes"))
    if classes.min(initial=0) < 0 or np.bincount(classes, minlength=len(images)).tolist() != list(images):
        raise ValueError("its images are of other classes than per_class counts")
    if any(len(texts) != seeds for texts in entry["right"].values()):
        raise ValueError(f"a question has not one row for each of {seeds} seeds")
    right = {name: np.stack([_bits(text, count) for text in texts]) for name, texts in entry["right"].items()}
    return Hits(ids, classes, right)


def _pack(numbers: np.ndarray) -> str:
    """Whole numbers as the differences of neighbours, compressed."""
    steps = np.diff(np.asarray(numbers, np.int64), prepend=0)
    return base64.b64encode(zlib.compress(steps.astype("<i4").tobytes(), 9)).decode()


def _unpack(text: str, count: int) -> np.ndarray:
    return np.cumsum(np.frombuffer(_bytes(text, 4 * count), "<i4"), dtype=np.int64)


def _pack_bits(right: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.packbits(np.asarray(right, bool)).tobytes(), 9)).decode()


def _bits(text: str, count: int) -> np.ndarray:
    packed = np.frombuffer(_bytes(text, -(-count // 8)), np.uint8)
    return np.unpackbits(packed, count=count).astype(bool)


def _bytes(text: str, size: int) -> bytes:
    """What was packed: so many bytes, and no more are made of it."""
    found = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    if len(found) != size:
        raise ValueError(f"{'more than ' * (len(found) > size)}{min(len(found), size)} bytes instead of {size}")
    return found
