"""What a batch gives to a loss: its embedded images, and the classes described in the same space."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from zsl_jax import data, similarity


@dataclasses.dataclass(frozen=True)
class Compared:
    """Images and classes of a batch, embedded in one space.

    Args:
      images: `[B, D]`.
      described: `[C, D]`, all classes that training sees.
      labels: `[B]`, rows of `described`; -1 for inputs of the test, for an objective that asks for them.
      where: `[B]` bool, False for rows that only fill up the batch.
      classes: the class table, with the descriptions as they came.
      key: PRNG key of the step.
      axis_name: mapped axis over which the batch is divided, or None.
      candidates: `[B, S]` bool, the training classes that count for each image; None for all.
      compare: `(images, described) -> [B, C]`, what scores are.
      swapped: `[B, D]`, a wrong description for each image, of no class; None for none.
      notes: what is remembered of earlier batches, see `memory`.
      apart: `[S, S]`, how far a margin goes for a pair of classes, see `wrapping`; None for one margin.
      inputs: `[B, ...]`, as the encoder reads them; None where they are not known.
      through: `[B, F]` and `[F, D]`, vectors and the linear map that made images of them; None where there is none.
    """

    images: jax.Array
    described: jax.Array
    labels: jax.Array
    where: jax.Array
    classes: data.ClassTable
    key: jax.Array
    axis_name: str | None = None
    candidates: jax.Array | None = None
    compare: Callable[[jax.Array, jax.Array], jax.Array] = similarity.dot
    swapped: jax.Array | None = None
    notes: Any = ()
    apart: jax.Array | None = None
    inputs: Any = None
    through: tuple[jax.Array, jax.Array] | None = None

    @property
    def trained(self) -> jax.Array:
        """`[S, D]`, the classes with labelled examples."""
        return self.described[: self.classes.num_trained]

    @property
    def scores(self) -> jax.Array:
        """`[B, S]`."""
        return self.compare(self.images, self.trained)

    @property
    def own(self) -> jax.Array:
        """`[B, D]`, the class of each image."""
        return self.described[self.labels]

    @property
    def is_own(self) -> jax.Array:
        """`[B, S]` bool."""
        return self.labels[:, None] == jnp.arange(self.classes.num_trained)[None, :]

    @property
    def hardest_class(self) -> jax.Array:
        """`[B]`, the wrong class with the highest score among the candidates; no gradient chooses it."""
        wrong = ~self.is_own if self.candidates is None else ~self.is_own & self.candidates
        return jnp.argmax(jnp.where(wrong, self.scores, -jnp.inf), axis=1)

    @property
    def hardest(self) -> jax.Array:
        """`[B, D]`, what describes that class."""
        return self.trained[self.hardest_class]

    @property
    def relations(self) -> jax.Array:
        """`[S, S]` cosines of the descriptions as they came."""
        descriptions = jnp.asarray(self.classes.embedding)[: self.classes.num_trained]
        return similarity.cosine(descriptions, descriptions)

    def of_labelled(self) -> "Compared":
        """The same where rows without a label do not count."""
        labels, where = jnp.maximum(self.labels, 0), self.where & (self.labels >= 0)
        return dataclasses.replace(self, labels=labels, where=where)

    def of_unit_length(self) -> "Compared":
        """The same with vectors divided by their lengths."""
        return dataclasses.replace(
            self,
            images=similarity.l2_normalize(self.images),
            described=similarity.l2_normalize(self.described),
            swapped=None if self.swapped is None else similarity.l2_normalize(self.swapped),
        )


def of_batch(
    images, described, batch: data.Batch, classes: data.ClassTable, key: jax.Array, notes: Any = (), through: Any = None
) -> Compared:
    """Returns what a loss is given of a batch: its embedded images, and the classes described in the same space."""
    shared = {"axis_name": batch.axis_name, "notes": notes, "through": through, "inputs": batch.inputs}
    return Compared(images, jnp.asarray(described), batch.labels, batch.where, classes, key, **shared)


def per_row(values: jax.Array, given: Compared) -> jax.Array:
    """Values of a loss as `[B]`: a scalar for every row, the mean over both views of an example, `[B]` as they are."""
    count = len(given.labels)
    if values.ndim == 0:
        return jnp.broadcast_to(values, (count,))
    return values if len(values) == count else jnp.mean(values.reshape(2, count), axis=0)
