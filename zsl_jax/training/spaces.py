"""What a recipe's `sweep()` returns: config keys with their values, and the settings that these make."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from zsl_jax import errors


@dataclasses.dataclass(frozen=True)
class Range:
    """Values drawn at random from `[low, high]`, evenly or evenly in the logarithm."""

    low: float
    high: float
    logarithmic: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        if not self.logarithmic:
            return float(rng.uniform(self.low, self.high))
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


def uniform(low: float, high: float) -> Range:
    return Range(low, high)


def log_uniform(low: float, high: float) -> Range:
    return Range(low, high, logarithmic=True)


def settings(space: dict[str, Any], *, samples: int, seed: int) -> list[dict[str, Any]]:
    """Returns the settings of a sweep, each a dict of config keys.

    Args:
      space: for each key a tuple of values or a `Range`. Tuples alone make a grid; with a `Range` among them, `samples`
        settings are drawn, from tuples too.
      samples: how many to draw.
      seed: of the draw.

    Raises:
      UserError: an empty range, or what is neither a tuple of values nor a `Range`.

    >>> settings({"a": (1, 2), "b": (3,)}, samples=0, seed=0)
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    if not space:
        raise errors.UserError("sweep() names no config key: return {'method.learning_rate': (0.1, 1.0)}, for example")
    for key, values in space.items():
        if not isinstance(values, (Range, tuple, list)):
            raise errors.UserError(f"the range of {key} is {values!r}: name a tuple of values, uniform or log_uniform")
        if isinstance(values, Range):
            positive = values.low > 0 or not values.logarithmic
            if not (values.low < values.high and positive):
                raise errors.UserError(f"the range of {key} is empty: from {values.low} to {values.high}")
        elif not values:
            raise errors.UserError(f"the range of {key} is empty: name at least one value")
    if not any(isinstance(values, Range) for values in space.values()):
        return [dict(zip(space, point)) for point in itertools.product(*space.values())]
    rng = np.random.default_rng(seed)

    def draw(values):
        return values.draw(rng) if isinstance(values, Range) else values[rng.integers(len(values))]

    return [{key: draw(values) for key, values in space.items()} for _ in range(samples)]
