"""What training remembers of its batches beside the parameters, so that the loss of the next one can use it.

    notes --loss of a batch--> gradient;   notes, embedded batch --add--> notes

Embeddings that are remembered come from a moving average of the parameters, which changes slowly enough for those of
many batches to be compared with each other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax.methods.objectives import compared as compared_lib

# A dynamic negative is replaced once its cosine is this much below the one that it was chosen with, and below the cap.
EASE, CAP = 1.15, 0.8
NEWS = 0.1  # share of a class's mean scores that its images in a batch make up


class Memory(NamedTuple):
    """How notes come about.

    Fields:
      start: `(S, D) -> notes`, of the number of training classes and the width of the embeddings.
      add: `(notes, compared) -> notes`, after each step; the embeddings carry no gradient.
      momentum: decay of the moving average of the parameters that embeds for `add`; None: the parameters of the step.
    """

    start: Callable[[int, int], Any]
    add: Callable[[Any, compared_lib.Compared], Any]
    momentum: Any = None


class Kept(NamedTuple):
    """The notes, and the moving average of the parameters, or ()."""

    notes: Any
    average: Any


def begin(memory: Memory | None, params: Any, num_classes: int, width: int) -> Kept | tuple[()]:
    """Returns what is kept before the first step; () without a memory."""
    if memory is None:
        return ()
    return Kept(memory.start(num_classes, width), () if memory.momentum is None else params)


def after(
    memory: Memory | None, kept: Any, before: Any, params: Any, compare: Callable[[Any], compared_lib.Compared]
) -> Any:
    """Returns what is kept after a step.

    Args:
      memory: how.
      kept: before the step.
      before, params: the parameters before and after it.
      compare: `params -> Compared`, the batch of the step.
    """
    if memory is None:
        return ()
    if memory.momentum is None:
        return Kept(memory.add(kept.notes, compare(jax.lax.stop_gradient(before))), ())
    average = jax.tree.map(lambda old, new: memory.momentum * old + (1 - memory.momentum) * new, kept.average, params)
    return Kept(memory.add(kept.notes, compare(average)), average)


def counting() -> Memory:
    """Returns the memory of how many steps there were."""
    return Memory(start=lambda num_classes, width: jnp.int32(0), add=lambda notes, given: notes + 1)


class Embeddings(NamedTuple):
    """Remembered embeddings, the newest in the place of the oldest of their group.

    Fields:
      vectors: `[G K, D]`.
      labels: `[G K]`, -1 where nothing is yet.
      next: `[G]`, the place of the next one of each group, in `[0, K)`.
    """

    vectors: jax.Array
    labels: jax.Array
    next: jax.Array


def of_embeddings(size: int, momentum: Any, *, by_class: bool) -> Memory:
    """Returns the memory of the last `size` embeddings, of all images or of each class."""

    def start(num_classes, width):
        groups = num_classes if by_class else 1
        return Embeddings(
            jnp.zeros((groups * size, width)), jnp.full(groups * size, -1, jnp.int32), jnp.zeros(groups, jnp.int32)
        )

    def add(notes, given):
        groups = given.labels if by_class else jnp.zeros_like(given.labels)
        same = (groups[:, None] == groups[None, :]) & given.where[None, :]
        earlier = jnp.sum(jnp.tril(same, -1), axis=1)
        is_last = given.where & (jnp.sum(same, axis=1) - earlier <= size)
        places = groups * size + (notes.next[groups] + earlier) % size
        places = jnp.where(is_last, places, len(notes.labels))  # beyond the end: dropped
        coming = jnp.zeros_like(notes.next).at[groups].add(given.where.astype(jnp.int32))
        return Embeddings(
            notes.vectors.at[places].set(given.images.astype(notes.vectors.dtype), mode="drop"),
            notes.labels.at[places].set(given.labels.astype(jnp.int32), mode="drop"),
            (notes.next + coming) % size,
        )

    return Memory(start, add, momentum)


class HardClasses(NamedTuple):
    """The negatives of each training class.

    Fields:
      step: of the training.
      known: `[S]` bool, whether a class had an image yet.
      means: `[S, S]`, moving means of the cosines of a class's images with each class.
      first: `[S, S]`, the mean with which a negative was chosen.
      chosen: `[S, S]` bool.
    """

    step: jax.Array
    known: jax.Array
    means: jax.Array
    first: jax.Array
    chosen: jax.Array


def of_hard_classes(size: int, every: Any, similar: Any) -> Memory:
    """Returns the memory of `size` negatives of each class, of which the easy ones are replaced every so many steps.

    Args:
      size: negatives per class.
      every: steps between two looks.
      similar: a class whose description has a higher cosine is no negative.
    """

    def start(num_classes, width):
        del width
        square = jnp.zeros((num_classes, num_classes))
        return HardClasses(jnp.int32(0), jnp.zeros(num_classes, bool), square, square, square > 0)

    def add(notes, given):
        unit = given.of_unit_length()
        share = given.is_own.T * given.where[None, :].astype(jnp.float32)  # [S, B]
        count = jnp.sum(share, axis=1)
        news = (share @ unit.scores) / jnp.maximum(count, 1.0)[:, None]
        rate = jnp.where(count > 0, jnp.where(notes.known, NEWS, 1.0), 0.0)[:, None]
        means = notes.means + rate * (news - notes.means)
        step = notes.step + 1
        is_wrong = ~jnp.eye(len(means), dtype=bool) & (given.relations <= similar)
        new = refreshed(means, notes.first, notes.chosen, is_wrong, size=size)
        chosen = jnp.where(step % every == 0, new, notes.chosen)
        first = jnp.where(chosen & ~(notes.chosen & ~is_easy(means, notes.first)), means, notes.first)
        first = jnp.where(step % every == 0, first, notes.first)
        return HardClasses(step, notes.known | (count > 0), means, first, chosen)

    return Memory(start, add)


def is_easy(means: jax.Array, first: jax.Array) -> jax.Array:
    """Whether a negative that was chosen with the cosine `first` must be replaced."""
    return (EASE * means < first) & (jnp.abs(means) < CAP)


def refreshed(means: jax.Array, first: jax.Array, chosen: jax.Array, is_wrong: jax.Array, *, size: int) -> jax.Array:
    """Returns `[S, S]` bool: the chosen negatives that are still hard, filled up by the classes with the highest means.

    Args:
      means: `[S, S]` cosines of the images of a class with each class.
      first: `[S, S]`, those with which negatives were chosen.
      chosen: `[S, S]` bool.
      is_wrong: `[S, S]` bool, the classes that may be negatives.
      size: negatives per class.

    >>> means, first = jnp.array([[0.9, 0.1, 0.3, 0.2]]), jnp.array([[0.0, 0.5, 0.3, 0.0]])
    >>> chosen, is_wrong = jnp.array([[False, True, True, False]]), jnp.array([[False, True, True, True]])
    >>> print(refreshed(means, first, chosen, is_wrong, size=2))
    [[False False  True  True]]
    """
    easy = chosen & is_easy(means, first)
    order = jnp.where(chosen & ~easy, 4.0 + means, jnp.where(easy, -4.0 + means, means))
    order = jnp.where(is_wrong, order, -jnp.inf)
    last = jax.lax.top_k(order, min(size, order.shape[1]))[0][:, -1:]
    return is_wrong & (order >= last)
