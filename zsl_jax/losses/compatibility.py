"""A loss that ties embeddings to a reference that stays, example by example, so that both can be compared for good."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments
from zsl_jax.losses import _in_batch, _pairwise

__all__: Sequence[str] = ("higher_order_compatibility",)


def higher_order_compatibility(
    image_embeddings: ArrayLike,
    class_embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    scale: ArrayLike,
    where: ArrayLike | None = None,
    axis_name: str | None = None,
    chunk: int | None = None,
) -> jax.Array:
    """Each reference finds its own example among the examples of other classes.

    With references `c`, embeddings `x` and `y_i` the class of example `i`::

        loss_i = log sum_{j: y_j != y_i} exp(scale * c_i . x_j) - scale * c_i . x_i    (0 where no other class is there)

    The paper's references are the embeddings of the same images by the model before, of unit length, so that a gallery
    that was embedded then need not be embedded anew; in training here the description of the class stands for them. The
    paper adds it to cross-entropy against fixed corners of a simplex (`class_encoders.simplex`), as
    `lambda * cross-entropy + (1 - lambda) * loss`.

    Use when: embeddings should stay comparable with those of an earlier model, or with class descriptions, example by
    example; examples of one class are not pushed apart, which `info_nce` does.

    The released code (lambda 0.1, scale 10) sets products within a class to 0 where they are left out here: its sum has
    one more `exp(0)` for each example of the class. The loss may be negative, as its sum lacks the own example: a scale
    that is trained would grow without end.

    Args:
      image_embeddings: `[B, D]`, x.
      class_embeddings: `[B, D]`, c: row `i` for example `i`.
      labels: `[B]` int, y.
      scale: scalar > 0.
      where: bool, broadcastable to `[B]`: which rows are examples.
      axis_name: mapped axis over which the batch is divided.
      chunk: rows at a time; None: chosen by size.

    Returns:
      `[B]` losses, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> x = jnp.eye(3)
    >>> print(np.array(higher_order_compatibility(x, x, jnp.array([0, 0, 1]), scale=2.0)).round(4))
    [-2.     -2.     -1.3069]

    Reference: Biondi, Pernici, Ricci, Del Bimbo, "Stationary Representations: Optimally Approximating Compatibility and
    Implications for Improved Model Replacements", CVPR 2024.
    """
    images, references = _in_batch.paired_sides(
        where, axis_name, image_embeddings=image_embeddings, class_embeddings=class_embeddings
    )
    labels = _in_batch.checked_labels(image_embeddings=image_embeddings, labels=labels)
    # A row and a column with the same id are no pair: here, all that share a class.
    images, references = (side._replace(ids=labels) for side in (images, references))
    scale = arguments.as_scalar(scale=scale)
    others = _pairwise.row_sums(references, images, scale, axis_name=axis_name, chunk=chunk).log_sum
    has_others = _in_batch.is_example(images) & ~(others <= 0.5 * _pairwise.EMPTY)
    return jnp.where(has_others, others - scale * _in_batch.dots(references, images), 0.0)
