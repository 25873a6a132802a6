"""Any loss or similarity on several prefixes of the embeddings at once, so that short embeddings work too.

matryoshka      the prefixes of the last layer
matryoshka_2d   one earlier layer as well, at its full width and at one prefix, both drawn at random
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments, similarity

__all__: Sequence[str] = ("LayerLoss", "matryoshka", "matryoshka_2d")


class LayerLoss(NamedTuple):
    """The two parts of `matryoshka_2d`.

    Fields:
      loss: as the wrapped loss returns it.
      divergence: `[B]`, of the earlier layer from the last.
    """

    loss: jax.Array
    divergence: jax.Array


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


def matryoshka_2d(
    key: jax.Array,
    loss: Callable[..., jax.Array],
    *layer_embeddings: ArrayLike,
    dims: Sequence[int],
    temperature: ArrayLike = 0.3,
    normalize: bool = False,
) -> LayerLoss:
    """A loss on the last and on one random earlier layer, each at full width and at one random prefix.

    `loss = base(z_L) + base(z_l) / (1 + l)`, base(z) = loss(z) + loss(z[:, :m]), l and m drawn uniformly

    Use when: the encoder is cut in depth as well as the embedding in width.

    The second part of the result, the divergence `KL(softmax(z_L / T) || softmax(z_l / T))` over the embedding's
    entries, pulls the earlier layer towards the last, which is a constant to it. Add the two means.

    Args:
      key: PRNG key, for the layer and the prefix.
      loss: as for `matryoshka`.
      *layer_embeddings: `[L, B, D]` each, of one L >= 2 and one D; layer 0 first.
      dims: prefix lengths in [1, D] to draw from, static.
      temperature: T, scalar > 0.
      normalize: as for `matryoshka`; the divergence sees the embeddings as given.

    Returns:
      `LayerLoss(loss, divergence)`, float32; the divergence is `[B]`, summed over the embeddings given.

    Raises:
      ValueError: shapes that do not fit, fewer than two layers, or a prefix longer than the embeddings.

    >>> import jax, jax.numpy as jnp
    >>> layers = jnp.ones((2, 3, 4))
    >>> result = matryoshka_2d(jax.random.key(0), lambda z: (z ** 2).sum(1), layers, dims=(2,))
    >>> print(result.loss, result.divergence)
    [12. 12. 12.] [0. 0. 0.]

    Reference: Li et al., "2D Matryoshka Sentence Embeddings", 2024.
    """
    _check(layer_embeddings, dims)
    layers = [arguments.as_float(x) for x in layer_embeddings]
    shapes = [x.shape for x in layers]
    if any(len(shape) != 3 or shape[0] != shapes[0][0] or shape[0] < 2 for shape in shapes):
        raise ValueError(f"layer_embeddings must be [L, B, D] of one L >= 2, not {', '.join(map(str, shapes))}")
    layer_key, dim_key = jax.random.split(key)
    layer = jax.random.randint(layer_key, (), 0, shapes[0][0] - 1)
    choice = jax.random.randint(dim_key, (), 0, len(dims))

    def base(embeddings: Sequence[jax.Array]) -> jax.Array:
        branches = [lambda *xs, dim=dim: _prefix_loss(loss, xs, dim, normalize) for dim in dims]
        full = _prefix_loss(loss, embeddings, shapes[0][-1], normalize)
        return full + jax.lax.switch(choice, branches, *embeddings)

    last, earlier = [x[-1] for x in layers], [x[layer] for x in layers]
    total = base(last) + base(earlier) / (1 + layer).astype(jnp.float32)
    return LayerLoss(total, jnp.asarray(sum(_divergence(*pair, temperature) for pair in zip(earlier, last))))


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


def _divergence(student: jax.Array, teacher: jax.Array, temperature: ArrayLike) -> jax.Array:
    temperature = arguments.as_float(temperature)
    log_teacher = jax.nn.log_softmax(jax.lax.stop_gradient(teacher) / temperature, axis=-1)
    log_student = jax.nn.log_softmax(student / temperature, axis=-1)
    return jnp.sum(jnp.exp(log_teacher) * (log_teacher - log_student), axis=-1)
