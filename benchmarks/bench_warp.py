"""One epoch of ALE's SGD with one image per step: the blocked form beside the literal loop, at AWA2 and CUB size.

    python benchmarks/bench_warp.py                # both sizes
    python benchmarks/bench_warp.py awa2 cub
    python benchmarks/bench_warp.py --exact        # differences from the loop in float64 instead of times

Random classes in a ReLU feature space, inputs and attributes of unit length, weights from zero. All forms run in turn,
A, B, A, B, in one process; medians, and the least. Wall time suffers from what else runs on the machine, so processor
time (all threads) stands beside it. `products` is what no blocked form avoids: the scores, the update and the Gram
matrix, without the walk through the block. The share counts those products over the rate of the best product measured
in the same turns, by processor time. Memory is what XLA sets aside for temporaries.

Beside busy processes, set OPENBLAS_NUM_THREADS=1: with fewer classes than attributes there is one QR decomposition an
epoch, and a second thread of LAPACK that waits for a processor takes many times its 1.5 ms.
"""

import functools
import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import losses
from zsl_jax.methods import _warp_sgd

ROUNDS = 7
SIZES = {"awa2": (20218, 2048, 85, 27), "cub": (7057, 2048, 312, 150)}
RATE = 1.0


def problem(num_examples: int, num_features: int, num_attributes: int, num_classes: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_examples).astype(np.int32)
    centers = rng.normal(size=(num_classes, num_features))
    inputs = np.maximum(centers[labels] + 2.0 * rng.normal(size=(num_examples, num_features)), 0.0)
    attributes = np.abs(rng.normal(size=(num_classes, num_attributes)))
    inputs, attributes = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (inputs, attributes))
    return np.zeros((num_features, num_attributes)), inputs, labels, attributes


def loop(weights, inputs, labels, attributes):
    """The definition: a scan step an example."""

    def step(weights, example):
        x, y = example
        pull = jax.grad(lambda scores: losses.warp(scores[None], y[None])[0])(attributes @ (x @ weights))
        return weights - RATE * x[:, None] * (pull @ attributes)[None, :], None

    return jax.lax.scan(step, weights, (inputs, labels))[0]


def blocked(weights, inputs, labels, attributes, block=32):
    return _warp_sgd.warp_sgd(weights, inputs, labels, attributes, learning_rate=RATE, block=block)


def products(weights, inputs, labels, attributes, block=32):
    width = min(attributes.shape)

    def step(i, rows):
        x = jax.lax.dynamic_slice_in_dim(inputs, i * block, block)
        rows = rows.at[:block].set(x)
        found = rows @ x.T
        return rows.at[block:].add(-1e-9 * found[block:] @ x)

    return jax.lax.fori_loop(0, len(inputs) // block, step, jnp.zeros((block + width, inputs.shape[1])))


def matmul(square):
    return square @ square


def times(name: str) -> None:
    num_examples, num_features, num_attributes, num_classes = SIZES[name]
    arrays = as_float32(problem(*SIZES[name]))
    square = jnp.asarray(np.random.default_rng(0).normal(size=(2048, 2048)), jnp.float32)
    width = min(num_attributes, num_classes)
    runs = {
        "product 2048^3": (matmul, (square,), 2 * 2048**3),
        "literal loop": (loop, arrays, 0),
    }
    for form, fn in (("products", products), ("blocked", blocked)):
        for block in (16, 32, 64):
            flops = 2 * num_examples * num_features * (2 * width + block)
            runs[f"{form}, {block}"] = (functools.partial(fn, block=block), arrays, flops)
    compiled = {key: jax.jit(fn).lower(*args).compile() for key, (fn, args, _) in runs.items()}
    seconds = {key: [] for key in runs}
    for turn in range(ROUNDS + 1):
        for key, (_, args, _) in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            jax.block_until_ready(compiled[key](*args))
            if turn:
                seconds[key].append((time.perf_counter() - wall, time.process_time() - processor))
    medians = {key: np.median(values, axis=0) for key, values in seconds.items()}
    best = runs["product 2048^3"][2] / medians["product 2048^3"][1]
    print(f"\n{name}: {num_examples} x {num_features}, {num_attributes} attributes, {num_classes} classes", end="; ")
    print(f"load {os.getloadavg()[0]:.1f}; best product {best / 1e9:.0f} GFLOP/s of processor time")
    print(f"{'':20}{'wall s':>9}{'least':>9}{'cpu s':>9}{'loop / it, cpu':>16}{'share':>8}{'MiB':>8}")
    for key, (_, _, count) in runs.items():
        wall, processor = medians[key]
        least = min(value for value, _ in seconds[key])
        ratio = medians["literal loop"][1] / processor
        share = f"{count / processor / best:.0%}" if count else ""
        memory = compiled[key].memory_analysis().temp_size_in_bytes / 2**20
        print(f"{key:20}{wall:9.3f}{least:9.3f}{processor:9.3f}{ratio:15.1f}x{share:>8}{memory:8.1f}")


def exact(name: str) -> None:
    """Largest difference of the weights from those of the loop in float64, over the largest weight, for five seeds.

    A violation within rounding of zero makes one step, and all after it, differ: in either form.
    """
    forms = {"loop": jax.jit(loop), "blocked": jax.jit(blocked)}
    for seed in range(5):
        arrays, found = problem(*SIZES[name], seed=seed), {}
        with jax.enable_x64(True):
            reference = np.asarray(forms["loop"](*arrays))
            found["blocked, float64"] = np.asarray(forms["blocked"](*arrays))
        arrays = as_float32(arrays)
        found |= {f"{key}, float32": np.asarray(fn(*arrays)) for key, fn in forms.items()}
        errors = {key: np.max(np.abs(w - reference)) / np.max(np.abs(reference)) for key, w in found.items()}
        print(f"{name}, seed {seed}: " + "; ".join(f"{key} {error:.1e}" for key, error in errors.items()), flush=True)


def as_float32(arrays):
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.int32 if x.dtype == np.int32 else jnp.float32), arrays)


if __name__ == "__main__":
    names = [word for word in sys.argv[1:] if word != "--exact"] or list(SIZES)
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} cores, float32", end="; ")
    print(f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'default')}")
    for name in names:
        (exact if "--exact" in sys.argv else times)(name)
