"""How fast the bounds are on real class-attribute matrices, and what memory they take.

    python benchmarks/bench_bounds.py FOLDER

FOLDER holds the benchmarks AWA2 and SUN in the xlsa17 layout. First and median time in one process, imports not
counted; the first has what is done once, such as loading HiGHS and compiling.
"""

import pathlib
import resource
import statistics
import sys
import time

import jax
import numpy as np
import scipy.optimize  # noqa: F401, loaded before the clock starts

from zsl_jax import bounds
from zsl_jax.verbs.bounding import tables

ROUNDS = 5


def timed(title: str, function) -> None:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    first, median = seconds[0], statistics.median(seconds[1:])
    print(f"{title:<58} {result:>9}  first {first:6.3f} s  then {median:6.3f} s  peak {peak:5.0f} MiB", flush=True)


def exact(matrix: np.ndarray) -> str:
    *_, found = bounds.narrow(matrix)
    assert found.width <= 1e-6
    return f"{found.lower:.4f}"


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    awa2 = tables.read(str(folder / "AWA2"), None).matrix
    sun = tables.read(str(folder / "SUN"), "all").matrix
    for count in (8, 12, 20, 40, 85):
        timed(f"A*, {len(awa2)} classes, {count} attributes", lambda count=count: exact(awa2[:, :count]))
    timed(
        f"the same over 2^8 patterns, {len(awa2)} classes, 8 attributes",
        lambda: f"{bounds.dense(awa2[:, :8]).accuracy:.4f}",
    )
    timed(
        f"pairwise bound, {len(sun)} classes, {sun.shape[1]} attributes",
        lambda: f"{float(jax.block_until_ready(bounds.pairwise(sun)).mean()):.4f}",
    )


if __name__ == "__main__":
    main()
