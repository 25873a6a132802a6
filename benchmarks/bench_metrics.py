"""How fast the metrics are at benchmark sizes, and what memory they take, beside the plain way to compute the same.

    python benchmarks/bench_metrics.py

Each pair is run A, B, A, B in one process; medians. The last line is the best matrix product measured, for scale.
"""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import metrics

ROUNDS = 5


def grid_curve(scores, labels, is_seen):
    """The seen-unseen curve on a grid of 1000 constants."""

    def point(gamma):
        predictions = jnp.argmax(jnp.where(is_seen[None, :], scores - gamma, scores), axis=1)
        of_seen = is_seen[labels]
        groups = (~of_seen, of_seen)
        size = len(is_seen)
        return [metrics.per_class_accuracy(predictions, labels, num_classes=size, where=g) for g in groups]

    return jax.lax.map(point, jnp.linspace(-8, 8, 1000))


def dense_uniformity(z):
    squared = jnp.sum(z**2, axis=1)
    exponent = -2 * (squared[:, None] + squared[None, :] - 2 * z @ z.T)
    return jax.nn.logsumexp(jnp.where(jnp.eye(len(z), dtype=bool), -jnp.inf, exponent)) - jnp.log(len(z) * (len(z) - 1))


def sorted_top_k(scores):
    return jnp.argsort(jnp.argsort(-scores, axis=1), axis=1) < 15


def compiled(fn, *arrays):
    built = jax.jit(fn).lower(*arrays).compile()
    jax.block_until_ready(built(*arrays))
    return built, built.memory_analysis().temp_size_in_bytes / 2**20


def compare(title, ours, plain, *arrays):
    (a, a_memory), (b, b_memory) = compiled(ours, *arrays), compiled(plain, *arrays)
    times = {a: [], b: []}
    for _ in range(ROUNDS):
        for fn in (a, b):
            start = time.perf_counter()
            jax.block_until_ready(fn(*arrays))
            times[fn].append(time.perf_counter() - start)
    mine, theirs = (1e3 * np.median(times[fn]) for fn in (a, b))
    print(f"{title:44} {mine:9.1f} ms {a_memory:8.1f} MiB", end=" | ")
    print(f"plain {theirs:9.1f} ms {b_memory:8.1f} MiB | {theirs / mine:6.1f}x")


def main() -> None:
    rng = np.random.default_rng(0)
    device, cores, load = jax.devices()[0].device_kind, os.cpu_count(), os.getloadavg()[0]
    print(f"jax {jax.__version__}, {device}, {cores} cores, float32, load {load:.1f}")
    scores, labels = jnp.asarray(rng.normal(size=(13795, 50)), jnp.float32), jnp.asarray(rng.integers(0, 50, 13795))
    compare(
        "exact curve, 13795 x 50; a grid of 1000",
        metrics.seen_unseen_curve,
        grid_curve,
        scores,
        labels,
        jnp.arange(50) < 40,
    )
    table = jnp.asarray(rng.normal(size=(20000, 312)), jnp.float32)
    compare("top 15, 20000 x 312; two sorts", lambda s: metrics.top_k(s, k=15), sorted_top_k, table)
    z = jnp.asarray(rng.normal(size=(8192, 512)), jnp.float32)
    z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
    compare("uniformity, 8192 x 512; dense", metrics.uniformity, dense_uniformity, z)
    matrix = jnp.asarray(rng.normal(size=(2048, 2048)), jnp.float32)
    product, _ = compiled(lambda x: x @ x, matrix)
    best = np.inf
    for _ in range(2 * ROUNDS):
        start = time.perf_counter()
        jax.block_until_ready(product(matrix))
        best = min(best, time.perf_counter() - start)
    print(f"matrix product 2048^3: {2 * 2048**3 / best / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
