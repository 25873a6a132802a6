"""Contrastive losses, value and gradient, beside their plain dense forms: time, share of the best product, memory.

    python benchmarks/bench_contrastive.py                # all of it
    python benchmarks/bench_contrastive.py 4096 ntxent    # parts: 4096, ntxent, 16384, products

Everything of a part is run in turn, A, B, A, B, in one process; medians. Wall time suffers from what else runs on the
machine, so processor time (all threads) stands beside it, and ratios are taken in both. The share counts the matrix
products that a form carries out, over the rate of the best product measured in the same turns, by processor time.
Memory is what XLA sets aside for temporaries, beside arguments and results.
"""

import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import losses

ROUNDS = 7
WIDTH = 512


def unit(seed: int, *shape: int) -> jax.Array:
    x = jax.random.normal(jax.random.key(seed), shape)
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def dense_clip(x, y, labels, scale):
    logits = scale * x @ y.T
    return 0.5 * (jax.nn.logsumexp(logits, axis=1) + jax.nn.logsumexp(logits, axis=0)) - jnp.diagonal(logits)


def dense_sigmoid(x, y, labels, scale):
    logits = scale * x @ y.T - 10.0
    return -jnp.sum(jax.nn.log_sigmoid(jnp.where(jnp.eye(len(x), dtype=bool), logits, -logits)), axis=1)


def dense_supervised(x, y, labels, scale):
    itself = jnp.eye(len(x), dtype=bool)
    logits = jnp.where(itself, -jnp.inf, scale * x @ x.T)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    total, count = jnp.sum(jnp.where(positive, logits, 0.0), axis=1), jnp.sum(positive, axis=1)
    return jnp.where(count > 0, jax.nn.logsumexp(logits, axis=1) - total / jnp.maximum(count, 1), 0.0)


def dense_nt_xent(x, y, labels, scale):
    z = jnp.concatenate([x, y])
    logits = jnp.where(jnp.eye(len(z), dtype=bool), -jnp.inf, scale * z @ z.T)
    return jax.nn.logsumexp(logits, axis=1) - scale * jnp.sum(z * jnp.concatenate([y, x]), axis=1)


def clip(x, y, labels, scale, **options):
    return losses.clip_softmax(x, y, scale=scale, **options)


def sigmoid(x, y, labels, scale, **options):
    return losses.sigmoid_contrastive(x, y, scale=scale, bias=-10.0, **options)


def supervised(x, y, labels, scale, **options):
    return losses.supervised_contrastive(x, labels, temperature=1.0 / scale, **options)


def nt_xent(x, y, labels, scale, **options):
    return losses.nt_xent(x, y, temperature=1.0 / scale, **options)


# Products of the size of all pairs of the batch, forward and backward: dense, logits kept, logits made twice.
FORMS = {
    "clip_softmax": (clip, dense_clip, (3, 3, 4)),
    "sigmoid_contrastive": (sigmoid, dense_sigmoid, (3, 3, 3)),
    "supervised_contrastive": (supervised, dense_supervised, (3, 2, 3)),
    "nt_xent (B pairs)": (nt_xent, dense_nt_xent, (12, 7, 10)),
}


def gradient(loss, **options):
    return jax.value_and_grad(lambda x, y, labels, scale: jnp.mean(loss(x, y, labels, scale, **options)), (0, 1, 3))


def compiled(fn, *arrays):
    built = jax.jit(fn).lower(*arrays).compile()
    return built, built.memory_analysis().temp_size_in_bytes / 2**20


def in_turn(functions: dict, rounds: int = ROUNDS) -> dict:
    """Median wall and processor seconds of each `name: (fn, arrays)`; the first round only warms up."""
    seconds = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, (fn, arrays) in functions.items():
            wall, processor = time.perf_counter(), time.process_time()
            jax.block_until_ready(fn(*arrays))
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: np.median(times, axis=0) for name, times in seconds.items()}


def products() -> dict:
    """The products against which the losses are measured: `name: (fn, arrays, flops)`."""
    shapes = [(2048, 2048, 2048), (4096, 512, 4096), (1024, 512, 4096), (4096, 4096, 512)]
    found = {}
    for m, k, n in shapes:
        arrays = unit(0, m, k), unit(1, k, n)
        found[f"product {m} x {k} x {n}"] = (compiled(jnp.matmul, *arrays)[0], arrays, 2 * m * k * n)
    return found


def best_rate(seconds: dict, measured: dict) -> float:
    """Best FLOP per processor second."""
    return max(flops / seconds[name][1] for name, (_, _, flops) in measured.items())


def head(title: str) -> None:
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':38}{'wall ms':>9}{'cpu ms':>9}{'ratio':>8}{'cpu ratio':>11}{'GFLOP/s cpu':>13}{'share':>8}{'MiB':>8}")


