"""Unseen classes by how far they are from the seen ones."""

import numpy as np


def distance_levels(similarity: np.ndarray, num_levels: int = 5) -> np.ndarray:
    """Cuts unseen classes into levels of equal size, by the similarity of each to its nearest seen class.

    What a method reaches on each level says how far from the seen classes it still recognises others.

    Args:
      similarity: `[U, S]` of unseen and seen classes, of any kind; `wordnet.embedding` with `measure="lin"` gives that
        of the source.
      num_levels: at most U; where U does not divide, the first levels have a class more.

    Returns:
      `[U]` int64 in 0 ... num_levels - 1, 0 for the nearest; where two are as near, the first is the nearer.

    Raises:
      ValueError: no `[U, S]`, a similarity that is not a number, or more levels than classes.

    Reference: Sariyildiz, Kalantidis, Larlus, Alahari, "Concept Generalization in Visual Representation Learning", ICCV
    2021.

    >>> distance_levels(np.array([[0.1, 0.2], [0.9, 0.0], [0.3, 0.4], [0.2, 0.1]]), 2)
    array([1, 0, 0, 1])
    """
    similarity = np.asarray(similarity)
    if similarity.ndim != 2 or not similarity.shape[1] or not 0 < num_levels <= len(similarity):
        raise ValueError(f"{num_levels} levels of similarities {similarity.shape}, wanted [U, S] and at most U levels")
    if np.isnan(similarity).any():
        raise ValueError("a similarity is not a number")
    order = np.argsort(-similarity.max(axis=1), kind="stable")
    levels = np.empty(len(similarity), np.int64)
    for level, rows in enumerate(np.array_split(order, num_levels)):
        levels[rows] = level
    return levels
