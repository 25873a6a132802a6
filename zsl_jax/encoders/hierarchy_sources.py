"""Sources that describe classes by what is above them, in WordNet or in a table of children and parents.

    wordnet     ancestors, or similarities to the seen classes, see `class_encoders.wordnet`
    tree        which nodes at or above a seen class are at or above it
    poincare    its point among its ancestors in the Poincare ball, as a tangent vector

Nodes that no seen class is below take no part: a list of unseen classes changes nothing.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.class_encoders import poincare, trees, wordnet
from zsl_jax.data import matfile
from zsl_jax.encoders.source_parts import Made, Options, complete, place, seen_names


class Hierarchy(NamedTuple):
    """Nodes by number.

    Fields:
      node: the node of a class by its name, or None.
      above: the nodes at or above each of some.
      files: see `Made`.
      says: how a complaint about a class that has no node begins.
    """

    node: Callable[[str], int | None]
    above: Callable[[Sequence[int]], list[frozenset[int]]]
    files: dict[str, str]
    says: str


def by_wordnet(options: Options) -> Made:
    path = place(options.wordnet, "wordnet", "FILE.npz")
    nouns = wordnet.load(path)

    def found(names):
        return {name: place for name in names if (place := wordnet.synset(nouns, name)) is not None}

    def function(names, table):
        rows, seen = found(names), found(seen_names(table))
        anchors = [row for row, _ in seen.values()] or [row for row, _ in rows.values()]
        if not anchors:
            raise errors.UserError(f"WordNet has no noun for {names[0]!r} nor any other class")

        def vectors(places):
            made = wordnet.embedding(nouns, [r for r, _ in places.values()], anchors=anchors, measure=options.measure)
            return dict(zip(places, made))

        return complete(names, vectors(rows), lambda: vectors(seen), options, "WordNet has no noun for")

    def left_out(names):
        places = {name: wordnet.synset(nouns, name) for name in names}
        dropped = {
            name: len(class_encoders.words(name)) if found is None else found[1] for name, found in places.items()
        }
        return {name: " ".join(class_encoders.words(name)[:count]) for name, count in dropped.items() if count}

    return Made(function, {"wordnet_sha256": matfile.sha256(path)}, left_out)


def by_tree(options: Options) -> Made:
    hierarchy = _of_table(options)

    def vectors(names, columns):
        nodes = {name: node for name in names if (node := hierarchy.node(name)) is not None}
        found = hierarchy.above(list(nodes.values()))
        return {name: np.float32([node in above for node in columns]) for name, above in zip(nodes, found)}

    def function(names, table):
        columns, seen = _at_or_above_seen(hierarchy, table), seen_names(table)
        return complete(names, vectors(names, columns), lambda: vectors(seen, columns), options, hierarchy.says)

    return Made(function, hierarchy.files)


def by_poincare(options: Options) -> Made:
    """In the tree where one is given, else in WordNet."""
    hierarchy = _of_table(options) if options.tree else _of_wordnet(options)
    fitted: dict[tuple[int, ...], np.ndarray] = {}

    def points(nodes):
        if tuple(nodes) not in fitted:
            above = np.array([[node in found for node in nodes] for found in hierarchy.above(nodes)])
            fitted[tuple(nodes)] = poincare.fit(above, dimensions=options.dimensions)
        return fitted[tuple(nodes)]

    def vectors(names, nodes):
        of_class = {name: node for name in names if (node := hierarchy.node(name)) is not None}
        if not of_class:
            return {}
        row = {node: at for at, node in enumerate(nodes)}
        above = np.array([[node in found for node in nodes] for found in hierarchy.above(list(of_class.values()))])
        placed = poincare.placed(points(nodes), above)
        own = [points(nodes)[row[node]] if node in row else point for node, point in zip(of_class.values(), placed)]
        return dict(zip(of_class, poincare.tangent(np.stack(own))))

    def function(names, table):
        nodes, seen = _at_or_above_seen(hierarchy, table), seen_names(table)
        return complete(names, vectors(names, nodes), lambda: vectors(seen, nodes), options, hierarchy.says)

    return Made(function, hierarchy.files)


def _of_wordnet(options: Options) -> Hierarchy:
    path = place(options.wordnet, "wordnet", "FILE.npz")
    nouns = wordnet.load(path)

    def node(name):
        found = wordnet.synset(nouns, name)
        return None if found is None else found[0]

    def above(nodes):
        return [frozenset(found) for found in wordnet.at_or_above(nouns, nodes)]

    return Hierarchy(node, above, {"wordnet_sha256": matfile.sha256(path)}, "WordNet has no noun for")


def _of_table(options: Options) -> Hierarchy:
    path = place(options.tree, "tree", "FILE.csv")
    names, parents = trees.load_tree(path)
    row = {name: node for node, name in enumerate(names)}

    def above(nodes):
        return trees.at_or_above(parents, nodes)

    return Hierarchy(row.get, above, {"tree_sha256": matfile.sha256(path)}, f"{path.name} has no row for")


def _at_or_above_seen(hierarchy: Hierarchy, table) -> list[int]:
    seen = [node for name in seen_names(table) if (node := hierarchy.node(name)) is not None]
    nodes = sorted(frozenset().union(*hierarchy.above(seen)))
    if len(nodes) < 2:
        raise errors.UserError(
            f"{hierarchy.says} {seen_names(table)[0]!r} nor any other seen class, with a node above it"
        )
    return nodes