def at_4096() -> None:
    size = 4096
    x, y, labels, scale = unit(0, size, WIDTH), unit(1, size, WIDTH), jnp.arange(size) // 8, jnp.float32(20.0)
    for name, (loss, dense, counts) in FORMS.items():
        # NT-Xent of as many rows in all, so that its matrix is that of the others.
        arrays = (x[: size // 2], y[: size // 2], labels, scale) if "pairs" in name else (x, y, labels, scale)
        pairs = len(arrays[0]) ** 2
        forms = {
            "dense": (gradient(dense), counts[0]),
            "default": (gradient(loss), counts[1]),
            "in blocks (chunk=512)": (gradient(loss, chunk=512), counts[2]),
        }
        measured, memory, runs = products(), {}, {}
        for form, (fn, _) in forms.items():
            built, memory[form] = compiled(fn, *arrays)
            runs[form] = (built, arrays)
        seconds = in_turn(runs | {title: (fn, xs) for title, (fn, xs, _) in measured.items()})
        head(f"{name}, {len(arrays[0])} x {WIDTH}, value and gradient")
        for form, (_, count) in forms.items():
            wall, processor = seconds[form]
            rate = count * 2 * pairs * WIDTH / processor
            ratio, cpu_ratio = seconds["dense"] / seconds[form]
            print(
                f"{form:38}{1e3 * wall:9.0f}{1e3 * processor:9.0f}{ratio:7.2f}x{cpu_ratio:10.2f}x"
                f"{rate / 1e9:13.0f}{rate / best_rate(seconds, measured):8.0%}{memory[form]:8.0f}"
            )


def against_optax() -> None:
    import optax

    for size, width in ((256, 128), (1024, 128)):
        z, labels = unit(0, size, width), jnp.arange(size) % (size // 2)  # rows i and i + size / 2 are a pair
        half = size // 2
        functions = {
            "optax.losses.ntxent": lambda z, labels=labels: optax.losses.ntxent(z, labels, temperature=0.1),
            "dense": lambda z, half=half: jnp.mean(dense_nt_xent(z[:half], z[half:], None, 10.0)),
            "zsl_jax.losses.nt_xent": lambda z, half=half: jnp.mean(
                losses.nt_xent(z[:half], z[half:], temperature=0.1)
            ),
        }
        runs, memory = {}, {}
        for name, fn in functions.items():
            built, memory[name] = compiled(jax.value_and_grad(fn), z)
            runs[name] = (built, (z,))
        values = [float(built(z)[0]) for built, _ in runs.values()]
        np.testing.assert_allclose(values, values[0], rtol=1e-4)
        seconds = in_turn(runs)
        print(f"\nNT-Xent of {size} rows of {width}, value and gradient; load {os.getloadavg()[0]:.1f}")
        for name in functions:
            wall, processor = seconds[name]
            ratio, cpu_ratio = seconds["optax.losses.ntxent"] / seconds[name]
            print(
                f"{name:38}{1e3 * wall:9.1f} ms {1e3 * processor:9.1f} ms cpu {ratio:8.0f}x {cpu_ratio:8.0f}x cpu"
                f" {memory[name]:9.1f} MiB"
            )


def at_16384() -> None:
    size = 16384
    x, y, labels, scale = unit(0, size, WIDTH), unit(1, size, WIDTH), jnp.arange(size) // 8, jnp.float32(20.0)
    measured = products()
    for name, (loss, _, (_, _, count)) in FORMS.items():
        built, memory = compiled(gradient(loss), x, y, labels, scale)
        runs = {title: (fn, xs) for title, (fn, xs, _) in measured.items()} | {name: (built, (x, y, labels, scale))}
        seconds = in_turn(runs, rounds=1)
        wall, processor = seconds[name]
        rate = count * 2 * size**2 * WIDTH / processor
        print(
            f"{name:26} {size} x {WIDTH}: {memory:6.1f} MiB, {wall:6.2f} s wall, {processor:6.2f} s cpu, "
            f"{rate / 1e9:.0f} GFLOP/s cpu, {rate / best_rate(seconds, measured):.0%} of the best product; "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def alone() -> None:
    measured = products()
    seconds = in_turn({title: (fn, xs) for title, (fn, xs, _) in measured.items()})
    for title, (_, _, flops) in measured.items():
        wall, processor = seconds[title]
        print(f"{title:30} {flops / wall / 1e9:6.0f} GFLOP/s wall, {flops / processor / 1e9:6.0f} GFLOP/s cpu")


PARTS = {"products": alone, "4096": at_4096, "ntxent": against_optax, "16384": at_16384}


def main() -> None:
    threads = os.environ.get("XLA_FLAGS", "") or "default threads"
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} cores, float32, {threads}", end="")
    print(f", load {os.getloadavg()[0]:.1f}")
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
