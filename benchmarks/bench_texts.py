"""Seconds to encode texts by a frozen text tower, by the clock and of the processor, best of some passes.

    python benchmarks/bench_texts.py TOWER FILE [COUNT] [NAMES]

TOWER is a folder, see `encoders.towers`. FILE is a table of texts (.csv, .tsv, .jsonl, .txt), or a .json of texts on
classes; of the latter NAMES, a text file with a class per line or a benchmark in the xlsa17 layout, takes some. COUNT
texts are drawn with a fixed seed, 0 for all. Nothing is kept on disk. Compilation is the first pass, which is not
counted. Other work on the processors shows in the load average, and not in processor time.
"""

import os
import pathlib
import sys
import time

import numpy as np

from zsl_jax import data
from zsl_jax.class_encoders import sentences
from zsl_jax.data import xlsa17
from zsl_jax.encoders import towers

PASSES = 3


def main(tower: str, file: str, count: str = "0", names: str = "") -> None:
    texts = read(pathlib.Path(file), names)
    drawn = np.random.default_rng(0).permutation(len(texts))[: int(count) or None]
    chosen = [texts[row] for row in sorted(drawn)]
    loaded = towers.load_text_tower(tower)
    tokens = sum(len(encoding.ids) for encoding in loaded.tokenizer.encode_batch(chosen))
    print(f"{len(chosen)} of {len(texts)} texts, {tokens} tokens, by {loaded.name} ({loaded.width} numbers)")
    loaded.encode(chosen)
    found = []
    for _ in range(PASSES):
        clock, processor = time.perf_counter(), time.process_time()
        loaded.encode(chosen)
        found.append((time.perf_counter() - clock, time.process_time() - processor))
    by_clock, of_processor = (min(each) for each in zip(*found))
    print(
        f"best of {PASSES}: {by_clock:.1f} s by the clock, {of_processor:.1f} s of the processor, "
        f"{len(chosen) / of_processor:.0f} texts per second of it; load average {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} processors"
    )


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
