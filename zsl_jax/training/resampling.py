"""Metrics after test classes and test images are drawn again: the same draw for every row that scored the same images.

    draw r:  classes with replacement, seen and unseen ones apart;  of each drawn class its images with replacement

So the difference of two rows is one of pairs: images that are hard for both cancel. A row whose records do not say on
which images it is right (older ones) has images of its own drawn from its counts, and shares the drawn classes alone.

The spread of a class mean is that of C - 1 classes in every bootstrap; samples are widened by sqrt(C / (C - 1)).

Reference: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics, 1979.
"""

from typing import Any, NamedTuple

import numpy as np

from zsl_jax.training import protocols

# Draws of the images of a class, and draws of classes that take one of these each.
_POOL, NUM_SAMPLES = 1000, 10_000


class Tables(NamedTuple):
    """What rows are drawn from.

    Fields:
      names: `[C]` of the classes with test images.
      seen: `[C]` bool.
      images: `[C]` test images.
    """

    names: tuple[str, ...]
    seen: np.ndarray
    images: np.ndarray


class Rates(NamedTuple):
    """How often a row is right, mean over its seeds.

    Fields:
      of_class: by question `[C]`, right answers of each class.
      of_image: by question `[N]` in [0, 1]; None where the records do not say.
      ids, classes: `[N]` of the images; None where the records do not say.
    """

    of_class: dict[str, np.ndarray]
    of_image: dict[str, np.ndarray] | None = None
    ids: np.ndarray | None = None
    classes: np.ndarray | None = None


def samples(
    tables: Tables,
    rates: list[Rates],
    questions: tuple[protocols.Question, ...],
    *,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> list[dict]:
    """Returns of each row `[R]` samples of the metrics of each question.

    Args:
      tables: of all rows.
      rates: of each row.
      questions: of the protocol; a row may have answered some of them.
      num_samples: R.
      seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    sides = {side: np.flatnonzero(tables.seen == (side == "seen")) for side in ("unseen", "seen")}
    drawn = {}
    for side, classes in sides.items():
        shape = (num_samples, len(classes))
        drawn[side] = (rng.integers(0, max(len(classes), 1), shape), rng.integers(0, _POOL, shape))
    shared: dict[bytes, Any] = {}
    return [
        _of_row(tables, row, questions, sides, drawn, shared, np.random.default_rng((seed, n)))
        for n, row in enumerate(rates)
    ]


def freedom(tables: Tables, questions: tuple[protocols.Question, ...], metric: str) -> int:
    """Degrees of freedom of a metric's spread: classes less one, of the side that has fewer of them."""
    unseen, seen = int(np.sum(~tables.seen)), int(np.sum(tables.seen))
    of = {}
    for question in questions:
        of |= {question.unseen: unseen, question.seen: seen, question.harmonic: min(unseen, seen)}
    return max(of[metric] - 1, 1)


def _of_row(tables: Tables, row: Rates, questions, sides, drawn, shared, rng) -> dict[str, np.ndarray]:
    pools, result = _pools(tables, row, shared, rng), {}

    def accuracy(question: str, side: str) -> np.ndarray:
        classes, (places, which) = sides[side], drawn[side]
        found = pools[question][classes][places, which].mean(axis=1)
        centre = np.mean(row.of_class[question][classes] / tables.images[classes])
        return centre + (found - centre) * np.sqrt(len(classes) / max(len(classes) - 1, 1))

    for question in questions:
        if question.name not in row.of_class or not len(sides["unseen"]):
            continue
        unseen = accuracy(question.name, "unseen")
        if not question.seen:
            result[question.unseen] = unseen
            continue
        unseen = result[question.unseen] = np.clip(unseen, 0, 1)
        if len(sides["seen"]):
            seen = result[question.seen] = np.clip(accuracy(question.name, "seen"), 0, 1)
            result[question.harmonic] = 2 * unseen * seen / np.maximum(unseen + seen, np.finfo(float).tiny)
    return result


def _pools(tables: Tables, row: Rates, shared, rng) -> dict[str, np.ndarray]:
    """By question `[C, P]` the accuracy of each class after its images are drawn again."""
    count = len(tables.names)
    if row.of_image is None:
        shares = {name: np.clip(right / tables.images, 0, 1) for name, right in row.of_class.items()}
        return {
            name: rng.binomial(tables.images[:, None], share[:, None], (count, _POOL)) / tables.images[:, None]
            for name, share in shares.items()
        }
    weights = _weights(tables, row, shared)
    result = {name: np.empty((count, _POOL)) for name in row.of_image}
    for number, (places, of_class) in enumerate(weights):
        for name, right in row.of_image.items():
            result[name][number] = of_class @ right[places]
    return result


def _weights(tables: Tables, row: Rates, shared) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each class its images' places, and `[P, n]` their weights in each draw: equal for rows with equal images."""
    order = np.argsort(row.ids, kind="stable")
    key = row.ids[order].tobytes() + row.classes[order].tobytes()
    if key not in shared:
        rng, found = np.random.default_rng(len(shared)), []
        for number in range(len(tables.names)):
            size = int(np.sum(row.classes == number))
            found.append(rng.multinomial(size, np.full(size, 1 / size), _POOL) / size)
        shared[key] = found
    places = [order[row.classes[order] == number] for number in range(len(tables.names))]
    return list(zip(places, shared[key]))
