"""How long the choice of knobs takes for each recipe: all settings of its sweep(), all epochs, scored after each.

    python benchmarks/bench_selection.py FOLDER [RECIPE ...]

FOLDER is a benchmark in the xlsa17 layout. Each recipe is compiled and trained for one epoch of as many settings at a
time as `sweep` takes; the second epoch is timed and multiplied. CPU seconds are what the process itself used: divided
by the number of cores they are the least that the choice can take.
"""

import os
import pathlib
import sys
import time

import jax
import numpy as np

from zsl_jax.training import spaces, states, sweeps
from zsl_jax.verbs import command_line

CONFIGS = pathlib.Path(__file__).resolve().parent.parent / "configs"


def main(folder: str, recipes: list[str]) -> None:
    print(f"{folder}, float32, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, jax {jax.__version__}")
    print(f"{'seconds, wall and CPU':22}{'settings':>9}{'epochs':>8}{'at a time':>11}{'compile':>15}{'train':>17}")
    total, tasks = np.zeros(2), None
    for name in recipes:
        module = command_line.load_module(str(CONFIGS / f"{name}.py"))
        if not hasattr(module, "sweep"):
            continue
        config = command_line.load_recipe(f"{CONFIGS / name}.py:xlsa17")
        config.data.dir = folder
        config.lock()
        tasks = tasks or sweeps.selection_tasks(config)
        points = spaces.settings(module.sweep(), samples=config.sweep.samples, seed=config.seed)
        knobs = [key for key in points[0] if sweeps.is_knob(config, key)]
        trainer = sweeps.Trainer(config, knobs, tasks)
        parts, size = sweeps.chunks(points, trainer.most())
        compiled, trained = measured(trainer, parts[0], size, len(tasks[0].train.labels), config.train.batch_size)
        trained *= len(parts) * config.train.epochs
        total += compiled + trained
        cells = "".join(f"{value:9.1f}" for value in (*compiled, *trained))
        print(f"{name:22}{len(points):9}{config.train.epochs:8}{size:11}{cells}", flush=True)
    print(f"all, compilation included: {total[0]:.0f} s wall, {total[1]:.0f} s CPU")


def measured(
    trainer: sweeps.Trainer, points, size: int, examples: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns wall-clock and CPU seconds of the first epoch, which compiles, and those of the second."""
    times = [(time.perf_counter(), time.process_time())]
    moving, *given = trainer.start(points, size)
    for epoch in range(2):
        moving, _ = trainer.program.epoch(moving, *given, epoch * states.steps_per_epoch(examples, batch_size))
        jax.block_until_ready(trainer.program.score(moving, *given))
        times.append((time.perf_counter(), time.process_time()))
    return tuple(np.diff(times, axis=0))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    named = sys.argv[2:] or sorted(path.stem for path in CONFIGS.glob("*.py"))
    main(sys.argv[1], named)
