"""Pixels: augmentation inside a compiled loop, decoding of JPEGs, and a training step of the small ConvNet.

    python benchmarks/bench_pixels.py
    python benchmarks/bench_pixels.py FOLDER        also decodes the pictures in FOLDER

Prints images a second; the best of some repeats, and the load of the machine, which should be idle.
"""

import os
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, recipes
from zsl_jax.data import images
from zsl_jax.encoders import augmentation
from zsl_jax.training import run

BATCH, STEPS, SIZE = 64, 50, 32


def best(function, repeats=5) -> float:
    """Seconds of the fastest call."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def augment_rate() -> float:
    """Images a second through crop, flip and colour jitter, gathered from bytes on the device inside a scan."""
    augment = augmentation.make_augment(crop=3, flip=True, brightness=0.1, contrast=0.1, saturation=0.1)
    cached = jnp.asarray(np.random.default_rng(0).integers(0, 256, (4000, SIZE, SIZE, 3), dtype=np.uint8))
    rows = jax.random.randint(jax.random.key(0), (STEPS, BATCH), 0, len(cached))

    @jax.jit
    def epoch(cached, rows):
        def step(total, x):
            number, rows = x
            return total + jnp.sum(augment(jax.random.fold_in(jax.random.key(1), number), cached[rows])), None

        return jax.lax.scan(step, 0.0, (jnp.arange(STEPS), rows))[0]

    return BATCH * STEPS / best(lambda: jax.block_until_ready(epoch(cached, rows)))


def step_rate() -> float:
    """Images a second through a training step of `attributes_pixels`, on one batch again and again."""
    recipe = recipes.small_pixels("attribute_network", "shapes")
    method = run.make_method(recipe)
    task = data.test_task(data.load(**{**recipe.data, "num_per_class": 4}))
    batch = data.Batch(
        jnp.asarray(np.resize(task.train.inputs, (BATCH, SIZE, SIZE, 3))), jnp.arange(BATCH) % 48, jnp.ones(BATCH, bool)
    )
    state = jax.jit(lambda: method.init(jax.random.key(0), batch, task.seen_classes))()

    @jax.jit
    def epoch(state):
        keys = jax.random.split(jax.random.key(1), STEPS)
        return jax.lax.scan(lambda s, key: (method.update(s, batch, task.seen_classes, key)[0], None), state, keys)[0]

    return BATCH * STEPS / best(lambda: jax.block_until_ready(epoch(state)), repeats=2)


def decode_rate(folder: str, most: int = 400) -> float:
    """Pictures a second and core, decoded and brought to 224 x 224, in one thread."""
    paths = [pathlib.Path(folder) / name for name in images.find(folder)[:most]]
    preprocessing = images.Preprocessing(size=224, fit="crop", crop_fraction=0.875, filter="bilinear")
    return len(paths) / best(lambda: [images.fit(images.decode(path), preprocessing) for path in paths], repeats=2)


def main(folders: list[str]) -> None:
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {jax.devices()[0].platform}")
    print(f"augmentation at {SIZE}x{SIZE}: {augment_rate():,.0f} images/s")
    print(f"training step of the ConvNet, batch {BATCH}: {step_rate():,.0f} images/s")
    for folder in folders:
        print(f"decoding and resizing in one thread: {decode_rate(folder):,.0f} images/s")


if __name__ == "__main__":
    main(sys.argv[1:])
