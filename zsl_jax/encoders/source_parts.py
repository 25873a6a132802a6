"""What the sources of `config.classes.source` are made of: their options, what each gives, and what they share."""

import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from zsl_jax import errors
from zsl_jax.data import dataset


class Options(NamedTuple):
    """The keys of `config.classes`, see `config_keys`."""

    source: str = "dataset"
    words: str = ""
    text: str = ""
    template: str = "a photo of a {}."
    texts: str = ""
    wordnet: str = ""
    measure: str = "ancestors"
    tree: str = ""
    dimensions: int = 10
    graph: str = ""
    edges: str = "given"
    neighbors: int = 16
    weights: str = ""
    missing: str = "error"
    concepts: str = ""
    num_concepts: int = 500
    norms: str = "ridge"
    nearest: int = 5
    temperature: float = 0.1
    strength: float = 1.0
    properties: str = ""
    phrase: str = "a photo of something {}."
    ranking: str = "both"
    tie: str = ""
    prototypes: str = ""


# Options that are places of one machine, and those that came after the first records.
PLACES = ("words", "text", "texts", "wordnet", "tree", "graph", "concepts", "properties", "tie", "prototypes")
LATER = (
    "dimensions",
    "edges",
    "neighbors",
    "weights",
    "num_concepts",
    "norms",
    "nearest",
    "temperature",
    "strength",
    "phrase",
    "ranking",
)


class Made(NamedTuple):
    """A source with its files read.

    Fields:
      function: `(names, table) -> [C, A]`; the table says which classes are seen.
      files: hashes of its files by the name that a record has for them.
      left_out: `names -> {name: words}`, what is left out of a name.
      learned: whether it was learned on other data.
      shared: see `ClassTable.shared`.
      facts: `table -> dict`, what a record says of the classes that it was made from, JSON-able.
      is_own: whether the columns are those of the dataset's own descriptions.
      columns: what the columns are called, where they have names of their own.
    """

    function: Callable[[list[str], dataset.ClassTable], np.ndarray]
    files: dict[str, str]
    left_out: Callable[[list[str]], dict[str, str]] = lambda names: {}
    learned: bool = False
    shared: Any = None
    facts: Callable[[dataset.ClassTable], dict[str, Any]] = lambda table: {}
    is_own: bool = False
    columns: tuple[str, ...] = ()


def seen_names(table: dataset.ClassTable) -> list[str]:
    """Returns the names of the seen classes; all where none is."""
    return [name for name, is_seen in zip(table.names, np.asarray(table.is_seen)) if is_seen] or list(table.names)


def complete(
    names: list[str],
    rows: dict[str, np.ndarray],
    seen: Callable[[], dict[str, np.ndarray]],
    options: Options,
    says: str,
) -> np.ndarray:
    """Returns the vectors of all classes; those that have none are an error, or get the mean of the seen ones.

    Raises:
      UserError: a class without a vector, which it names.
    """
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


def place(path: str, name: str, what: str) -> pathlib.Path:
    """Returns the path of a file that a source needs.

    Raises:
      UserError: it is not given, or not there.
    """
    if not path:
        raise errors.UserError(f"config.classes.source needs a file: --config.classes.{name}={what}")
    found = pathlib.Path(path).expanduser()
    if not found.exists() and name != "text":  # a tower may be a name
        raise errors.UserError(f"config.classes.{name}={path}: there is no such file")
    return found
