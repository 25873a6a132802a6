"""Digits: the handwritten digits that scikit-learn carries, described by the strokes that people write them with.

The table was written for this project from how the collection's digits are drawn: 2 as a rule, 1 by some writers,
0 not. Strokes have the places of a seven-segment display. A loop is closed, a bay is open to one side; a stem and a bar
are straight; a free end is where the pen starts or lifts.

The unseen classes are 1, 5 and 7. They follow from the table alone, and a test repeats the choice. Of the 120 ways to
leave out three digits, those are admissible that leave, for each attribute an unseen digit has, one seen digit that has
it as a rule and one that lacks it: what is equal on all seen digits cannot be learned. A linear model knows of an
unseen row no more than the part of it in the plane through the seen rows; of the admissible ways this is the one with
the smallest share (of squared distance to the mean of the seen rows) outside that plane.
"""

import hashlib
import importlib.util
import pathlib

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset, descriptors, splits

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
UNSEEN = (1, 5, 7)

# One column a digit, 0 to 9; halves of what goes into the class table.
# fmt: off
_TABLE = {
    #                           0  1  2  3  4  5  6  7  8  9
    "stroke at the top":       (2, 0, 2, 2, 0, 2, 1, 2, 2, 2),
    "stroke in the middle":    (0, 0, 0, 2, 2, 2, 2, 2, 2, 2),
    "stroke at the bottom":    (2, 1, 2, 2, 0, 2, 2, 0, 2, 2),
    "stroke at upper left":    (2, 1, 0, 0, 2, 2, 2, 0, 2, 2),
    "stroke at upper right":   (2, 0, 2, 2, 1, 0, 0, 2, 2, 2),
    "stroke at lower left":    (2, 0, 2, 0, 0, 0, 2, 0, 2, 0),
    "stroke at lower right":   (2, 0, 0, 2, 1, 2, 2, 0, 2, 2),
    "loop in the upper half":  (0, 0, 0, 0, 1, 0, 0, 0, 2, 2),
    "loop in the lower half":  (0, 0, 0, 0, 0, 0, 2, 0, 2, 0),
    "loop of full height":     (2, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "bay on the upper left":   (0, 0, 2, 2, 0, 0, 0, 1, 0, 0),
    "bay on the lower left":   (0, 0, 0, 2, 0, 2, 0, 0, 0, 2),
    "bay on the upper right":  (0, 0, 0, 0, 0, 2, 2, 0, 0, 0),
    "upright stem":            (0, 2, 0, 0, 2, 0, 0, 1, 0, 1),
    "level bar":               (0, 1, 1, 0, 2, 2, 0, 2, 0, 0),
    "slanted stroke":          (0, 1, 2, 0, 1, 0, 0, 2, 0, 0),
    "strokes that cross":      (0, 0, 0, 0, 2, 0, 0, 2, 2, 0),
    "no free end":             (2, 0, 0, 0, 0, 0, 0, 0, 2, 0),
}
# fmt: on

ATTRIBUTES = tuple(_TABLE)

_INPUTS = ("features", "pixels")


def load(*, seed: int = 0, inputs: str = "features") -> dataset.Dataset:
    """The 1797 digits: the test part of E. Alpaydin's Optical Recognition of Handwritten Digits (1998), 8x8 pixels.

    A fifth of the images of each seen digit, drawn by `seed`, is its part of `test_seen`.

    Args:
      seed: of the split into `train` and `test_seen`, 0 or more. Which digits are unseen is fixed.
      inputs: `features` for the rows of `descriptors.describe`, `[N, 718]` float32 of unit length; `pixels` for
        `[N, 8, 8, 1]` float32 in [0, 1], where 1 is ink.

    Returns:
      A `Dataset` whose class table is `[10, 18]` with entries 0, 0.5 and 1.

    Raises:
      UserError: an option out of its range.

    >>> digits = load()
    >>> digits.inputs.shape, [name for name, seen in zip(digits.classes.names, digits.classes.is_seen) if not seen]
    ((1797, 718), ['one', 'five', 'seven'])
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise errors.UserError(f"digits: seed must be an integer of 0 or more, not {seed!r}")
    if inputs not in _INPUTS:
        raise errors.unknown("inputs", inputs, _INPUTS)
    pixels, labels = _carried_by_sklearn()
    is_seen = ~np.isin(np.arange(10), UNSEEN)
    images = np.repeat(np.round(pixels * 255).astype(np.uint8), 3, axis=-1)
    return dataset.Dataset(
        name="digits",
        inputs=descriptors.describe(images) if inputs == "features" else pixels,
        labels=labels,
        classes=dataset.ClassTable(np.array(list(_TABLE.values()), np.float32).T / 2, is_seen, NAMES),
        splits=splits.fifth_of_seen(labels, is_seen, seed),
        images=images,
        info={
            "semantics": "att",
            "split": f"seed {seed}",
            "files": {},
            "inputs": inputs,
            "preprocessing": "descriptors" if inputs == "features" else None,
            "images_sha256": hashlib.sha256(images).hexdigest(),
            "attributes": list(ATTRIBUTES),
        },
    )


def _carried_by_sklearn() -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[N, 8, 8, 1]` in [0, 1] and labels `[N]`, of the file alone: to import scikit-learn takes two seconds."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise errors.UserError("digits: scikit-learn, which carries them, is not installed: pip install scikit-learn")
    rows = np.loadtxt(
        pathlib.Path(package.submodule_search_locations[0]) / "datasets/data/digits.csv.gz", delimiter=","
    )
    return (rows[:, :64].reshape(-1, 8, 8, 1) / 16).astype(np.float32), rows[:, 64].astype(np.int32)
