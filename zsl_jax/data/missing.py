"""Attributes that a table marks as missing: -1 among percentages, as in `original_att` of AWA."""

import numpy as np

MISSING = -1.0


def marked(percentages: np.ndarray) -> np.ndarray:
    """Which values are marked as missing, bool of the same shape.

    -1 marks a missing value where all others are percentages: none negative, some above 1. In a table of other units
    (binary, standardised) -1 is a value like every other.

    >>> marked(np.array([[-1.0, 80.0], [0.0, 3.0]])).tolist()
    [[True, False], [False, False]]
    """
    found = percentages == MISSING
    known = percentages[~found]
    is_percentage = known.size > 0 and known.min() >= 0 and known.max() > 1
    return found if is_percentage else np.zeros_like(found)


def filled(percentages: np.ndarray, is_seen: np.ndarray) -> np.ndarray:
    """Replaces missing values by the attribute's mean over the seen classes that know it, 0 where none does.

    Args:
      percentages: `[A, C]`.
      is_seen: `[C]` bool.

    >>> filled(np.array([[-1.0, 4.0, 8.0, 90.0]]), np.arange(4) < 3)
    array([[ 6.,  4.,  8., 90.]])
    """
    unknown = marked(percentages)
    if not unknown.any():
        return percentages
    known = is_seen & ~unknown
    mean = np.sum(percentages, axis=1, where=known) / np.maximum(1, np.sum(known, axis=1))
    return np.where(unknown, mean[:, None], percentages)
