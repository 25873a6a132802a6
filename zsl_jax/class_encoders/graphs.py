"""A graph of words around classes: its files, and the neighbours of each node by random walks.

    FOLDER        nodes.csv (id, uri), edges.csv (start_id, relation_id, end_id: rows of nodes.csv)
    FILE.csv      triples: subject, relation, object, with a header; .tsv and .gz too
    FILE.csv.gz   ConceptNet's assertions as they are published: of its nodes the English ones

    neighbours of v:  the K nodes that most walks from v reach, v itself first

Reference: Nayak, Bach, "Zero-Shot Learning with Common Sense Knowledge Graphs", TMLR 2022, for neighbourhoods by the
probability that a walk hits a node; Speer, Chin, Havasi, "ConceptNet 5.5: An Open Multilingual Graph of General
Knowledge", AAAI 2017.
"""

import csv
import difflib
import functools
import gzip
import hashlib
import os
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, rules
from zsl_jax.class_encoders import texts
from zsl_jax.data import matfile, tables

_BLOCK = 512  # nodes whose walks are counted at a time
_ASSERTION = "/a/["


class Graph(NamedTuple):
    """Nodes by number; an edge is taken in both directions.

    Fields:
      names: of the nodes, as the file has them.
      edges: `[E, 2]` int, pairs of different nodes, each once.
    """

    names: tuple[str, ...]
    edges: np.ndarray


class Neighborhoods(NamedTuple):
    """The neighbours of each node, padded.

    Fields:
      nodes: `[V, K]` int32, the node itself first, then its neighbours, those that most walks reach first.
      where: `[V, K]` bool, False where there are fewer.
      steps: `[V, K]` int32, the fewest steps in which a walk came there.
    """

    nodes: np.ndarray
    where: np.ndarray
    steps: np.ndarray


def load(path: str | os.PathLike) -> Graph:
    """Reads a graph.

    Raises:
      UserError: no such file, a form that is none of the above, an edge to a node that is not there, or no edge between
        two different nodes.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_dir():
        names, pairs = _of_folder(path)
    elif path.is_file():
        names, pairs = _of_triples(path)
    else:
        raise errors.UserError(f"no graph {str(path)!r}: a folder of nodes.csv and edges.csv, or a file of triples")
    between = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    if not len(between):
        what = f"{len(pairs)} edges all lead from a node to itself" if len(pairs) else "no edge is in it"
        raise errors.UserError(f"{path} is no graph of use: {what}")
    return Graph(tuple(names), np.unique(between, axis=0))


def sha256(path: str | os.PathLike) -> str:
    """Returns the hash of a graph's files."""
    path = pathlib.Path(path).expanduser()
    files = [path / "nodes.csv", path / "edges.csv"] if path.is_dir() else [path]
    return hashlib.sha256("".join(matfile.sha256(file) for file in files).encode()).hexdigest()


def phrase(name: str) -> str:
    """Returns the words of a node's name.

    >>> phrase("/c/en/film_entertainment/n/wikt/en_1"), phrase("polar bear"), phrase("AwA:n02106662")
    ('film entertainment', 'polar bear', 'awa n')
    """
    parts = name.split("/")
    return " ".join(texts.words(parts[3] if name.startswith("/c/") and len(parts) > 3 else name))


def rows(graph: Graph, names: Sequence[str]) -> np.ndarray:
    """Returns `[C]` int32, the nodes of classes by their names; of several with a name, the one with most edges.

    Raises:
      UserError: a class that no node is called, with the nearest that is.

    >>> graph = Graph(("/c/en/polar_bear", "/c/en/bear/n", "/c/en/bear"), np.array([[0, 2], [1, 2]]))
    >>> rows(graph, ["046.Polar+Bear", "bear"])
    array([0, 2], dtype=int32)
    """
    degree = np.bincount(graph.edges.ravel(), minlength=len(graph.names))
    by_phrase: dict[str, int] = {}
    for node in np.argsort(-degree, kind="stable").tolist():
        by_phrase.setdefault(phrase(graph.names[node]), node)
    wanted = [" ".join(texts.words(name)) for name in names]
    absent = [at for at, words in enumerate(wanted) if words not in by_phrase]
    if absent:
        near = difflib.get_close_matches(wanted[absent[0]], by_phrase, 1)
        more = f" nor for {len(absent) - 1} more classes" if len(absent) > 1 else ""
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise errors.UserError(f"the graph has no node for {names[absent[0]]!r}{more}{hint}")
    return np.array([by_phrase[words] for words in wanted], np.int32)


