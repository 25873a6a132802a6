"""Class embeddings from a tree or a graph over classes."""

import os
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from zsl_jax import arguments, errors
from zsl_jax.data import tables


def ancestors(parents: ArrayLike) -> np.ndarray:
    """Hierarchy label embedding: for every node of a tree, which nodes it descends from, itself included.

    `ancestors[i, j] = 1 if j = i or j is an ancestor of i else 0`

    Take the rows of the nodes that are classes. Classes share as many ones as they share ancestors; the column of a
    class itself is its own.

    Args:
      parents: `[M]` int, the parent of each node, -1 for a root.

    Returns:
      `[M, M]`, float32.

    Raises:
      ValueError: a parent that is no node, or a cycle.

    >>> print(ancestors([2, 2, -1]))
    [[1. 0. 1.]
     [0. 1. 1.]
     [0. 0. 1.]]

    Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
    """
    parents = _checked(parents)
    is_ancestor = np.eye(len(parents), dtype=np.float32)
    nodes, above = np.arange(len(parents)), parents.copy()
    while (inner := above >= 0).any():
        is_ancestor[nodes[inner], above[inner]] = 1
        above[inner] = parents[above[inner]]
    return is_ancestor


def at_or_above(parents: np.ndarray, nodes: Sequence[int]) -> list[frozenset[int]]:
    """The node itself and its ancestors, of some nodes of a tree, in the memory of these alone.

    >>> at_or_above(np.array([2, 2, -1]), [0])
    [frozenset({0, 2})]
    """
    found = []
    for node in nodes:
        path = []
        while node >= 0:
            path.append(int(node))
            node = parents[node]
        found.append(frozenset(path))
    return found


def _checked(parents: ArrayLike) -> np.ndarray:
    """Parents `[M]` of a tree."""
    parents = np.asarray(parents)
    if parents.ndim != 1 or not np.issubdtype(parents.dtype, np.integer):
        raise ValueError(f"parents must be [M] integers, not {parents.dtype} {parents.shape}")
    if len(parents) and not (parents.min() >= -1 and parents.max() < len(parents)):
        raise ValueError(f"parents must be -1 or nodes 0 to {len(parents) - 1}, not {parents.min()} to {parents.max()}")
    above = parents
    for _ in range(len(parents).bit_length()):  # each time twice as far above
        above = np.where(above >= 0, above[above], -1)
    cycle = np.flatnonzero(above >= 0)
    if len(cycle):
        raise ValueError(f"parents hold a cycle: node {cycle[0]} descends from itself or from one that does")
    return parents


def load_tree(path: str | os.PathLike) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads a table of children and parents.

    Args:
      path: a CSV file of two columns, child and parent, with a header; a root has no row, or one with an empty parent.

    Returns:
      The names of the M nodes in the order of the file, and the parent of each `[M]`, -1 for a root; see `ancestors`.

    Raises:
      UserError: no header, a row without two columns, a node with two parents, or a cycle.
    """
    index: dict[str, int] = {}
    parents: dict[int, int] = {}
    header: list[str] = []
    for line, row in tables.rows(pathlib.Path(path)):
        if len(row) != 2 or not row[0]:
            raise errors.UserError(f"{path}, line {line}: {len(list(filter(None, row)))} names, wanted child, parent")
        if not header:
            header = row
            continue
        child, parent = (index.setdefault(tables.name(name), len(index)) if name else -1 for name in row)
        if parents.setdefault(child, parent) != parent:
            raise errors.UserError(f"{path}, line {line}: {row[0]!r} has two parents")
    tables.check_no_row(path, header, index)
    try:
        return tuple(index), _checked(np.array([parents.get(node, -1) for node in range(len(index))], int))
    except ValueError as error:
        raise errors.UserError(f"{path}: {error}") from error


def retrofitted(
    embedding: ArrayLike, is_neighbor: ArrayLike, *, pull: ArrayLike = 1.0, num_sweeps: int = 10
) -> jax.Array:
    """Embeddings moved towards those of their neighbours in a graph, and held to where they were.

    A sweep replaces row after row, as the paper does, `n(i)` being the neighbours of i::

        q_i <- (a e_i + mean_{j in n(i)} q_j) / (a + 1)

    It converges to the solution of `(a I + L) q = a e`, `L = I - D^-1 N` for the 0/1 matrix N of the graph with degrees
    D. A row without neighbours stays.

    Args:
      embedding: `[C, D]`, e.
      is_neighbor: `[C, C]` bool, N: row i marks the neighbours of i.
      pull: a > 0, of the place where a row was.
      num_sweeps: at least 0; 10 in the paper.

    Returns:
      `[C, D]`, float32.

    Raises:
      ValueError: shapes that do not fit.

    >>> import jax.numpy as jnp
    >>> pair = jnp.array([[False, True], [True, False]])
    >>> print(retrofitted(jnp.array([[0.0], [3.0]]), pair, num_sweeps=60))
    [[1.]
     [2.]]

    Reference: Faruqui, Dodge, Jauhar, Dyer, Hovy, Smith, "Retrofitting Word Vectors to Semantic Lexicons", NAACL 2015.
    """
    embedding, is_neighbor = arguments.as_float(embedding), jnp.asarray(is_neighbor)
    if embedding.ndim != 2 or is_neighbor.shape != (len(embedding), len(embedding)):
        raise ValueError(f"embedding must be [C, D] and is_neighbor [C, C], not {embedding.shape}, {is_neighbor.shape}")
    graph = is_neighbor.astype(embedding.dtype)
    degree = jnp.sum(graph, axis=1, keepdims=True)
    average = graph / jnp.maximum(degree, 1)
    # A row without neighbours counts itself as one.
    average = average + jnp.diag((degree[:, 0] == 0).astype(embedding.dtype))
    pull = arguments.as_float(pull)

    def row(i, q):
        return q.at[i].set((pull * embedding[i] + average[i] @ q) / (pull + 1))

    return jax.lax.fori_loop(0, num_sweeps, lambda _, q: jax.lax.fori_loop(0, len(embedding), row, q), embedding)
