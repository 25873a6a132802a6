"""Classes described from their names by files: word vectors, texts, a hierarchy, a graph; or several side by side.

    config.classes.source=words+wordnet      [C, D + M], each part of unit length times the root of its weight, or both
                                             apart, where the method learns the weights
    config.classes.source=graph              [C] nodes, with the graph in `ClassTable.shared`

One place makes the vectors of a dataset's classes and of those that `predict` is given by their names. What the
columns are made of are the seen classes alone.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.data import dataset, soundness
from zsl_jax.encoders import hierarchy_sources, property_sources, source_parts, word_sources
from zsl_jax.encoders.source_parts import Made, Options

DATASET = "dataset"
GRAPH = "graph"
LEARNED = "learned"  # weights
MAKE: dict[str, Callable[[Options], Made]] = {
    "words": word_sources.words,
    "retrofitted": word_sources.retrofitted,
    "sentences": word_sources.sentence_vectors,
    "tf_idf": word_sources.tf_idf,
    "esa": word_sources.esa,
    "norms": word_sources.norms,
    "properties": property_sources.properties,
    "wordnet": hierarchy_sources.by_wordnet,
    "tree": hierarchy_sources.by_tree,
    "poincare": hierarchy_sources.by_poincare,
    GRAPH: word_sources.graph,
}
SOURCES = (DATASET, *MAKE)


class Source(NamedTuple):
    """What describes classes.

    Fields:
      function: `(names, table) -> [C, A]`, for the classes of `names`; the table says which classes are seen. Where
        weights are learned, `{source: [C, A_k]}`.
      said: what a record says of it, JSON-able.
      notes: names of classes that are described in part, each with what is left out.
      shared: what belongs to all classes together, see `ClassTable.shared`; None for most.
      facts: what a record says of the classes that the vectors are made from, by the table, JSON-able.
      is_own: whether the columns are those of the dataset's own descriptions.
      columns: what the columns are called, where they have names of their own.
    """

    function: Callable[[Sequence[str], dataset.ClassTable], Any]
    said: dict[str, Any]
    notes: Callable[[Sequence[str]], dict[str, str]]
    shared: Any = None
    facts: Callable[[dataset.ClassTable], dict[str, Any]] = lambda table: {}
    is_own: bool = False
    columns: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return self.said["sha256"]

    def __call__(self, names: Sequence[str], table: dataset.ClassTable) -> Any:
        return self.function(list(names), table)


def is_source(text: Any) -> bool:
    """Whether a text is a sum of sources.

    >>> is_source("words+wordnet"), is_source("words+words"), is_source("")
    (True, False, False)
    >>> is_source("graph"), is_source("graph+words")
    (True, False)
    """
    parts = text.split("+") if isinstance(text, str) else []
    is_sum = bool(parts) and set(parts) <= set(SOURCES) and len(set(parts)) == len(parts)
    return is_sum and (GRAPH not in parts or len(parts) == 1)


def is_weights(text: Any) -> bool:
    """Whether a text is empty, `learned`, or numbers above 0 with commas between them.

    >>> is_weights(""), is_weights("2,0.5"), is_weights("learned"), is_weights("2,-1"), is_weights("inf")
    (True, True, True, False, False)
    """
    try:
        return text in ("", LEARNED) or all(0 < float(part) < float("inf") for part in text.split(","))
    except (AttributeError, ValueError):
        return False


def make(options: Options) -> Source | None:
    """Returns what the options ask for; None for the dataset's own descriptions alone.

    Raises:
      UserError: a file that is missing, not named, or of another kind.
    """
    if options.source == DATASET:
        return None
    parts = options.source.split("+")
    learned = options.weights == LEARNED
    if learned and len(parts) == 1:
        raise errors.UserError(f"config.classes.weights={LEARNED}: {options.source} is one source, nothing to weight")
    given = "" if learned else options.weights
    weights = [float(weight) for weight in given.split(",")] if given else [1.0] * len(parts)
    if len(weights) != len(parts):
        raise errors.UserError(
            f"config.classes.weights={options.weights}: {len(parts)} sources, {options.source}, need as many weights"
        )
    made = {name: MAKE[name](options) for name in parts if name != DATASET}
    files = {name: digest for each in made.values() for name, digest in each.files.items()}
    said = {"by": "class_source", **options._asdict(), **files}
    said["learned"] = any(each.learned for each in made.values())
    for key, default in Options()._asdict().items():  # what is not used says nothing, and old hashes hold
        if key in source_parts.PLACES or (key in source_parts.LATER and said[key] == default):
            said.pop(key)
    said["sha256"] = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def function(names: list[str], table: dataset.ClassTable) -> Any:
        found = [_own(names, table) if name == DATASET else made[name].function(names, table) for name in parts]
        for part, matrix in zip(parts, found):
            if isinstance(matrix, np.ndarray) and matrix.ndim == 2 and (wrong := soundness.descriptions(matrix, names)):
                raise errors.UserError(f"config.classes.source={part}: {wrong}")
        if learned:
            return dict(zip(parts, found))
        return found[0] if len(found) == 1 else np.asarray(class_encoders.concatenated(found, weights=weights))

    def notes(names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in made.values():
            for name, words in each.left_out(list(names)).items():
                found[name] = "; ".join(filter(None, (found.get(name), words)))
        return found

    def facts(table: dataset.ClassTable) -> dict[str, Any]:
        return {name: value for each in made.values() for name, value in each.facts(table).items()}

    shared = made[GRAPH].shared if GRAPH in made else None
    alone = made[parts[0]] if len(parts) == 1 else Made(function, {})
    return Source(function, said, notes, shared, facts, alone.is_own, alone.columns)


def dataset_of(
    source: dataset.Dataset, described_by: Source | None, *, permuted: bool = False, seed: int = 0
) -> dataset.Dataset:
    """Returns a dataset with the class vectors of a source.

    Args:
      source: the dataset.
      described_by: from `make`; None keeps its own.
      permuted: whether each class gets the vector of another one.
      seed: of who gets whose.

    Raises:
      UserError: a class that has no name, or no word of it that the source knows.
    """
    if described_by is None and not permuted:
        return source

    def describe(others: dataset.ClassTable) -> Any:
        others = dataclasses.replace(others, embedding=source.describe(others))
        whole = dataset.joined(source.classes, others)
        found = others.embedding
        if described_by is not None:
            found = jax.tree.map(lambda x: x[len(source.classes) :], described_by(whole.names, whole))
        return _permuted(found, seed) if permuted and len(others) > 1 else found

    info, embedding = dict(source.info), source.classes.embedding
    if described_by is not None:
        if not source.classes.names:
            raise errors.UserError(f"{source.name} has no names of classes for config.classes.source")
        embedding = described_by(source.classes.names, source.classes)
        if not described_by.is_own:
            for name in ("attributes", "attribute_names"):  # of other columns
                info.pop(name, None)
        if described_by.columns:
            info["attributes"] = list(described_by.columns)
        info["semantics"] = described_by.said["source"]
        left_out = described_by.notes(source.classes.names)
        info["described_by"] = {**described_by.said, **described_by.facts(source.classes), "left_out": left_out}
    if permuted:
        embedding = _permuted(embedding, seed)
        info["semantics"] = f"{info['semantics']}, permuted"
        if "described_by" in info:  # the name of another class says nothing of it
            info["described_by"] = {
                **info["described_by"],
                "by": "permuted",
                "learned": _is_learned(info["described_by"]),
            }
    shared = source.classes.shared if described_by is None else described_by.shared
    classes = dataclasses.replace(source.classes, embedding=embedding, shared=shared)
    return dataclasses.replace(
        source, classes=classes, info=info, describe=None if source.describe is None else describe
    )


def _permuted(embedding: Any, seed: int) -> Any:
    return jax.tree.map(lambda x: np.asarray(class_encoders.permuted(jax.random.key(seed), x)), embedding)


def _is_learned(said: dict[str, Any]) -> bool:
    """Whether vectors come from weights that were learned on other data."""
    return bool(said.get("learned") or said["by"] == "text_tower")


def _own(names: list[str], table: dataset.ClassTable) -> np.ndarray:
    if list(table.names) != names or np.ndim(table.embedding) != 2:
        raise errors.UserError(
            "config.classes.source has the dataset's own descriptions in it, which names do not say: give it a table"
        )
    return np.asarray(table.embedding)
