"""How long the shipped datasets take to make, and what ESZSL in closed form reaches on them.

    python benchmarks/bench_datasets.py

Processor seconds, so that other work on the machine counts little. The constants of the closed form and of the
calibration are chosen on seen classes that are held out (three draws); the test splits are scored once. Other options
can be asked for: `python benchmarks/bench_datasets.py shapes seed=1 num_per_class=20 size=64`.
"""

import itertools
import sys
import time

import numpy as np

from zsl_jax import data, metrics
from zsl_jax.data import dataset, tasks

RIDGES = [(g, a) for g in (0.01, 0.1, 1.0, 10.0) for a in (0.1, 1.0, 10.0)]
DEFAULTS = (("shapes", {}), ("shapes", {"seed": 1}), ("shapes", {"num_per_class": 20}), ("digits", {}))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def scores(task: dataset.Task, ridge: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """ESZSL, W = (X'X + gI)^-1 X'Y Phi (Phi'Phi + lI)^-1: scores of all classes on seen and on unseen test images."""
    x, attributes = task.train.inputs.astype(np.float64), unit(task.classes.embedding.astype(np.float64))
    seen = attributes[: task.num_seen]
    w = np.linalg.solve(x.T @ x + ridge[0] * np.eye(x.shape[1]), x.T @ attributes[task.train.labels])
    w = np.linalg.solve(seen.T @ seen + ridge[1] * np.eye(seen.shape[1]), w.T).T
    return tuple(part.inputs @ w @ attributes.T for part in (task.sets["test_seen"], task.sets["test_unseen"]))


def zsl(task: dataset.Task, unseen_scores: np.ndarray) -> float:
    predictions = task.num_seen + unseen_scores[:, task.num_seen :].argmax(1)
    return float(
        metrics.per_class_accuracy(predictions, task.sets["test_unseen"].labels, num_classes=len(task.classes))
    )


def curve(task: dataset.Task, both: tuple[np.ndarray, np.ndarray]):
    labels = np.concatenate([task.sets[name].labels for name in ("test_seen", "test_unseen")])
    return [np.asarray(c) for c in metrics.seen_unseen_curve(np.concatenate(both), labels, task.classes.is_seen)]


def gzsl(task: dataset.Task, both: tuple[np.ndarray, np.ndarray], gamma: float) -> tuple[float, float, float]:
    parts = (task.sets["test_unseen"], both[1]), (task.sets["test_seen"], both[0])
    predictions = [np.asarray(metrics.calibrated_stacking(s, task.classes.is_seen, gamma)).argmax(1) for _, s in parts]
    unseen, seen = (
        float(metrics.per_class_accuracy(p, part.labels, num_classes=len(task.classes)))
        for p, (part, _) in zip(predictions, parts)
    )
    return unseen, seen, float(metrics.harmonic_mean(unseen, seen))


def main(name: str, options: dict) -> None:
    start = time.process_time()
    loaded = data.load(name, **options)
    seconds = time.process_time() - start
    validations = [tasks.validation_task(tasks.training_part(loaded), seed=seed) for seed in range(3)]
    accuracy = {r: np.mean([zsl(task, scores(task, r)[1]) for task in validations]) for r in RIDGES}
    ridge = max(accuracy, key=accuracy.get)
    gammas = []
    for task in validations:
        unseen, seen, gamma = curve(task, scores(task, ridge))
        gammas.append(gamma[np.argmax(unseen * seen / np.maximum(unseen + seen, 1e-9))])
    task = tasks.test_task(loaded)
    both = scores(task, ridge)
    unseen, seen, _ = curve(task, both)
    plain, calibrated = gzsl(task, both, 0.0), gzsl(task, both, float(np.mean(gammas)))
    row = [
        f"{seconds:5.1f}",
        f"{accuracy[ridge]:.3f}",
        f"{zsl(task, both[1]):.3f}",
        f"{metrics.ausuc(unseen, seen):.3f}",
    ]
    row += ["/".join(f"{v:.3f}" for v in values) for values in (plain, calibrated)]
    asked = " ".join([name, *itertools.starmap("{}={}".format, options.items())])
    print(f"{asked:28} {len(loaded.inputs):6} " + "  ".join(row), flush=True)


if __name__ == "__main__":
    print(f"{'':28} images  cpu s  val.  ZSL    AUSUC  GZSL U/S/H          calibrated")
    if sys.argv[1:]:
        main(sys.argv[1], {key: int(value) for key, value in (word.split("=") for word in sys.argv[2:])})
    else:
        for dataset_name, dataset_options in DEFAULTS:
            main(dataset_name, dataset_options)