def neighborhoods(key: jax.Array, graph: Graph, *, most: int = 32, walks: int = 64, length: int = 4) -> Neighborhoods:
    """Returns the neighbours of every node by the share of random walks that reach them.

    Args:
      key: PRNG key.
      graph: the graph; a walk takes each edge of a node with the same probability.
      most: K >= 1, the node itself among them.
      walks: from each node.
      length: steps of a walk.

    Returns:
      `Neighborhoods` of all V nodes; a node without an edge has itself alone.

    >>> path = Graph(("a", "b", "c", "d", "e"), np.array([[0, 1], [1, 2], [2, 3]]))
    >>> found = neighborhoods(jax.random.key(0), path, most=4, length=2)
    >>> found.nodes[0, :3].tolist(), found.where[0].tolist(), found.steps[0, :3].tolist()
    ([0, 1, 2], [True, True, True, False], [0, 1, 2])
    >>> found.where[4].tolist()
    [True, False, False, False]
    """
    count = len(graph.names)
    both = np.concatenate([graph.edges, graph.edges[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    degree = np.bincount(both[:, 0], minlength=count)
    first = np.concatenate([[0], np.cumsum(degree)[:-1]])
    lists = tuple(jnp.asarray(x, jnp.int32) for x in (first, degree, both[:, 1]))
    starts = np.arange(-(-count // _BLOCK) * _BLOCK).reshape(-1, _BLOCK) % count
    sizes = {"most": min(most, 1 + walks * length), "walks": walks, "length": length}
    parts = [_walked(key, lists, jnp.asarray(block, jnp.int32), **sizes) for block in starts]
    nodes, where, steps = (np.concatenate([np.asarray(part[i]) for part in parts])[:count] for i in range(3))
    return Neighborhoods(nodes, where, steps)


@functools.partial(jax.jit, static_argnames=("most", "walks", "length"))
def _walked(key, lists, starts, *, most, walks, length):
    first, degree, ends = lists

    def of_node(start):
        def step(at, key):
            place = jnp.floor(jax.random.uniform(key, (walks,)) * degree[at]).astype(jnp.int32)
            following = jnp.where(degree[at] > 0, ends[first[at] + jnp.minimum(place, degree[at] - 1)], at)
            return following, following

        # A node draws the same walks whatever block it is in.
        keys = jax.random.split(jax.random.fold_in(key, start), length)
        reached = jax.lax.scan(step, jnp.full(walks, start), keys)[1]  # [length, walks]
        taken = jnp.broadcast_to(1 + jnp.arange(length)[:, None], reached.shape)
        earlier = jnp.tril(jnp.ones((length, length), bool), -1)
        again = jnp.any((reached[None] == reached[:, None]) & earlier[:, :, None], axis=1) | (reached == start)
        node, taken, again = (x.ravel() for x in (reached, taken, again))
        order = jnp.lexsort((taken, node, again))
        node, taken, again = node[order], taken[order], again[order]
        begins = ~again & jnp.concatenate([jnp.array([True]), node[1:] != node[:-1]])
        same = jnp.cumsum(begins) - 1
        hits = jax.ops.segment_sum((~again).astype(jnp.int32), same, num_segments=len(node))
        hits = jnp.where(begins, hits[same], 0)
        value, place = jax.lax.top_k(hits, most - 1) if most > 1 else (hits[:0], hits[:0])
        where = value > 0
        return (
            jnp.concatenate([start[None], jnp.where(where, node[place], start)]),
            jnp.concatenate([jnp.array([True]), where]),
            jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.where(where, taken[place], 0)]),
        )

    return jax.vmap(of_node)(starts)


def rewired(graph: Graph, *, seed: int = 0) -> Graph:
    """Returns a graph with as many edges between nodes drawn at random: the control.

    >>> graph = Graph(tuple("abcdefgh"), np.array([[0, 1], [1, 2], [2, 3], [4, 5]]))
    >>> found = rewired(graph)
    >>> len(found.edges), bool((found.edges[:, 0] < found.edges[:, 1]).all()), found.names == graph.names
    (4, True, True)
    """
    rng, count, wanted = np.random.default_rng(seed), len(graph.names), len(graph.edges)
    edges = np.zeros((0, 2), np.int64)
    wanted = min(wanted, count * (count - 1) // 2)
    while len(edges) < wanted:
        drawn = np.sort(rng.integers(0, count, (2 * wanted, 2)), axis=1)
        edges = np.unique(np.concatenate([edges, drawn[drawn[:, 0] != drawn[:, 1]]]), axis=0)
    return graph._replace(edges=edges[np.sort(rng.permutation(len(edges))[:wanted])])


def _of_folder(folder: pathlib.Path) -> tuple[list[str], np.ndarray]:
    for name in ("nodes.csv", "edges.csv"):
        if not (folder / name).is_file():
            raise errors.UserError(f"{folder} is no folder of a graph: {name} is missing")
    nodes = [cells for _, cells in _columns(folder / "nodes.csv", ("uri",))]
    names, by_id = [tables.name(cells["uri"]) for cells in nodes], {cells.get("id"): r for r, cells in enumerate(nodes)}
    pairs = []
    for line, cells in _columns(folder / "edges.csv", ("start_id", "end_id")):
        ends = [rules.whole_of(cells[column]) for column in ("start_id", "end_id")]
        outside = [end is None or end >= len(names) for end in ends]
        if any(outside):
            unknown = cells["end_id" if not outside[0] else "start_id"]
            raise errors.UserError(
                f"{folder / 'edges.csv'}, line {line}: {unknown!r} is no row of nodes.csv, 0 to {len(names) - 1}"
            )
        pairs.append(ends)
    ends = {end for pair in pairs for end in pair}
    other = next((end for end in ends if by_id.get(str(end)) not in (None, end)), None)
    if other is not None and all(str(end) in by_id for end in ends):
        raise errors.UserError(
            f"{folder}: {other} in edges.csv is row {other} of nodes.csv, counted from 0, and the id of row "
            f"{by_id[str(other)]}: sort nodes.csv by id from 0, or leave the ids out"
        )
    return names, np.array(pairs, np.int64).reshape(-1, 2)


def _of_triples(path: pathlib.Path) -> tuple[list[str], np.ndarray]:
    index: dict[str, int] = {}
    pairs, header = [], []
    for line, cells in _lines(path):
        if len(cells) == 5 and cells[0].startswith(_ASSERTION):
            ends = cells[2:4]
            if not all(end.startswith("/c/en/") for end in ends):
                continue
        elif line == 1:  # a header
            if len(cells) != 3:
                raise errors.UserError(
                    f"{path}: the header subject,relation,object is wanted, not {','.join(cells)[:60]!r}"
                )
            header = cells[::2]
            continue
        elif len(cells) != 3 or not cells[0].strip() or not cells[2].strip():
            raise errors.UserError(f"{path}, line {line}: subject, relation, object are wanted, not {cells}"[:160])
        else:
            ends = [tables.name(cells[0]), tables.name(cells[2])]
        pairs.append([index.setdefault(end, len(index)) for end in ends])
    tables.check_no_row(path, header, index)
    return list(index), np.array(pairs, np.int64).reshape(-1, 2)


def _columns(path: pathlib.Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header: list[str] | None = None
    for line, cells in _lines(path):
        if header is None:
            header = [cell.strip() for cell in cells]
            missing = [name for name in wanted if name not in header]
            if missing:
                raise errors.UserError(f"{path}: a column {missing[0]} is wanted, not {', '.join(header)[:80]!r}")
            continue
        if len(cells) != len(header):
            raise errors.UserError(f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}")
        yield line, dict(zip(header, cells))


def _lines(path: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the cells of each line that is not empty."""
    if path.suffix != ".gz":
        yield from tables.rows(path)
        return
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter="\t" if "\t" in first else ",", strict=True)
            line = 0
            for cells in reader:
                tables.check_one_line(path, line, reader.line_num)
                line = reader.line_num
                if any(cells):
                    yield line, cells
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise errors.UserError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
