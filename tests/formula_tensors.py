"""Weights and inputs that everybody can compute: whole numbers stirred by a formula, the same on every machine.

u(name, i) in [-1, 1)      a matrix [out, in, ...] is u * sqrt(3 / in...), so that it keeps the size of what it reads
"""

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np


def uniform(name: str, shape: Sequence[int]) -> np.ndarray:
    """Returns float64 in [-1, 1), which look independent."""
    return stirred(name, shape) / 2.0**31 - 1


def stirred(name: str, shape: Sequence[int]) -> np.ndarray:
    """Returns whole numbers of 32 bits: the finalizer of a hash, of the number of each entry and of the name."""
    x = np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()))
    for _ in range(2):
        x = (x ^ (x >> np.uint64(16))) * np.uint64(0x45D9F3B) & np.uint64(0xFFFFFFFF)
    return (x ^ (x >> np.uint64(16))).reshape(tuple(shape))


def tensor(name: str, shape: Sequence[int]) -> np.ndarray:
    """Returns the float32 tensor of a name: nothing in it is 0, 1 or tiny, scales and variances are positive."""
    values = uniform(name, shape)
    if len(shape) >= 2:
        return np.asarray(values * math.sqrt(3 / math.prod(shape[1:])), np.float32)
    is_scale = name.endswith(("weight", "running_var", "gamma"))
    return np.asarray(1 + 0.3 * values if is_scale else 0.1 * values, np.float32)


def tensors(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    return {name: tensor(name, shape) for name, shape in shapes.items()}


def images(side: int) -> np.ndarray:
    """Returns two images of bytes: four coarse patches a side, which tell the images apart, and noise."""
    patches = np.repeat(np.repeat(stirred("patches", (2, 4, 4, 3)), side // 4, axis=1), side // 4, axis=2)
    noise = stirred("noise", (2, side, side, 3))
    return (((patches >> np.uint64(24)) + (noise >> np.uint64(24))) // 2).astype(np.uint8)


def ids(length: int, vocabulary: int) -> np.ndarray:
    """Returns two rows of tokens in [1, vocabulary)."""
    return (1 + stirred("ids", (2, length)) % np.uint64(vocabulary - 1)).astype(np.int32)
