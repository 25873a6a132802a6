"""Pixels: augmentation inside a compiled loop, decoding of JPEGs, and training of the small ConvNet.

    python benchmarks/bench_pixels.py
    python benchmarks/bench_pixels.py FOLDER        also decodes the images in FOLDER, and trains on some of them

Prints images a second; the best of some repeats, and the load of the machine, which should be idle. A wait is what a
training step takes on batches from memory or from a stream more than on one fixed batch.
"""

import os
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data
from zsl_jax.data import image_folder, images, streaming
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.encoders import augmentation
from zsl_jax.recipes import families
from zsl_jax.training import loop, parallel, problems, states

BATCH, STEPS, SIZE = 64, 50, 32
STREAM_SIZE, NUM_STREAMED = 64, 1600


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
    recipe = families.small_pixels("attribute_network", "shapes")
    method = problems.make_method(recipe)
    task = data.test_task(data.load(**{**recipe.data, "num_per_class": 4}))
    batch = data.Batch(
        jnp.asarray(np.resize(task.train.inputs, (BATCH, SIZE, SIZE, 3))), jnp.arange(BATCH) % 48, jnp.ones(BATCH, bool)
    )
    weights = method.weights()
    state = jax.jit(lambda weights: method.init(jax.random.key(0), batch, task.seen_classes, weights))(weights)

    @jax.jit
    def epoch(state):
        keys = jax.random.split(jax.random.key(1), STEPS)
        return jax.lax.scan(lambda s, key: (method.update(s, batch, task.seen_classes, key)[0], None), state, keys)[0]

    return BATCH * STEPS / best(lambda: jax.block_until_ready(epoch(state)), repeats=2)


def decode_rate(folder: str, most: int = 400) -> float:
    """Images a second and core, decoded and brought to 224 x 224, in one thread."""
    paths = [pathlib.Path(folder) / name for name in images.find(folder)[:most]]
    preprocessing = images.Preprocessing(size=224, fit="crop", crop_fraction=0.875, filter="bilinear")
    return len(paths) / best(lambda: [images.fit(images.decode(path), preprocessing) for path in paths], repeats=2)


def stream_of(folder: str, workers: int) -> streaming.ImageStream:
    """Images of the folder in a random order, to be brought to `STREAM_SIZE`."""
    paths = tuple(str(pathlib.Path(folder) / name) for name in images.find(folder))
    preprocessing = images.Preprocessing(size=STREAM_SIZE, fit="crop", crop_fraction=1.0, filter="bilinear")
    order = np.random.default_rng(0).permutation(len(paths))[:NUM_STREAMED]
    return streaming.ImageStream(image_folder.Files(paths, preprocessing), order, STREAM_SIZE, workers)


def one_thread_rate(folder: str) -> float:
    """Images a second, decoded and brought to `STREAM_SIZE`, in one thread without a pipeline."""
    pixels = stream_of(folder, 0)[:400]
    return len(pixels) / best(lambda: [pixels[i] for i in range(len(pixels))], repeats=2)


def stream_rate(folder: str, workers: int) -> tuple[float, float]:
    """Images a second out of a stream, and the seconds until its first batch is there."""
    started = time.perf_counter()
    with streaming.Reader(stream_of(folder, workers)) as reader:
        reader.take(BATCH)
        begun = time.perf_counter()
        count = NUM_STREAMED - BATCH
        reader.take(count)
        return count / (time.perf_counter() - begun), begun - started


def waits(folder: str, repeats: int = 5) -> np.ndarray:
    """Seconds of a training step on one fixed batch, on batches from memory, and on batches from a stream, `[3, 2]`.

    By the clock, and of the processors, which other work on the machine does not lengthen as much. The method is
    `label_embedding` on the ConvNet of the recipes, with crops and mirror images; medians, taken in turn.
    """
    streamed = stream_of(folder, 0)
    cached = np.concatenate(list(inputs_lib.blocks(streamed, NUM_STREAMED)))
    method = problems.make_method(families.small_pixels("label_embedding", "image_folder"))
    mesh, key = parallel.make_mesh(devices=1), jax.random.key(0)
    labels = np.arange(NUM_STREAMED, dtype=np.int32) % 50
    table = data.ClassTable(np.random.default_rng(0).random((50, 312), np.float32), np.ones(50, bool), ("",) * 50)
    num_steps = states.steps_per_epoch(NUM_STREAMED, BATCH)
    first = jnp.asarray(cached[:BATCH]), jnp.asarray(labels[:BATCH])

    def on_first(state, batch, classes, key):
        # Behind the barrier the batch is the loop's, so that nothing of the step is computed once for all steps.
        inputs, labels, where = jax.lax.optimization_barrier((*first, batch.where))
        return method.update(state, data.Batch(inputs, labels, where), classes, key)

    def epochs(method, inputs):
        task = data.Task(data.Examples(inputs, labels), {}, table)
        return loop.fit(states.Training(method, task, key=key, batch_size=BATCH, mesh=mesh), epochs=repeats + 1)

    runs = [epochs(method._replace(update=on_first), cached), epochs(method, cached), epochs(method, streamed)]
    for fitted in runs:  # compiles
        next(fitted)
    times = [[] for _ in runs]
    for _ in range(repeats):
        for found, fitted in zip(times, runs):
            started = time.perf_counter(), time.process_time()
            next(fitted)
            found.append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return np.median(times, axis=1) / num_steps


def main(folders: list[str]) -> None:
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {jax.devices()[0].platform}")
    print(f"augmentation at {SIZE}x{SIZE}: {augment_rate():,.0f} images/s")
    print(f"training step of the ConvNet, batch {BATCH}: {step_rate():,.0f} images/s")
    for folder in folders:
        print(f"decoding and resizing to 224x224 in one thread: {decode_rate(folder):,.0f} images/s")
        print(f"the same to {STREAM_SIZE}x{STREAM_SIZE}: {one_thread_rate(folder):,.0f} images/s")
        for workers in (0, 1, 2):
            rate, first = stream_rate(folder, workers)
            print(f"a stream, {workers} workers: {rate:,.0f} images/s, the first batch after {first:.1f} s")
        found = 1000 * waits(folder)
        for name, (clock, processors) in zip(
            ("one fixed batch", "batches from memory", "batches from a stream"), found
        ):
            print(
                f"a step at {STREAM_SIZE}x{STREAM_SIZE} on {name}: {clock:.1f} ms, {processors:.1f} ms of processors; "
                f"{clock / found[0, 0]:.3f} and {processors / found[0, 1]:.3f} of the first"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
