"""Matching: does a model tell "a A and b B" from "b A and a B"? Scores of two images and two texts that swap a part.

               text 0   text 1
    image 0    s_00     s_01        text     each image scores its own text higher     s_00 > s_01 and s_11 > s_10
    image 1    s_10     s_11        image    each text scores its own image higher     s_00 > s_10 and s_11 > s_01
                                    group    both

Chance: by scores drawn at random text and image are right in 1/4 of the couples, the group in 1/6, and a text scores
above its swapped form for 1/2 of the images.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

__all__: Sequence[str] = ("Matching", "matching_accuracy", "swap_accuracy")


class Matching(NamedTuple):
    """Shares of the couples of images; fractions."""

    text: jax.Array
    image: jax.Array
    group: jax.Array


def matching_accuracy(scores: ArrayLike, *, where: ArrayLike | None = None) -> Matching:
    """Share of the couples of images that choose their texts, whose texts choose them, and of those that do both.

    A tie is wrong: a model that sees a text as a bag of words has 0.

    Args:
      scores: `[N, 2, 2]`, of image i and text j of each couple; text i is that of image i.
      where: `[N]` bool, the couples that count.

    Returns:
      `Matching(text, image, group)` of float32 scalars in [0, 1]; 0 if no couple counts. By chance 1/4, 1/4, 1/6.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> scores = jnp.array([[[3.0, 1.0], [2.0, 4.0]], [[3.0, 1.0], [4.0, 5.0]]])
    >>> print(*matching_accuracy(scores))
    1.0 0.5 0.5

    Reference: Thrush, Jiang, Bartolo, Singh, Williams, Kiela, Ross, "Winoground: Probing Vision and Language Models for
    Visio-Linguistic Compositionality", CVPR 2022, for the three scores; Ray, Radenovic, Dubey, Plummer, Krishna,
    Saenko, "COLA: A Benchmark for Compositional Text-to-image Retrieval", NeurIPS 2023, for swapped attributes, of
    which it reports `image`.
    """
    scores = arguments.as_float(scores)
    if scores.ndim != 3 or scores.shape[1:] != (2, 2):
        raise ValueError(f"scores must be [N, 2, 2], not {scores.shape}")
    counts = arguments.mask_like(where, scores.shape[:1])
    own, first, second = jnp.stack([scores[:, 0, 0], scores[:, 1, 1]]), scores[:, 0, 1], scores[:, 1, 0]
    text = jnp.all(own > jnp.stack([first, second]), axis=0)
    image = jnp.all(own > jnp.stack([second, first]), axis=0)
    return Matching(*(_share(right, counts) for right in (text, image, text & image)))


def swap_accuracy(own: ArrayLike, swapped: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """Share of the images whose text scores above its swapped form; a tie counts half.

    Args:
      own: `[N]` the score of each image with its text.
      swapped: `[N]` that with the text whose parts are swapped.
      where: `[N]` bool, the images that count.

    Returns:
      A float32 scalar in [0, 1]; 0 if no image counts. By chance 1/2.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> print(swap_accuracy(jnp.array([2.0, 1.0, 0.0, 3.0]), jnp.array([1.0, 1.0, 1.0, 0.0])))
    0.625

    Reference: Yuksekgonul, Bianchi, Kalluri, Jurafsky, Zou, "When and Why Vision-Language Models Behave like
    Bags-of-Words, and What to Do About It?", ICLR 2023 (ARO).
    """
    own, swapped = arguments.as_float(own), arguments.as_float(swapped)
    arguments.check_same_shape(1, own=own, swapped=swapped)
    # With NaN neither holds, so that it counts as wrong.
    right = jnp.where(own > swapped, 1.0, jnp.where(own == swapped, 0.5, 0.0))
    return _share(right, arguments.mask_like(where, own.shape))


def _share(right: jax.Array, counts: jax.Array) -> jax.Array:
    total = jnp.sum(jnp.where(counts, right.astype(jnp.float32), 0.0))
    return total / jnp.maximum(jnp.sum(counts), 1).astype(jnp.float32)
