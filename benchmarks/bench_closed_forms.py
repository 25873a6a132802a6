"""Closed forms at the size of AWA2: one solution, a grid of 49, and the evaluation of a finished method.

    python benchmarks/bench_closed_forms.py             # all of it
    python benchmarks/bench_closed_forms.py grid        # parts: single, grid, evaluation

20,218 training images in 27 classes, 9,191 validation images in 13; 13,795 test images in 50. Random features, unit
length, float32. Everything of a part is run in turn, A, B, A, B, in one process; medians. Wall time suffers from what
else runs on the machine, so processor time (all threads) stands beside it. The share counts the floating point
operations of the matrix products alone, over the rate of the best product measured in the same turns, by processor
time. Memory is what XLA sets aside for temporaries, beside arguments and results.
"""

import os
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, methods, metrics, similarity
from zsl_jax.training import protocols, scoring

ROUNDS = 3
FEATURES, ATTRIBUTES = 2048, 85
GRID = jnp.array([[10.0**g, 10.0**c] for g in range(-3, 4) for c in range(-3, 4)])


def examples(seed: int, count: int, first: int, last: int) -> data.Examples:
    x = jax.random.normal(jax.random.key(seed), (count, FEATURES))
    labels = jax.random.randint(jax.random.key(seed + 1), (count,), first, last)
    return data.Examples(similarity.l2_normalize(jnp.maximum(x, 0)), labels)


def table(num_seen: int, num_unseen: int) -> data.ClassTable:
    count = num_seen + num_unseen
    embedding = similarity.l2_normalize(jax.random.uniform(jax.random.key(9), (count, ATTRIBUTES)))
    return data.ClassTable(embedding, np.arange(count) < num_seen, tuple(map(str, range(count))))


def solution(factory, train, classes, num_seen):
    """The state of a method from one batch of all examples."""
    seen, method = classes[:num_seen], factory()
    batch = data.Batch(train.inputs, train.labels, jnp.ones(len(train.labels), bool))
    sums = jax.tree.map(lambda x: jnp.zeros(x.shape), jax.eval_shape(method.init, None, batch, seen, ()))
    sums, _ = method.update(sums, batch, seen, None)
    return lambda method: method.finish(sums, train, seen, None)


def plain_eszsl(train, classes, num_seen):
    """The formula as it is read, with inverses."""
    x, phi = train.inputs, classes.embedding[:num_seen]
    left = jnp.linalg.inv(x.T @ x + jnp.eye(FEATURES))
    right = jnp.linalg.inv(phi.T @ phi + 0.3 * jnp.eye(ATTRIBUTES))
    return left @ x.T @ jax.nn.one_hot(train.labels, num_seen) @ phi @ right


def eszsl_grid(train, validation, classes):
    finish = solution(methods.eszsl, train, classes, 27)

    def accuracy(ridges):
        method = methods.eszsl(feature_ridge=ridges[0], class_ridge=ridges[1])
        return validation_accuracy(method, finish(method), validation, classes)

    return jax.vmap(accuracy)(GRID)


def sae_grid(train, validation, classes):
    finish = solution(methods.sae, train, classes, 27)

    def accuracy(weight):
        method = methods.sae(encoder_weight=weight)
        return validation_accuracy(method, finish(method), validation, classes)

    return jax.vmap(accuracy)(jnp.logspace(-3, 3, 49))


def validation_accuracy(method, state, validation, classes):
    predictions = 27 + jnp.argmax(methods.score(method, state, validation.inputs, classes[27:]), axis=-1)
    return metrics.per_class_accuracy(predictions, validation.labels, num_classes=len(classes))


def all_scores(method, state, sets, classes):
    """What the evaluation scores: unseen images among unseen classes, all images among all classes."""
    pairs = (("test_unseen", classes[40:]), ("test_unseen", classes), ("test_seen", classes))
    return [methods.score(method, state, sets[name].inputs, table) for name, table in pairs]


def evaluated(method, state, sets, classes, looks):
    """Knobs and metrics of the protocol."""
    rows = scoring.score_arrays(method, state, sets, classes, looks)
    facts = protocols.GZSL.facts(classes)
    knobs = protocols.GZSL.choose(*jax.tree.map(lambda x: jnp.asarray(x)[None], (rows, facts)))
    return knobs, protocols.GZSL.report(rows, facts, knobs)


