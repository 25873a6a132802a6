"""Classes described from their names by files: word vectors, a text tower, WordNet; or several side by side.

    config.classes.source=words+wordnet      [C, D + M], each part of unit length

One place makes the vectors of a dataset's classes and of those that `predict` is given by their names. What the
columns are made of are the seen classes alone.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from zsl_jax import class_encoders, errors
from zsl_jax.class_encoders import sentences, wordnet
from zsl_jax.data import dataset, matfile
from zsl_jax.encoders import stages, towers

DATASET = "dataset"
SOURCES = (DATASET, "words", "sentences", "wordnet")


class Options(NamedTuple):
    """The keys of `config.classes`, see `config_keys`."""

    source: str = DATASET
    words: str = ""
    text: str = ""
    template: str = "a photo of a {}."
    wordnet: str = ""
    measure: str = "ancestors"
    missing: str = "error"


class Source(NamedTuple):
    """What describes classes.

    Fields:
      function: `(names, table) -> [C, A]`, for the classes of `names`; the table says which classes are seen.
      said: what a record says of it, JSON-able.
      notes: names of classes that are described in part, each with what is left out.
    """

    function: Callable[[Sequence[str], dataset.ClassTable], np.ndarray]
    said: dict[str, Any]
    notes: Callable[[Sequence[str]], dict[str, str]]

    @property
    def sha256(self) -> str:
        return self.said["sha256"]

    def __call__(self, names: Sequence[str], table: dataset.ClassTable) -> np.ndarray:
        return self.function(list(names), table)


def is_source(text: Any) -> bool:
    """Whether a text is a sum of sources.

    >>> is_source("words+wordnet"), is_source("words+words"), is_source("")
    (True, False, False)
    """
    parts = text.split("+") if isinstance(text, str) else []
    return bool(parts) and set(parts) <= set(SOURCES) and len(set(parts)) == len(parts)


def make(options: Options) -> Source | None:
    """Returns what the options ask for; None for the dataset's own descriptions alone.

    Raises:
      UserError: a file that is missing, not named, or of another kind.
    """
    if options.source == DATASET:
        return None
    parts = options.source.split("+")
    made = {name: _MAKE[name](options) for name in parts if name != DATASET}
    files = {name: digest for _, name_to_digest, _ in made.values() for name, digest in name_to_digest.items()}
    said = {"by": "class_source", **options._asdict(), **files, "learned": bool({"words", "sentences"} & set(parts))}
    for key in ("words", "text", "wordnet"):  # places are of one machine; hashes are of all
        said.pop(key)
    said["sha256"] = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def function(names: list[str], table: dataset.ClassTable) -> np.ndarray:
        found = [_own(names, table) if name == DATASET else made[name][0](names, table) for name in parts]
        return found[0] if len(found) == 1 else np.asarray(class_encoders.concatenated(found))

    def notes(names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for _, _, left_out in made.values():
            for name, words in left_out(list(names)).items():
                found[name] = "; ".join(filter(None, (found.get(name), words)))
        return found

    return Source(function, said, notes)


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
        found = others.embedding if described_by is None else described_by(whole.names, whole)[len(source.classes) :]
        return _permuted(found, seed) if permuted and len(others) > 1 else found

    info, embedding = dict(source.info), source.classes.embedding
    if described_by is not None:
        if not source.classes.names:
            raise errors.UserError(f"{source.name} has no names of classes for config.classes.source")
        embedding = described_by(source.classes.names, source.classes)
        # The columns of the table are no longer those that the source has names for.
        info.pop("attributes", None)
        info["semantics"] = described_by.said["source"]
        info["described_by"] = {**described_by.said, "left_out": described_by.notes(source.classes.names)}
    if permuted:
        embedding = _permuted(embedding, seed)
        info["semantics"] = f"{info['semantics']}, permuted"
        if "described_by" in info:  # the name of another class says nothing of it
            info["described_by"] = {
                **info["described_by"],
                "by": "permuted",
                "learned": _is_learned(info["described_by"]),
            }
    classes = dataclasses.replace(source.classes, embedding=embedding)
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


def _words(options: Options):
    path = _place(options.words, "words", "FILE.txt")

    def of(names):
        """Vectors of the names that have any, and the words of each that have none."""
        known = class_encoders.load_word_vectors(path, {word for n in names for word in class_encoders.words(n)})
        lacks = {name: [word for word in class_encoders.words(name) if word not in known] for name in names}
        has = [name for name in names if len(lacks[name]) < len(class_encoders.words(name))]
        ignored = {word for words in lacks.values() for word in words}
        rows = class_encoders.word_embedding(has, known, ignored=ignored) if has else np.zeros((0, 1), np.float32)
        return dict(zip(has, rows)), lacks

    def function(names, table):
        rows, seen = of(names)[0], _seen(table)
        return _complete(names, rows, lambda: of(seen)[0], options, f"{path.name} has no vector for any word of")

    def left_out(names):
        return {name: " ".join(words) for name, words in of(names)[1].items() if words}

    return function, {"words_sha256": matfile.sha256(path)}, left_out


def _sentences(options: Options):
    tower = towers.load_text_tower(_place(options.text, "text", "FOLDER"))

    def function(names, table):
        texts = [text for (text,) in sentences.from_names(names, options.template)]
        return stages.applied(tower.stage(), texts)

    return function, {"text_sha256": tower.sha256}, lambda names: {}


def _wordnet(options: Options):
    path = _place(options.wordnet, "wordnet", "FILE.npz")
    nouns = wordnet.load(path)

    def found(names):
        return {name: place for name in names if (place := wordnet.synset(nouns, name)) is not None}

    def function(names, table):
        rows, seen = found(names), found(_seen(table))
        anchors = [row for row, _ in seen.values()] or [row for row, _ in rows.values()]
        if not anchors:
            raise errors.UserError(f"WordNet has no noun for {names[0]!r} nor any other class")

        def vectors(places):
            made = wordnet.embedding(nouns, [r for r, _ in places.values()], anchors=anchors, measure=options.measure)
            return dict(zip(places, made))

        return _complete(names, vectors(rows), lambda: vectors(seen), options, "WordNet has no noun for")

    def left_out(names):
        places = {name: wordnet.synset(nouns, name) for name in names}
        dropped = {
            name: len(class_encoders.words(name)) if place is None else place[1] for name, place in places.items()
        }
        return {name: " ".join(class_encoders.words(name)[:count]) for name, count in dropped.items() if count}

    return function, {"wordnet_sha256": matfile.sha256(path)}, left_out


_MAKE = {"words": _words, "sentences": _sentences, "wordnet": _wordnet}


def _seen(table: dataset.ClassTable) -> list[str]:
    """The seen classes; all where none is."""
    return [name for name, is_seen in zip(table.names, np.asarray(table.is_seen)) if is_seen] or list(table.names)


def _complete(
    names: list[str],
    rows: dict[str, np.ndarray],
    seen: Callable[[], dict[str, np.ndarray]],
    options: Options,
    says: str,
) -> np.ndarray:
    """The vectors of all classes; those that have none are an error, or get the mean of the seen ones."""
    unknown = [name for name in names if name not in rows]
    if unknown and options.missing == "error":
        more = f" and of {len(unknown) - 1} more classes" if len(unknown) > 1 else ""
        raise errors.UserError(
            f"{says} {unknown[0]!r}{more}: --config.classes.missing=mean gives them the mean of the seen classes"
        )
    if unknown:
        known = seen() or rows
        if not known:
            raise errors.UserError(f"{says} {unknown[0]!r}, nor of any seen class")
        rows = rows | dict.fromkeys(unknown, np.mean(list(known.values()), axis=0))
    return np.stack([rows[name] for name in names]).astype(np.float32)


def _place(path: str, name: str, what: str) -> pathlib.Path:
    if not path:
        raise errors.UserError(f"config.classes.source needs a file: --config.classes.{name}={what}")
    found = pathlib.Path(path).expanduser()
    if not found.exists() and name != "text":  # a tower may be a name
        raise errors.UserError(f"config.classes.{name}={path}: there is no such file")
    return found
