"""Nearest neighbours within one set of vectors: exact, a tile of the `[N, N]` similarities at a time."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from zsl_jax import arguments

# Rows and columns of a tile: 64 MiB of similarities, whatever N is.
_ROWS, _COLUMNS = 1024, 16384


def nearest(embeddings: ArrayLike, *, count: int, where: ArrayLike | None = None) -> tuple[jax.Array, jax.Array]:
    """The vectors with the largest inner products with each vector, itself left out; of equal ones the first.

    `rows[n] = argmax^k_{m != n} x_n . x_m`

    Exact: every pair is compared, in tiles, so that the memory beside the vectors and the result does not grow with N.

    Args:
      embeddings: `[N, D]`; unit vectors for the cosine.
      count: k >= 1, neighbours per vector.
      where: `[N]` bool, which vectors may be neighbours; None for all.

    Returns:
      `similarities [N, k]`, the largest first, and `rows [N, k]` int32. Where a vector has fewer than k neighbours, the
      similarity is -inf and the row its own.

    Raises:
      ValueError: embeddings that are not `[N, D]`, or no neighbour asked for.

    >>> import jax.numpy as jnp
    >>> similarities, rows = nearest(jnp.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), count=1)
    >>> print(similarities[:, 0], rows[:, 0])
    [0.6 0.8 0.8] [1 2 1]
    """
    embeddings = arguments.as_float(embeddings)
    if embeddings.ndim != 2 or count < 1:
        raise ValueError(f"embeddings must be [N, D] and count >= 1, not {embeddings.shape} and {count}")
    total = len(embeddings)
    if not total:
        return jnp.zeros((0, count), embeddings.dtype), jnp.zeros((0, count), jnp.int32)
    where = arguments.mask_like(where, (total,))
    height, width = min(_ROWS, total), min(_COLUMNS, total)

    def of_tile(first, rows, best):
        """The best of a row of tiles and of one tile more; the last tile begins early enough to be whole."""

        def fold(number, best):
            start = jnp.minimum(number * width, total - width)
            columns = start + jnp.arange(width)
            tile = jnp.einsum(
                "nd,md->nm", rows, jax.lax.dynamic_slice_in_dim(embeddings, start, width), precision="highest"
            )
            is_new = (columns >= number * width) & jax.lax.dynamic_slice_in_dim(where, start, width)
            allowed = is_new[None, :] & (columns[None, :] != first + jnp.arange(height)[:, None])
            found, places = jax.lax.top_k(jnp.where(allowed, tile, -jnp.inf), min(count, width))
            both = jnp.concatenate([best[0], found], axis=1), jnp.concatenate([best[1], columns[places]], axis=1)
            kept, places = jax.lax.top_k(both[0], count)
            return kept, jnp.take_along_axis(both[1], places, axis=1)

        return jax.lax.fori_loop(0, -(-total // width), fold, best)

    def of_rows(number, result):
        first = jnp.minimum(number * height, total - height)
        itself = jnp.broadcast_to(first + jnp.arange(height)[:, None], (height, count))
        none = jnp.full((height, count), -jnp.inf, embeddings.dtype), itself.astype(jnp.int32)
        found = of_tile(first, jax.lax.dynamic_slice_in_dim(embeddings, first, height), none)
        return tuple(jax.lax.dynamic_update_slice_in_dim(x, part, first, 0) for x, part in zip(result, found))

    nothing = jnp.zeros((total, count), embeddings.dtype), jnp.zeros((total, count), jnp.int32)
    similarities, rows = jax.lax.fori_loop(0, -(-total // height), of_rows, nothing)
    return similarities, jnp.where(jnp.isneginf(similarities), jnp.arange(total, dtype=jnp.int32)[:, None], rows)
