"""How long it takes to choose ALE's learning rate and margin: 64 settings side by side and one after another.

    python benchmarks/bench_sweep.py FOLDER [CHUNK ...]

FOLDER is a benchmark in the xlsa17 layout. 8 learning rates x 8 margins x 20 epochs, scored on validation classes after
every epoch, batches of 64, one device:

    side by side         the program of `sweep`, CHUNK settings at a time
    one at a time        the same program with chunks of one
    trainer              what `train` does for each setting, compiled once
    full width           the same without the span of the training classes: the plain form of the method

A row is measured on a few settings and epochs, all rows in turn, medians over the rounds, and stands for 64 x 20 by
multiplication; the chunk that `sweep` chooses is then run whole. Compilation is left out of a row and given beside it.
CPU seconds are what the process itself used: where other work shares the machine, they say more than wall-clock ones.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from zsl_jax import config as config_lib
from zsl_jax import losses, methods, similarity
from zsl_jax.methods import gradient
from zsl_jax.training import evaluation, loop, states, sweeps

EPOCHS, ROUNDS = 20, 3
CHUNKS = (1, 4, 8, 16, 32, 64)
POINTS = [
    {"method.learning_rate": float(rate), "method.margin": float(margin)}
    for rate in np.geomspace(0.1, 10, 8)
    for margin in np.linspace(0.5, 2, 8)
]


def main(folder: str, chunks: tuple[int, ...]) -> None:
    config = config_lib.base("ale", "xlsa17")
    config.data.dir = folder
    config.train.epochs = EPOCHS
    config.lock()
    tasks = sweeps.selection_tasks(config)
    trainer = sweeps.Trainer(config, list(POINTS[0]), tasks)
    rows = {f"side by side, {size:2d} at a time": side_by_side(trainer, size) for size in chunks}
    rows["trainer, one after another"] = one_after_another(tasks[0], methods.ale())
    rows["full width, one after another"] = one_after_another(tasks[0], full_width())
    print(f"{folder}, float32, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    compiled = {name: next(row) for name, row in rows.items()}
    times = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, row in rows.items():
            times[name].append(next(row))
    print(f"{'seconds for 64 x 20':32}{'wall':>8}{'CPU':>8}{'compile':>9}{'steps':>8}{'scores':>8}")
    for name, found in times.items():
        wall, cpu, steps = np.median(found, axis=0) * len(POINTS) * EPOCHS
        print(f"{name:32}{wall:8.1f}{cpu:8.1f}{compiled[name]:9.1f}{steps:8.1f}{wall - steps:8.1f}")
    whole(config, tasks)


def whole(config, tasks) -> None:
    """All 64 settings and 20 epochs as `sweep` trains them, compilation included."""
    wall, cpu = time.perf_counter(), time.process_time()
    trainer = sweeps.Trainer(config, list(POINTS[0]), tasks)
    parts, size = sweeps.chunks(POINTS, trainer.most())
    for chunk in parts:
        trainer.history(chunk, size)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"the whole sweep, {trainer.most()} at a time, compilation included: {wall:.1f} s wall, {cpu:.1f} s CPU")


def side_by_side(trainer: sweeps.Trainer, size: int) -> Iterator:
    chosen = [POINTS[i * len(POINTS) // size] for i in range(size)]
    moving, *given = trainer.start(chosen, size)
    program = trainer.program

    def step(state):
        return program.epoch(state, *given, 0)[0]

    yield from timed(step, lambda state: program.score(state, *given), moving, size)


def one_after_another(task, method: methods.Method) -> Iterator:
    method = methods.normalized(method)
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    epochs = loop.fit(states.Training(method, task, key=jax.random.key(0), batch_size=64, mesh=mesh), epochs=10**6)
    yield from timed(lambda _: next(epochs)[1], evaluation.make_evaluate(method, task, mesh), None, 1)


def timed(step: Callable, score: Callable, state, size: int) -> Iterator:
    """Yields the seconds of a first epoch, which compiles; then wall, CPU and wall per step, setting and epoch."""
    started = time.perf_counter()
    state = jax.block_until_ready(step(state))
    jax.block_until_ready(score(state))
    yield time.perf_counter() - started
    while True:
        found = []
        for _ in range(max(2, 16 // size)):
            wall, cpu = time.perf_counter(), time.process_time()
            state = jax.block_until_ready(step(state))
            steps = time.perf_counter() - wall
            jax.block_until_ready(score(state))
            found.append((time.perf_counter() - wall, time.process_time() - cpu, steps))
        yield np.mean(found, axis=0) / size


def full_width() -> methods.Method:
    """ALE with W `[F, A]` itself for parameters."""

    def scores(weights, images, described):
        return similarity.bilinear(images, described, weights)

    return gradient.by_gradient(
        init_params=lambda key, like, classes: jnp.zeros((like.inputs.shape[-1], classes.embedding.shape[-1])),
        loss=lambda weights, batch, classes, key: losses.warp(
            scores(weights, batch.inputs, classes.embedding), batch.labels
        ),
        scores=scores,
        optimizer=optax.sgd(0.3, momentum=0.9),
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], tuple(map(int, sys.argv[2:])) or CHUNKS)
