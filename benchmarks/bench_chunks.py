"""A contrastive step on 16,384 images, whole and in chunks: what XLA sets aside, the work, the time.

    python benchmarks/bench_chunks.py            16,384 images, compiled and not run
    python benchmarks/bench_chunks.py time       1,024 images, steps in turn

Two towers with `clip_softmax`: a ConvNet on images of 32 x 32 (the encoder of `clip_pixels`), and ViT-B/16 on images of
224 x 224. Temporaries are those of XLA on a CPU; arguments (images, state) come on top and are the same for all chunks.
"""

import functools
import os
import statistics
import sys
import time

import jax
import numpy as np

from zsl_jax import data, encoders, methods
from zsl_jax.recipes import families
from zsl_jax.training import encoding, optimizers

CHUNKS = (0, 4096, 1024, 256, 64)
ROUNDS = 5


def method_of(encoder, chunk: int) -> methods.Method:
    parts = methods.Parts(encoder=encoder, optimizer=optimizers.make_optimizer(learning_rate=1e-3), chunk=chunk)
    return methods.two_tower(parts, encoders.MLP(widths=(64,)), loss="clip_softmax")


def convnet():
    knobs = dict(families.small_pixels("two_tower").encoder)
    del knobs["weights"]
    return encoding.make_encoder(knobs)


@functools.cache
def classes() -> data.ClassTable:
    rng = np.random.default_rng(0)
    return data.ClassTable(rng.standard_normal((200, 85)).astype(np.float32), np.ones(200, bool))


def compiled(encoder, chunk: int, count: int, side: int):
    method, key = method_of(encoder, chunk), jax.random.key(0)
    like = data.Batch(np.zeros((2, side, side, 3), np.uint8), np.zeros(2, np.int32), np.zeros(2, bool))
    state = jax.eval_shape(lambda: method.init(key, like, classes(), ()))
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype), like)
    return method, jax.jit(method.update).lower(state, batch, classes(), key).compile()


def memory() -> None:
    for name, encoder, side, sizes in (
        ("ConvNet, 32 x 32", convnet(), 32, CHUNKS),
        ("ViT-B/16, 224 x 224", encoders.factory("vit_base")(), 224, (0, 256)),
    ):
        for chunk in sizes:
            _, program = compiled(encoder, chunk, 16384, side)
            found = program.memory_analysis().temp_size_in_bytes / 2**20
            print(f"{name:20} 16384 images, chunk {chunk:5}: {found:11,.0f} MiB", flush=True)


def timed() -> None:
    rng, count, steps = np.random.default_rng(0), 1024, {}
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    batch = data.Batch(images, rng.integers(0, 200, count, dtype=np.int32), np.ones(count, bool))
    for chunk in (0, 256, 64):
        method, program = compiled(convnet(), chunk, count, 32)
        steps[chunk] = (program, method.init(jax.random.key(0), batch, classes(), ()))
    seconds = {chunk: [] for chunk in steps}
    for turn in range(ROUNDS + 1):
        for chunk, (program, state) in steps.items():
            began = time.perf_counter(), time.process_time()
            jax.block_until_ready(program(state, batch, classes(), jax.random.key(1)))
            if turn:
                seconds[chunk].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    for chunk, found in seconds.items():
        wall, processor = (statistics.median(each) for each in zip(*found))
        print(f"ConvNet, {count} images, chunk {chunk:4}: {wall:6.2f} s wall, {processor:6.2f} s cpu")


if __name__ == "__main__":
    print(f"jax {jax.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    {"memory": memory, "time": timed}[(sys.argv[1:] or ["memory"])[0]]()
    print(f"load {os.getloadavg()[0]:.1f}")
