"""How a run grows with rows and with classes: time of an epoch, of the evaluation, of the whole run, and its memory.

    python benchmarks/bench_growth.py rows        # 125 thousand to a million rows of 512 features, 1,000 classes
    python benchmarks/bench_growth.py classes     # 1,365 to 21,841 classes of 300 attributes, 50,000 rows

Each run is `zsl-jax train --config=ale:npz` on an archive of random features, in a process of its own: two epochs,
nothing chosen, no figures, everything else as a user has it. Memory is the most that the process ever held; beside it
stand the features, which an archive of a training holds once, and which go to the device as another copy.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

ROWS = (125_000, 250_000, 500_000, 1_000_000)
CLASSES = (1_365, 5_460, 21_841)
FEATURES, ATTRIBUTES, EPOCHS = 512, 300, 2
BATCH = 1024


def main(what: str) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    print("| rows | classes | features | an epoch | evaluation | the whole run | most memory |")
    print("|---" * 7 + "|")
    sizes = [(rows, 1_000) for rows in ROWS] if what == "rows" else [(50_000, classes) for classes in CLASSES]
    for rows, classes in sizes:
        with tempfile.TemporaryDirectory() as folder:
            archive = pathlib.Path(folder) / "archive.npz"
            write(archive, rows, classes)
            print(row(archive, rows, classes, pathlib.Path(folder) / "run"), flush=True)


def write(path: pathlib.Path, rows: int, classes: int) -> None:
    """An archive in the layout of `zsl_jax/data/npz.py`: features around the image of their class's attributes."""
    rng = np.random.default_rng(0)
    attributes = rng.standard_normal((classes, ATTRIBUTES), np.float32)
    labels = (np.arange(rows) % classes).astype(np.int32)
    centres = attributes @ rng.standard_normal((ATTRIBUTES, FEATURES), np.float32)
    features = np.empty((rows, FEATURES), np.float32)
    for begin in range(0, rows, 10_000):
        part = slice(begin, begin + 10_000)
        noise = rng.standard_normal((len(labels[part]), FEATURES), np.float32)
        features[part] = centres[labels[part]] + 30 * noise
    names = np.array([f"class {number}" for number in range(classes)])
    np.savez(path, features=features, labels=labels, attributes=attributes, class_names=names)


def row(archive: pathlib.Path, rows: int, classes: int, workdir: pathlib.Path) -> str:
    options = {
        "data.file": archive,
        "data.semantics": "attributes",
        "train.epochs": EPOCHS,
        "train.batch_size": BATCH,
        "select.on": "nothing",
    }
    changes = [f"--config.{key}={value}" for key, value in (options | {"plots": "none"}).items()]
    line = [sys.executable, "-m", "zsl_jax", "train", "--config=ale:npz", *changes, f"--workdir={workdir}"]
    begin = time.perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    whole = time.perf_counter() - begin
    if status:
        raise RuntimeError(said)
    record = json.loads((workdir / "record.json").read_text())
    steps = -(-record["dataset"]["counts"]["train"] // BATCH)
    epoch = steps / record["timing"]["steps_per_s"]
    return (
        f"| {rows:,} | {classes:,} | {rows * FEATURES * 4 / 2**20:,.0f} MiB | {epoch:.2f} s | "
        f"{record['timing']['evaluate_s']:.1f} s | {whole:.0f} s | {used.ru_maxrss / 2**10:,.0f} MiB |"
    )


if __name__ == "__main__":
    main(sys.argv[1])
