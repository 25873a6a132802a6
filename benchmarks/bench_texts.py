"""Seconds to encode texts by a frozen text tower and to label them, by the clock and of the processor, best of passes.

    python benchmarks/bench_texts.py TOWER FILE [COUNT] [NAMES]

TOWER is a folder, see `encoders.towers`. FILE is a table of texts (.csv, .tsv, .jsonl, .txt), or a .json of texts on
classes; of the latter NAMES, a text file with a class per line or a benchmark in the xlsa17 layout, takes some. COUNT
texts are drawn with a fixed seed, 0 for all. Nothing is kept on disk. Compilation is the first pass, which is not
counted. Other work on the processors shows in the load average, and not in processor time. What follows the encoding,
`label_similarity` with ten rounds, is timed on random vectors of 7,600 texts and 150 labels.
"""

import importlib
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, similarity
from zsl_jax.class_encoders import sentences
from zsl_jax.data import xlsa17
from zsl_jax.encoders import towers

# The package gives the module's name to its factory.
label_similarity = importlib.import_module("zsl_jax.methods.label_similarity")
PASSES, TEXTS, LABELS = 3, 7600, 150


def main(tower: str, file: str, count: str = "0", names: str = "") -> None:
    texts = read(pathlib.Path(file), names)
    drawn = np.random.default_rng(0).permutation(len(texts))[: int(count) or None]
    chosen = [texts[row] for row in sorted(drawn)]
    loaded = towers.load_text_tower(tower)
    tokens = sum(len(encoding.ids) for encoding in loaded.tokenizer.encode_batch(chosen))
    print(f"{len(chosen)} of {len(texts)} texts, {tokens} tokens, by {loaded.name} ({loaded.width} numbers)")
    by_clock, of_processor = timed(lambda: loaded.encode(chosen))
    print(
        f"best of {PASSES}: {by_clock:.1f} s by the clock, {of_processor:.1f} s of the processor, "
        f"{len(chosen) / of_processor:.0f} texts per second of it; load average {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} processors"
    )
    by_clock, of_processor = timed(labelling())
    print(f"{TEXTS} texts x {LABELS} labels, ten rounds: {by_clock:.2f} s by the clock, {of_processor:.2f} s")


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Returns the seconds of the best pass after the first, by the clock and of the processor."""
    function()
    found = []
    for _ in range(PASSES):
        clock, processor = time.perf_counter(), time.process_time()
        function()
        found.append((time.perf_counter() - clock, time.process_time() - processor))
    by_clock, of_processor = (min(each) for each in zip(*found))
    return by_clock, of_processor


def labelling() -> Callable[[], Any]:
    """Returns what gives each of the vectors of texts its label, refined by all of them."""
    rng = np.random.default_rng(0)
    labels, texts = (rng.standard_normal((count, 384)).astype(np.float32) for count in (LABELS, TEXTS))

    @jax.jit
    def best(labels, texts):
        moved = label_similarity.refined(labels, texts, rounds=10, temperature=0.03, prior=0.05)
        return jnp.argmax(similarity.cosine(texts, moved), axis=1)

    return lambda: jax.block_until_ready(best(labels, texts))


def read(file: pathlib.Path, names: str) -> list[str]:
    """Returns the different texts of a file, in their order."""
    if file.suffix != ".json":
        return list(dict.fromkeys(data.load("texts", file=str(file)).inputs))
    held = sentences.load_texts(file)
    if names:
        place = pathlib.Path(names)
        wanted = (
            data.load("xlsa17", dir=str(xlsa17.find_folder(place))).classes.names
            if place.is_dir()
            else place.read_text().splitlines()
        )
        found = sentences.from_texts(wanted, held, "{text}", missing="names")
    else:
        found = list(held.values())
    return list(dict.fromkeys(text for some in found for text in some))


if __name__ == "__main__":
    main(*sys.argv[1:])
