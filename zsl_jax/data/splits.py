"""Splits of datasets that come without one."""

import numpy as np

from zsl_jax import errors


def fifth_of_seen(labels: np.ndarray, is_seen: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The splits where a fifth of the images of each seen class, drawn by `seed`, is its part of `test_seen`.

    Args:
      labels: `[N]` rows of the class table.
      is_seen: `[C]` bool.
      seed: 0 or more.

    Raises:
      UserError: no class has enough images for one to test on.

    >>> import numpy as np
    >>> found = fifth_of_seen(np.repeat(np.arange(2), 5), np.array([True, False]), seed=0)
    >>> {name: len(rows) for name, rows in found.items()}
    {'train': 4, 'test_seen': 1, 'test_unseen': 5}
    """
    rng = np.random.default_rng(seed)
    test_seen = []
    for label in np.flatnonzero(is_seen):
        rows = rng.permutation(np.flatnonzero(labels == label))
        test_seen.append(rows[: round(len(rows) / 5)])
    test_seen = np.sort(np.concatenate(test_seen))
    if not len(test_seen):
        raise errors.UserError(
            "no seen test image: too few images a class to draw a fifth from; seen classes could not be scored"
        )
    return {
        "train": np.setdiff1d(np.flatnonzero(is_seen[labels]), test_seen),
        "test_seen": test_seen,
        "test_unseen": np.flatnonzero(~is_seen[labels]),
    }
