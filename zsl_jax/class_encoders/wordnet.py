"""Class vectors from WordNet: where the names of classes stand among its nouns.

    "046.Black_footed_Albatross" --> black-footed albatross --> albatross --> ... --> bird --> ... --> entity

The archive holds, as bytes in UTF-8, one line each, `lemmas` (one synset per line) and `first_sense` (`LEMMA<TAB>ROW`,
the row of the synset that a word usually means), and `hypernym [E, 2]`, rows of a synset and of one above it.
"""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.class_encoders import texts

MEASURES = ("ancestors", "path", "lin", "resnik")


class Nouns(NamedTuple):
    """Synsets by number.

    Fields:
      senses: the synset of a word, in lower case with underscores.
      hypernyms: `[E, 2]` int, a synset and one above it.
      count: how many synsets there are.
      lemmas: what each synset is called first, with underscores; empty where nobody asks.
    """

    senses: Mapping[str, int]
    hypernyms: np.ndarray
    count: int
    lemmas: tuple[str, ...] = ()


def load(path: str | os.PathLike) -> Nouns:
    """Reads the archive.

    Raises:
      UserError: no such file, or one without these arrays.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise errors.UserError(f"no file of WordNet nouns {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            lemmas, senses, hypernyms = (archive[name] for name in ("lemmas", "first_sense", "hypernym"))
        called = tuple(line.split(",")[0] for line in bytes(lemmas).decode().splitlines())
        count = len(called)
        pairs = [line.split("\t") for line in bytes(senses).decode().splitlines()]
        found = Nouns({word: int(row) for word, row in pairs}, np.asarray(hypernyms, np.int64), count, called)
        if found.hypernyms.ndim != 2 or not 0 <= found.hypernyms.min() <= found.hypernyms.max() < count:
            raise ValueError("hypernym has rows that no synset has")
    except Exception as error:  # a damaged archive raises what it likes
        raise errors.UserError(
            f"{path} is no archive of WordNet nouns (lemmas, first_sense, hypernym): {' '.join(str(error).split())}"
        ) from error
    return found


def load_articles(path: str | os.PathLike) -> list[str]:
    """Reads what each synset is called, with its gloss: "gadwall Anas strepera: a freshwater duck".

    Raises:
      UserError: no such file, or one without glosses.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise errors.UserError(f"no file of WordNet nouns {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            lemmas, glosses = (bytes(archive[name]).decode().split("\n") for name in ("lemmas", "glosses"))
        if len(lemmas) != len(glosses):
            raise ValueError(f"{len(lemmas)} lemmas and {len(glosses)} glosses")
    except Exception as error:  # a damaged archive raises what it likes
        raise errors.UserError(
            f"{path} is no archive of WordNet nouns with glosses: {' '.join(str(error).split())}"
        ) from error
    return [f"{re.sub('[_,]', ' ', names)}: {gloss}" for names, gloss in zip(lemmas, glosses) if names]


def synset(nouns: Nouns, name: str) -> tuple[int, int] | None:
    """Returns the synset of a class name and how many of its words, the first ones, had to go; None without any.

    The last words of an English name say what it is: a Brewer's blackbird is a blackbird.

    >>> nouns = Nouns({"tree_sparrow": 2, "sparrow": 1}, np.array([[2, 1], [1, 0]]), 3)
    >>> synset(nouns, "118.House_Sparrow"), synset(nouns, "tree sparrows"), synset(nouns, "gnu")
    ((1, 1), (2, 0), None)
    """
    parts = texts.words(name)
    for dropped in range(len(parts)):
        rest = parts[dropped:]
        forms = ["_".join(rest)] + [
            "_".join([*rest[:at], f"{rest[at]}-{rest[at + 1]}", *rest[at + 2 :]]) for at in range(len(rest) - 1)
        ]
        for form in forms:
            for word in (form, form.removesuffix("s")):
                if word in nouns.senses:
                    return nouns.senses[word], dropped
    return None


def at_or_above(nouns: Nouns, rows: Sequence[int]) -> list[list[int]]:
    """Returns each synset with all that are above it.

    >>> at_or_above(Nouns({}, np.array([[2, 1], [1, 0], [3, 0]]), 4), [2, 3])
    [[0, 1, 2], [0, 3]]
    """
    if not len(rows):
        return []
    nodes, steps = distances(nouns, rows)
    return [nodes[np.isfinite(row)].tolist() for row in steps]


def distances(nouns: Nouns, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the M synsets at or above some, and the least number of steps up to each, `[C, M]`, inf where not above.

    >>> nouns = Nouns({}, np.array([[2, 1], [1, 0], [3, 0]]), 4)
    >>> distances(nouns, [2, 3])
    (array([0, 1, 2, 3]), array([[ 2.,  1.,  0., inf],
           [ 1., inf, inf,  0.]]))
    """
    above: dict[int, list[int]] = {}
    for low, high in nouns.hypernyms.tolist():
        above.setdefault(low, []).append(high)
    steps = []
    for row in rows:
        found, level = {int(row): 0}, [int(row)]
        while level:
            level = list(dict.fromkeys(up for node in level for up in above.get(node, ()) if up not in found))
            found |= dict.fromkeys(level, 1 + max(found.values()))
        steps.append(found)
    nodes = sorted(set().union(*steps))
    return np.array(nodes), np.array([[found.get(node, np.inf) for node in nodes] for found in steps])


def information(nouns: Nouns, nodes: np.ndarray) -> np.ndarray:
    """Returns `[M]` how much a synset says, in [0, 1], by how few there are below it.

        IC(s) = 1 - log(1 + number of synsets below s) / log(number of all synsets)

    Reference: Seco, Veale, Hayes, "An Intrinsic Information Content Metric for Semantic Similarity in WordNet", ECAI
    2004.

    >>> information(Nouns({}, np.array([[2, 1], [1, 0], [3, 0]]), 4), np.array([0, 1, 2])).round(2)
    array([0. , 0.5, 1. ])
    """
    below: dict[int, list[int]] = {}
    for low, high in nouns.hypernyms.tolist():
        below.setdefault(high, []).append(low)
    counts = []
    for node in nodes.tolist():
        found, level = {node}, [node]
        while level:
            level = [down for up in level for down in below.get(up, ()) if down not in found]
            found.update(level)
        counts.append(len(found))
    return 1 - np.log(counts) / np.log(nouns.count)


def embedding(nouns: Nouns, rows: Sequence[int], *, anchors: Sequence[int], measure: str = "ancestors") -> np.ndarray:
    """Class vectors of synsets: their ancestors, or how similar they are to the anchors.

        ancestors   1 if synset m is at or above the class, for each m at or above an anchor
        path        1 / (1 + steps from the class to the anchor through a synset above both)
        lin         2 IC(s) / (IC(class) + IC(anchor))        s: the synset above both that says most
        resnik      IC(s)

    Args:
      nouns: from `load`.
      rows: `[C]` synsets of the classes.
      anchors: `[S]` synsets that the columns are made of: those of the seen classes.
      measure: one of `MEASURES`.

    Returns:
      `[C, M]` or `[C, S]`, float32, in [0, 1].

    Reference: Lin, "An Information-Theoretic Definition of Similarity", ICML 1998; Resnik, "Using Information Content
    to Evaluate Semantic Similarity in a Taxonomy", IJCAI 1995; Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding
    for Image Classification", TPAMI 2016, for the ancestors.

    >>> nouns = Nouns({}, np.array([[2, 1], [1, 0], [3, 0], [4, 1]]), 5)
    >>> print(embedding(nouns, [2, 4], anchors=[4, 3], measure="path").round(2))
    [[0.33 0.25]
     [1.   0.25]]
    """
    if measure not in MEASURES:
        raise errors.unknown("measure", measure, MEASURES)
    nodes, steps = distances(nouns, [*rows, *anchors])
    of_class, of_anchor = steps[: len(rows)], steps[len(rows) :]
    if measure == "ancestors":
        return np.isfinite(of_class[:, np.isfinite(of_anchor).any(axis=0)]).astype(np.float32)
    if measure == "path":
        found = [1 / (1 + np.min(of_class + row, axis=1, initial=np.inf)) for row in of_anchor]
        return np.stack(found, axis=1).astype(np.float32)
    says = information(nouns, nodes)
    shared = [np.max(np.where(np.isfinite(of_class + row), says, 0), axis=1) for row in of_anchor]
    found = np.stack(shared, axis=1)
    if measure == "lin":
        place = {node: number for number, node in enumerate(nodes.tolist())}
        own = says[[place[int(row)] for row in (*rows, *anchors)]]
        total = own[: len(rows), None] + own[None, len(rows) :]
        found = 2 * found / np.maximum(total, np.finfo(np.float32).tiny)
    return found.astype(np.float32)