def report(part: dict) -> None:
    """Times `{name: (function, arguments, matrix FLOPs)}` in turn, a line each; the first is the yardstick."""
    compiled = {name: jax.jit(fn).lower(*args).compile() for name, (fn, args, _) in part.items()}
    times = {name: [] for name in part}
    for turn in range(ROUNDS + 1):
        for name, (_, args, _) in part.items():
            wall, cpu = time.perf_counter(), time.process_time()
            jax.block_until_ready(compiled[name](*args))
            if turn:
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    medians = {name: np.median(values, axis=0) for name, values in times.items()}
    first = next(iter(part))
    best = part[first][2] / medians[first][1]
    print(f"{'':34s}{'wall s':>9s}{'best wall':>11s}{'cpu s':>9s}{'share':>8s}{'MiB':>8s}")
    for name, (_, _, flops) in part.items():
        memory = compiled[name].memory_analysis().temp_size_in_bytes / 2**20
        share = f"{flops / medians[name][1] / best:.0%}" if flops else ""
        shortest = min(wall for wall, _ in times[name])
        print(f"{name:34s}{medians[name][0]:9.3f}{shortest:11.3f}{medians[name][1]:9.3f}{share:>8s}{memory:8.0f}")


def bench_single() -> None:
    train, classes = examples(0, 20218, 0, 27), table(27, 13)
    square = jax.random.normal(jax.random.key(5), (FEATURES, FEATURES))
    gram = 2 * 20218 * FEATURES**2
    solve = gram + FEATURES**3 / 3
    report(
        {
            "product 2048^3": (lambda x: x @ x, (square,), 2 * FEATURES**3),
            "X^T X alone": (lambda t: t.inputs.T @ t.inputs, (train,), gram),
            "ESZSL, one solution": (
                lambda t: solution(methods.eszsl, t, classes, 27)(methods.eszsl()),
                (train,),
                solve,
            ),
            "the same, with inverses": (lambda t: plain_eszsl(t, classes, 27), (train,), 0),
        }
    )


def bench_grid() -> None:
    train, validation, classes = examples(0, 20218, 0, 27), examples(3, 9191, 27, 40), table(27, 13)
    square = jax.random.normal(jax.random.key(5), (FEATURES, FEATURES))
    symmetric = train.inputs.T @ train.inputs
    report(
        {
            "product 2048^3": (lambda x: x @ x, (square,), 2 * FEATURES**3),
            "X^T X alone": (lambda t: t.inputs.T @ t.inputs, (train,), 2 * 20218 * FEATURES**2),
            "eigendecomposition 2048^2 alone": (jnp.linalg.eigh, (symmetric,), 0),
            "ESZSL, 49 settings, scored": (lambda t, v: eszsl_grid(t, v, classes), (train, validation), 0),
            "SAE, 49 settings, scored": (lambda t, v: sae_grid(t, v, classes), (train, validation), 0),
        }
    )


def bench_evaluation() -> None:
    classes, method = table(40, 10), methods.normalized(methods.eszsl())
    nothing, seen, unseen = examples(0, 8, 0, 40), examples(1, 5882, 0, 40), examples(2, 7913, 40, 50)
    task = data.Task(nothing, {"test_seen": seen, "test_unseen": unseen}, classes)
    state = methods.Solution(jax.random.normal(jax.random.key(5), (FEATURES, ATTRIBUTES)))
    looks, arrays = protocols.GZSL.looks(task), (state, task.sets)
    square = jax.random.normal(jax.random.key(5), (FEATURES, FEATURES))
    report(
        {
            "product 2048^3": (lambda x: x @ x, (square,), 2 * FEATURES**3),
            "the scores for it alone": (lambda s, e: all_scores(method, s, e, classes), arrays, 0),
            "ZSL and GZSL evaluation": (lambda s, e: evaluated(method, s, e, classes, looks), arrays, 0),
        }
    )


PARTS = {"single": bench_single, "grid": bench_grid, "evaluation": bench_evaluation}

if __name__ == "__main__":
    threads = {name: os.environ.get(name, "default") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}, {os.cpu_count()} cores, float32, {threads}")
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name} (load {os.getloadavg()[0]:.1f})")
        PARTS[name]()
