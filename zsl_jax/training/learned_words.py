"""The words that a learned prompt is nearest to, as a run leaves them: WORKDIR/words.csv.

vector,word_1,cosine_1,...      a line per learned vector: of the context by its place, of a name by the name
"""

import csv
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import methods, whole_files
from zsl_jax.data import dataset
from zsl_jax.encoders import prompts
from zsl_jax.training import problems

FILE = "words.csv"
_COUNT = 5


def nearest(
    config, state: Any, classes: dataset.ClassTable, source: dataset.Dataset, *, count: int = _COUNT
) -> dict[str, list[tuple[str, float]]]:
    """Returns the words of the tower nearest to each learned vector of a finished state, with their cosines.

    Empty for a method that learns no word: none that is before a text tower, or one that learns something else.

    Args:
      config: of the run.
      state: what `finish` left.
      classes: of the run; the first ones were trained on.
      source: the dataset, which names the parts of pairs.
      count: words per vector.
    """
    if "towers" not in config or not isinstance(state, Mapping):
        return {}
    if not methods.learns_prompts(config_lib.trained(config).name):
        return {}
    trained, parts = classes.names[: classes.num_trained], source.parts or ((), ())
    found = {}
    for key, named in (("names", trained), ("attribute_tokens", parts[0]), ("object_tokens", parts[1])):
        found |= dict(zip(named, np.asarray(state["params"].get(key, ()))))
    context = np.asarray(state["params"].get("context", ()))
    of = [f" of {name}" for name in trained] if context.ndim == 3 else [""]
    for whose, vectors in zip(of, context if context.ndim == 3 else [context]):
        found |= {f"context {place}{whose}": vector for place, vector in enumerate(vectors, 1)}
    if not found:
        return {}
    tower = problems.prompt_tower(config).tower
    return dict(zip(found, prompts.nearest_words(tower, np.stack(list(found.values())), count=count)))


def write(folder: pathlib.Path, near: Mapping[str, list[tuple[str, float]]]) -> None:
    """Writes what `nearest` found into a folder; no file where it found nothing."""
    if not near:
        return
    columns = [f"{name}_{i}" for i in range(1, 1 + len(next(iter(near.values())))) for name in ("word", "cosine")]
    with whole_files.replacing(folder / FILE) as part, part.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["vector", *columns])
        for name, words in near.items():
            lines.writerow([name, *(entry for word, cosine in words for entry in (word, f"{cosine:.3f}"))])
