"""Any loss or similarity on several prefixes of the embeddings at once, so that short embeddings work too."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity

__all__: Sequence[str] = ("matryoshka",)


def matryoshka(
    loss: Callable[..., jax.Array],
    *embeddings: ArrayLike,
    dims: Sequence[int],
    weights: ArrayLike | None = None,
    normalize: bool = False,
) -> jax.Array:
    """Weighted sum of a loss (or similarity) over prefixes of the embeddings.

    `loss = sum_m c_m loss(x[:, :m], y[:, :m], ...)`

    Use when: the same embeddings are used at several lengths, short for speed and long for accuracy.

    Args:
      loss: takes the prefixes of the embeddings and returns an array of a shape that does not depend on their width.
        Close it over everything else: `lambda x, y: losses.clip_softmax(x, y, scale=scale)`.
      *embeddings: `[..., D]` each, of one D.
      dims: prefix lengths in [1, D], static.
      weights: `[len(dims)]` c; None for 1.
      normalize: whether every prefix is divided by its length before the loss sees it, as losses on cosines need: a
        prefix of a unit vector is not one.

    Returns:
      What `loss` returns, summed.

    Raises:
      ValueError: shapes that do not fit, or a prefix longer than the embeddings.

    >>> import jax.numpy as jnp
    >>> from zsl_jax import similarity
    >>> x, y = jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[1.0, 1.0, 1.0]])
    >>> print(matryoshka(similarity.dot, x, y, dims=(1, 3)))
    [[7.]]

    Reference: Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
    """
    _check(embeddings, dims)
    weights = jnp.ones(len(dims)) if weights is None else arguments.as_float(weights)
    if weights.shape != (len(dims),):
        raise ValueError(f"weights must be [{len(dims)}], one for each of dims {tuple(dims)}, not {weights.shape}")
    parts = [weights[i] * _prefix_loss(loss, embeddings, dim, normalize) for i, dim in enumerate(dims)]
    return sum(parts[1:], start=parts[0])


def _check(embeddings: Sequence[ArrayLike], dims: Sequence[int]) -> None:
    shapes = [jnp.shape(x) for x in embeddings]
    if not shapes or any(not shape or shape[-1] != shapes[0][-1] for shape in shapes):
        raise ValueError(f"embeddings must be [..., D] of one D, not {', '.join(map(str, shapes)) or 'none'}")
    if not dims or not all(1 <= dim <= shapes[0][-1] for dim in dims):
        raise ValueError(f"dims must be prefix lengths in [1, {shapes[0][-1]}], not {tuple(dims)}")


def _prefix_loss(
    loss: Callable[..., jax.Array], embeddings: Sequence[ArrayLike], dim: int, normalize: bool
) -> jax.Array:
    prefixes = [arguments.as_float(x)[..., :dim] for x in embeddings]
    return loss(*(map(similarity.l2_normalize, prefixes) if normalize else prefixes))
