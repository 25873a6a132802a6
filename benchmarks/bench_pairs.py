"""Pairs in the open world: the candidates of C-GQA, 278,362, for 3,000 images, scored in chunks and reported.

    python benchmarks/bench_pairs.py [two_heads|label_embed_plus|ideal_words|symnet]

Prints seconds of scoring and of the report, processor time beside them, and the most memory that the process took. Data
are random; a score does not care.
"""

import dataclasses
import os
import resource
import sys
import time

import jax
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import data, methods
from zsl_jax.training import evaluation, loop, parallel, protocols, states

ATTRIBUTES, OBJECTS, IMAGES, FEATURES, SEEN, PHASE = 413, 674, 3000, 512, 5592, 1800


def dataset() -> data.Dataset:
    """Random features of as many pairs and images."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(ATTRIBUTES * OBJECTS)[: SEEN + PHASE])
    parts = np.stack(np.divmod(rows, OBJECTS), axis=1).astype(np.int32)
    is_seen = np.isin(np.arange(len(rows)), rng.permutation(len(rows))[:SEEN])
    unseen = np.flatnonzero(~is_seen)
    tested = np.concatenate([unseen, rng.choice(np.flatnonzero(is_seen), IMAGES - len(unseen))])
    labels = np.concatenate([np.flatnonzero(is_seen), tested]).astype(np.int32)
    sides = {"attributes": ATTRIBUTES, "objects": OBJECTS}
    shared = {side: np.eye(count, dtype=np.float32) for side, count in sides.items()}
    names = tuple(f"pair {row}" for row in rows)
    table = data.ClassTable(parts, is_seen, names, parts=parts, shared=shared)
    inputs = rng.standard_normal((len(labels), FEATURES)).astype(np.float32)
    splits = {"train": np.arange(SEEN), "test": np.arange(SEEN, len(labels))}
    splits["validation"] = splits["test"]
    parts_names = tuple(tuple(f"{side} {i}" for i in range(count)) for side, count in sides.items())
    return data.Dataset(
        "C-GQA's size",
        inputs,
        labels,
        table,
        splits,
        kind="features",
        parts=parts_names,
        describe=lambda others: others.parts,  # without it there is no open world
    )


def main(name: str) -> None:
    config = config_lib.base(name, "pairs")
    _, task = protocols.PAIRS.tasks(dataset(), config)
    if name == "ideal_words":  # of the vectors alone: two-hot rows of all pairs would take 1.2 GiB
        task = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=task.classes.parts * 1.0))
    mesh = parallel.make_mesh()
    training = states.Training(methods.factory(name)(), task, jax.random.key(0), 512, mesh)
    *_, (_, state, _) = loop.fit(training, epochs=1)
    state = loop.finish(training, state)
    evaluate = evaluation.make_evaluate(training.method, task, mesh, protocol=protocols.PAIRS)
    for turn in ("first, with compilation", "again"):
        started, processor = time.perf_counter(), time.process_time()
        rows = evaluate.score(state)
        scored = time.perf_counter()
        evaluation.summarized(protocols.PAIRS, rows, evaluate.facts, {"gamma": 0.0})
        took = time.perf_counter() - scored
        print(
            f"{name}, {len(task.classes)} candidates x {IMAGES} images, {turn}: scoring {scored - started:.1f} s, "
            f"report {took:.1f} s, processor {time.process_time() - processor:.1f} s"
        )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"most memory of the process {most:.2f} GiB; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "two_heads")
