"""Batches of P classes with K images of each, as a pure function of (seed, epoch, labels).

The classes of a batch are drawn anew for it, all with the same chance, or near one that is drawn first; the images of a
class take turns in an order that is drawn for each epoch. An epoch has as many steps as with a shuffled order, but need
not show every image.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import errors, similarity


def rows(
    key: jax.Array,
    epoch: ArrayLike,
    labels: ArrayLike,
    *,
    num_classes: int,
    num_steps: int,
    batch_size: int,
    per_class: int,
    nearness: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Returns which examples make up the batches of an epoch.

    Args:
      key: PRNG key of the order.
      epoch: scalar int, may be traced.
      labels: `[N]` int in `[0, num_classes)`.
      num_classes: C; classes without an example are never drawn.
      num_steps: T.
      batch_size: B = P K; at least P classes have an example.
      per_class: K. A class with fewer examples fills its places up with rows that do not count.
      nearness: `[C, C]`, see `nearness_of`; None for classes drawn independently of each other.

    Returns:
      rows `[T, B]` int and where `[T, B]` bool.

    >>> labels = jnp.array([0, 0, 1, 1, 2, 2])
    >>> found, where = rows(jax.random.key(0), 0, labels, num_classes=3, num_steps=1, batch_size=4, per_class=2)
    >>> print(bool(where.all()), sorted(jnp.bincount(labels[found[0]], length=3).tolist()))
    True [0, 2, 2]
    """
    labels = jnp.asarray(labels)
    order_key, class_key, place_key = jax.random.split(jax.random.fold_in(key, epoch), 3)
    shuffled = jax.random.permutation(order_key, len(labels))
    by_class = shuffled[jnp.argsort(labels[shuffled], stable=True)]
    counts = jnp.bincount(labels, length=num_classes)
    starts = jnp.cumsum(counts) - counts
    drawn = jnp.where(counts[None, :] > 0, jax.random.uniform(class_key, (num_steps, num_classes)), -1.0)
    if nearness is not None:
        # The largest sums with Gumbel noise are a draw without replacement, in proportion to exp(nearness).
        middle = jnp.argmax(drawn, axis=1)
        noise = jax.random.gumbel(jax.random.fold_in(class_key, 1), drawn.shape)
        near = jnp.asarray(nearness)[middle].at[jnp.arange(num_steps), middle].set(jnp.inf)
        drawn = jnp.where(counts[None, :] > 0, noise + near, -jnp.inf)
    classes = jax.lax.top_k(drawn, batch_size // per_class)[1]
    first = jnp.floor(jax.random.uniform(place_key, classes.shape) * counts[classes]).astype(jnp.int32)
    turns, size = jnp.arange(per_class), jnp.maximum(counts[classes], 1)[:, :, None]
    places = starts[classes][:, :, None] + (first[:, :, None] + turns[None, None, :]) % size
    where = turns[None, None, :] < size
    shape = num_steps, batch_size
    return by_class[places].reshape(shape), jnp.broadcast_to(where, places.shape).reshape(shape)


def nearness_of(descriptions: ArrayLike, clustering: ArrayLike) -> jax.Array:
    """Returns `[C, C]`, the logarithm of how much more often a class is drawn beside another one.

    `nearness[b, c] = clustering * cos(phi_b, phi_c)`

    Args:
      descriptions: `[C, A]`.
      clustering: scalar >= 0.

    >>> print(nearness_of(jnp.eye(2), 5.0))
    [[5. 0.]
     [0. 5.]]
    """
    return clustering * similarity.cosine(descriptions, descriptions)


def check_clustering(descriptions, *, clustering: float, per_class: int) -> None:
    """Raises a UserError for batches of classes near each other where nothing says which are near."""
    said = f"config.train.clustering={clustering}"
    if not per_class:
        raise errors.UserError(f"{said} draws the classes of a batch: say how many images of each, train.per_class=4")
    if getattr(descriptions, "ndim", 0) != 2 or descriptions.dtype.kind != "f":
        raise errors.UserError(f"{said} compares class descriptions, which are no vectors of numbers here: say 0")


def check(labels: ArrayLike, *, batch_size: int, per_class: int) -> None:
    """Raises a UserError for batches that cannot be made of these labels."""
    said = f"config.train.per_class={per_class}"
    if np.ndim(labels) != 1 or np.min(labels, initial=0) < 0:
        raise errors.UserError(f"{said} needs one label per training example: say 0 for a shuffled order")
    if batch_size % per_class:
        raise errors.UserError(f"{said} does not divide config.train.batch_size={batch_size}")
    there = len(np.unique(labels))
    if batch_size // per_class > there:
        least = next(k for k in range(1, batch_size + 1) if batch_size % k == 0 and batch_size // k <= there)
        raise errors.UserError(
            f"{said} asks for {batch_size // per_class} classes in a batch of {batch_size}, and {there} have examples: "
            f"the least that can be is {least}"
        )
