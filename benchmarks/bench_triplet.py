"""Triplet losses with mining, value and gradient, beside plain dense forms: time, share of the best product, memory.

    python benchmarks/bench_triplet.py                 # all of it
    python benchmarks/bench_triplet.py hard 16384      # parts: hard, 16384, sorted, multilabel

All forms of a part run in turn, A, B, A, B, in one process; medians. Wall time suffers from what else runs on the
machine, so processor time (all threads) stands beside it, and ratios are taken in both. The share counts the one
product of all pairs that mining needs, over the rate of the best product measured in the same turns, by processor time.
Memory is what XLA sets aside for temporaries, beside arguments and results.
"""

import functools
import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import losses

ROUNDS = 5
WIDTH = 512


def unit(seed: int, *shape: int) -> jax.Array:
    x = jax.random.normal(jax.random.key(seed), shape)
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def distances(embeddings):
    squares = jnp.sum(embeddings**2, axis=1)
    squared = squares[:, None] + squares[None, :] - 2.0 * embeddings @ embeddings.T
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)


def masks(labels):
    same = labels[:, None] == labels[None, :]
    return same & ~jnp.eye(len(labels), dtype=bool), ~same


def dense_hard(embeddings, labels):
    found, (positive, negative) = distances(embeddings), masks(labels)
    farthest = jnp.max(jnp.where(positive, found, -jnp.inf), axis=1)
    return jax.nn.relu(1.0 + farthest - jnp.min(jnp.where(negative, found, jnp.inf), axis=1))


def dense_all(embeddings, labels):
    found, (positive, negative) = distances(embeddings), masks(labels)
    hinges = jax.nn.relu(1.0 + found[:, :, None] - found[:, None, :])
    total = jnp.sum(jnp.where(positive[:, :, None] & negative[:, None, :], hinges, 0.0), axis=(1, 2))
    return total / jnp.maximum(jnp.sum(positive, axis=1) * jnp.sum(negative, axis=1), 1)


def dense_semi_hard(embeddings, labels):
    found, (positive, negative) = distances(embeddings), masks(labels)
    farther = negative[:, None, :] & (found[:, None, :] > found[:, :, None])
    nearest = jnp.min(jnp.where(farther, found[:, None, :], jnp.inf), axis=2)
    farthest = jnp.max(jnp.where(negative, found, -jnp.inf), axis=1)
    chosen = jnp.where(jnp.isfinite(nearest), nearest, farthest[:, None])
    hinges = jnp.where(positive, jax.nn.relu(1.0 + found - chosen), 0.0)
    return jnp.sum(hinges, axis=1) / jnp.maximum(jnp.sum(positive, axis=1), 1)


def dense_multilabel(scores, targets):
    pairs = targets[:, :, None] & ~targets[:, None, :]
    return jnp.sum(jnp.where(pairs, jax.nn.relu(1.0 - scores[:, :, None] + scores[:, None, :]), 0.0), axis=(1, 2))


def compare(title: str, forms: dict, *arrays, flops: int = 0, rounds: int = ROUNDS) -> None:
    """Times value and gradient of each loss in turn, beside the best product; the first is the yardstick."""
    x, y = unit(5, 4096, WIDTH), unit(6, WIDTH, 4096)
    runs = {name: (jax.value_and_grad(lambda *a, fn=fn: jnp.mean(fn(*a))), arrays) for name, fn in forms.items()}
    compiled = {name: jax.jit(fn).lower(*args).compile() for name, (fn, args) in runs.items()}
    values = [float(compiled[name](*arrays)[0]) for name in forms]
    np.testing.assert_allclose(values, values[0], rtol=1e-4)
    runs["product"], compiled["product"] = (None, (x, y)), jax.jit(jnp.matmul).lower(x, y).compile()
    seconds = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, (_, args) in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            jax.block_until_ready(compiled[name](*args))
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    medians = {name: np.median(times, axis=0) for name, times in seconds.items()}
    best = 2 * 4096 * WIDTH * 4096 / medians["product"][1]
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}; best product {best / 1e9:.0f} GFLOP/s of processor time")
    print(f"{'':34}{'wall ms':>9}{'cpu ms':>9}{'ratio':>8}{'cpu ratio':>11}{'share':>8}{'MiB':>9}")
    first = medians[next(iter(forms))]
    for name in forms:
        wall, processor = medians[name]
        share = f"{flops / processor / best:.0%}" if flops else ""
        memory = compiled[name].memory_analysis().temp_size_in_bytes / 2**20
        ratio, cpu_ratio = first / medians[name]
        times = f"{1e3 * wall:9.0f}{1e3 * processor:9.0f}{ratio:7.2f}x{cpu_ratio:10.2f}x"
        print(f"{name:34}{times}{share:>8}{memory:9.1f}", flush=True)


def hard() -> None:
    size = 4096
    arrays = unit(0, size, WIDTH), jnp.arange(size) // 8
    forms = {"dense": dense_hard, "batch_hard_triplet": losses.batch_hard_triplet}
    compare(f"batch-hard triplet, {size} x {WIDTH}", forms, *arrays, flops=2 * size**2 * WIDTH)


def large() -> None:
    size = 16384
    arrays = unit(0, size, WIDTH), jnp.arange(size) // 8
    forms = {"batch_hard_triplet": losses.batch_hard_triplet}
    compare(f"batch-hard triplet, {size} x {WIDTH}", forms, *arrays, flops=2 * size**2 * WIDTH, rounds=1)


def by_sorting() -> None:
    size = 512
    arrays = unit(0, size, 128), jnp.arange(size) // 8
    forms = {"dense, B x B x B": dense_all, "batch_all_triplet": losses.batch_all_triplet}
    compare(f"batch-all triplet, {size} x 128", forms, *arrays)
    forms = {"dense, B x B x B": dense_semi_hard, "semi_hard_triplet": losses.semi_hard_triplet}
    compare(f"semi-hard triplet, {size} x 128", forms, *arrays)
    size = 4096
    arrays = unit(0, size, 128), jnp.arange(size) // 8
    forms = {"batch_all_triplet": losses.batch_all_triplet}
    compare(f"batch-all triplet, {size} x 128", forms, *arrays, rounds=1)
    forms = {"semi_hard_triplet": losses.semi_hard_triplet}
    compare(f"semi-hard triplet, {size} x 128", forms, *arrays, rounds=1)


def multilabel() -> None:
    for size, labels in ((256, 312), (1024, 312)):
        scores = jax.random.normal(jax.random.key(0), (size, labels))
        targets = jax.random.bernoulli(jax.random.key(1), 0.1, (size, labels))
        forms = {"dense, B x C x C": dense_multilabel, "multilabel_hinge": losses.multilabel_hinge}
        compare(
            f"multilabel hinge, {size} x {labels}",
            {name: functools.partial(fn, targets=targets) for name, fn in forms.items()},
            scores,
        )


PARTS = {"hard": hard, "16384": large, "sorted": by_sorting, "multilabel": multilabel}

if __name__ == "__main__":
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} cores, float32")
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
