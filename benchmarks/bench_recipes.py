"""How many minutes the steps of a recipe take, choice and training together.

    python benchmarks/bench_recipes.py FOLDER f_clswgan:xlsa17 tf_vaegan:xlsa17,sent

FOLDER is a benchmark in the xlsa17 layout. A few epochs of the training on all seen classes are timed after the first,
which compiles; the minutes are those of all epochs of both trainings at that rate. What a method does between the
epochs that are scored, and at the end, is not in them.
"""

import argparse
import os
import time

import jax

from zsl_jax import data
from zsl_jax.training import loop, parallel, problems, protocols, states
from zsl_jax.verbs import command_line

EPOCHS = 2


def minutes(recipe: str, folder: str) -> tuple[float, float]:
    """Returns the seconds of a step and the minutes of all steps."""
    config = command_line.recipe(recipe, {"data.dir": folder})
    dataset, size = data.load(**config.data), config.train.batch_size
    choosing, final = protocols.find(config.protocol).tasks(dataset, config)
    steps = [states.steps_per_epoch(len(task.train.labels), size) for task in (final, *choosing)]
    method = problems.make_method(config, steps_per_epoch=steps[0])
    training = states.Training(method, final, key=jax.random.key(0), batch_size=size, mesh=parallel.make_mesh())
    fitted = loop.fit(training, epochs=1 + EPOCHS)
    next(fitted)
    started = time.perf_counter()
    for _ in fitted:
        pass
    step = (time.perf_counter() - started) / (EPOCHS * steps[0])
    return step, config.train.epochs * sum(steps) * step / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a benchmark in the xlsa17 layout")
    parser.add_argument("recipes", nargs="+", help="recipes with their argument, NAME:xlsa17[,sent]")
    arguments = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, float32, jax {jax.__version__}")
    for recipe in arguments.recipes:
        step, total = minutes(recipe, arguments.folder)
        print(f"{recipe}: {1e3 * step:.0f} ms per step, {total:.1f} minutes, load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
