"""Rows of a batch in chunks, so that a step holds the activations of a chunk and not those of the batch.

    inputs --chunk by chunk--> embeddings [B, D] --loss of the whole batch--> dL/d embeddings
    inputs --chunk by chunk, once more, with dL/d embeddings of the chunk--> dL/d parameters, added up

The loss compares all rows with each other, so that its gradient is that of the whole batch and not a mean over small
ones. An encoder runs forward twice and backward once: about a third more work than without chunks.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def by_chunk(function: Callable[[Any, Any], tuple[Any, Any]], keys: Any, rows: Any, size: int) -> tuple[Any, Any]:
    """Returns `function(keys, rows)`, made from `size` rows at a time; its gradient holds what one chunk needs.

    A chunk has every n-th row of the batch, n the number of chunks, so that where devices share the batch each of them
    has its share of every chunk. Where `size` does not divide the batch, its first rows come a second time to fill up
    the last chunks, and what is made of them the second time is left out.

    Args:
      function: `(keys, rows) -> (values, rest)`: `values` has a row for each row and treats rows equally, `rest` has
        none.
      keys: pytree of PRNG keys; each chunk gets its own, split from them.
      rows: pytree of arrays `[B, ...]`.
      size: rows of a chunk; 0, or B and more: all at once, with the keys themselves.

    Returns:
      `(values, rest)`, `rest` as the mean over the chunks.

    >>> found, _ = by_chunk(lambda keys, x: (2 * x, ()), jax.random.key(0), jnp.arange(5), 2)
    >>> print(found)
    [0 2 4 6 8]

    Reference: Gao, Zhang, Han, Callan, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
    RepL4NLP 2021; the second pass forward: Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost",
    2016.
    """
    length = len(jax.tree.leaves(rows)[0])
    if not 0 < size < length:
        return function(keys, rows)
    count = -(-length // size)
    places = np.arange(count * size) % length
    rows = jax.tree.map(lambda x: (x if len(places) == length else x[places]).reshape(size, count, *x.shape[1:]), rows)

    @jax.checkpoint
    def of_chunk(numbered):
        number, keys = numbered
        # Taken here: what is kept for the gradient is the number of a chunk, not another copy of the inputs.
        chunk = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, number, axis=1, keepdims=False), rows)
        return function(keys, chunk)

    split = jax.tree.map(lambda key: jax.random.split(key, count), keys)
    values, rest = jax.lax.map(of_chunk, (jnp.arange(count), split))
    values = jax.tree.map(lambda y: jnp.moveaxis(y, 0, 1).reshape(count * size, *y.shape[2:])[:length], values)
    return values, jax.tree.map(lambda y: jnp.mean(y, axis=0), rest)


def in_chunks(function: Callable[[jax.Array], Any], x: jax.Array, size: int) -> Any:
    """`function(x)` for a function that treats rows equally, `size` rows at a time, where nothing is differentiated.

    Where the number of rows is a symbol, as in an exported file, all rows are taken at once.

    >>> print(in_chunks(lambda x: 2 * x, jnp.arange(5), 2))
    [0 2 4 6 8]
    """
    if not isinstance(x.shape[0], int) or x.shape[0] <= size:
        return function(x)
    count = -(-len(x) // size)
    padded = jnp.pad(x, ((0, count * size - len(x)), *((0, 0) for _ in x.shape[1:])))
    mapped = jax.lax.map(function, padded.reshape(count, size, *x.shape[1:]))
    return jax.tree.map(lambda y: y.reshape(count * size, *y.shape[2:])[: len(x)], mapped)
