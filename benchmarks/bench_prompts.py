"""How fast a step of CoOp is before a real text tower, what memory it takes, and what bounds it.

    python benchmarks/bench_prompts.py TOWER TIE.npz NAMES.txt [ROUNDS]

A class name per line; groceries have 43. Each round is one step of CoOp on a batch of 64 images and one product of
2048 x 2048 matrices, in turn, in one process. Other work on the machine makes a round slower by the clock, and by
processor time a little: the best of each is printed, the load beside it, and the steps per second that the processor
time allows where all cores are free. The share is that of the step's arithmetic, as XLA counts it, at the rate of the
best product, by processor time. Temporaries are what XLA sets aside beside arguments and results; the peak is that of
the process, with Python, the tower and the compiler.
"""

import os
import pathlib
import resource
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, methods
from zsl_jax.encoders import described, prompts, ties, towers

BATCH, SIDE = 64, 2048


def timed(function) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    jax.block_until_ready(function())
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    folder, tie, names, *rounds = sys.argv[1:]
    lines = tuple(filter(None, pathlib.Path(names).read_text().splitlines()))
    tower = prompts.PromptTower(towers.load_text_tower(folder), ties.load(tie), "a photo of a {}.", described.Options())
    table = data.ClassTable(tower(lines), np.ones(len(lines), bool), lines)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((BATCH, tower.image_width)).astype(np.float32)
    batch = data.Batch(inputs, rng.integers(0, len(lines), BATCH).astype(np.int32), np.ones(BATCH, bool))
    method, key = methods.factory("coop")(tower), jax.random.key(0)
    state = jax.jit(method.init)(key, batch, table, jax.tree.map(jnp.asarray, method.weights()))
    step = jax.jit(method.update).lower(state, batch, table, key).compile()
    matrix = jnp.asarray(rng.standard_normal((SIDE, SIDE)), jnp.float32)
    product = jax.jit(jnp.matmul).lower(matrix, matrix).compile()

    forms = {
        "step": lambda: step(state, batch, table, key),
        "product": lambda: product(matrix, matrix),
    }
    taken = [{name: timed(form) for name, form in forms.items()} for _ in range(1 + int(*rounds or [60]))][1:]
    wall, processor = (min(each["step"][i] for each in taken) for i in (0, 1))
    rate = 2 * SIDE**3 / min(each["product"][1] for each in taken)
    arithmetic = step.cost_analysis()["flops"]
    said = step.memory_analysis()
    weights = sum(np.asarray(x).nbytes for x in jax.tree.leaves(method.weights()))
    print(
        f"CoOp, {len(lines)} classes, names of up to {table.embedding.shape[1]} tokens, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"best of {len(taken)}: {1 / wall:.2f} steps/s by the clock; {processor:.3f} s of processor time per step, "
        f"at most {os.cpu_count() / processor:.1f} steps/s on {os.cpu_count()} free cores"
    )
    print(
        f"{arithmetic / 1e9:.1f} GFLOP; the product does {rate / 1e9:.0f} per second of processor time and would "
        f"take {arithmetic / rate:.3f} s: {arithmetic / rate / processor:.0%} of the step"
    )
    print(
        f"temporaries {said.temp_size_in_bytes / 2**20:.0f} MiB, weights {weights / 2**20:.0f} MiB, "
        f"peak of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
