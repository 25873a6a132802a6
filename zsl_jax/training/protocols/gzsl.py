"""The protocol of the field: zero-shot, generalised zero-shot, the exact curve, calibrated stacking.

    ZSL    unseen test images among the unseen classes: per-class top-1
    GZSL   all test images among all classes: per-class top-1 on unseen (U) and seen (S) classes, H = 2US/(U+S)
    curve  (U, S) as a constant gamma subtracted from the seen scores grows; its area is AUSUC

Per-class accuracy is the mean of the classes' accuracies; micro accuracy, beside it, the mean over images.

Reference: Xian, Lampert, Schiele, Akata, "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and the
Ugly", TPAMI 2018; Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
Object Recognition in the Wild", ECCV 2016.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, errors, metrics
from zsl_jax.data import dataset, few_shot
from zsl_jax.training.protocols import base

_UNSEEN, _SEEN = 0, 1
_MOST_CONSTANTS = 1024  # calibration constants that are tried where several draws share one
_KEPT = 2**22  # scores that a figure may ask for


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns the validation tasks, one per class fold, and the benchmark's own."""
    source = few_shot.limited(source, config.few_shot.of_seen, seed=config.seed)
    final = _with_shots(data.test_task(source), config)
    if config.select.on == "nothing":
        return (), final
    if config.select.on == "test":
        if config.select.folds > 1:
            raise errors.UserError(
                f"select.folds={config.select.folds} are of validation classes: with select.on=test it must be 1"
            )
        return (final,), final
    training = data.training_part(source)
    folds = base.folds(config, len(training.classes), named=training.validation_classes is not None)
    choosing = data.validation_tasks(training, folds=folds, seed=config.seed, **config.select.split)
    return tuple(_with_shots(task, config) for task in choosing), final


def _with_shots(task: dataset.Task, config) -> dataset.Task:
    shots, reserve = config.few_shot.shots, config.few_shot.reserve
    if not shots and not reserve:
        return task
    return few_shot.few_shot(task, shots, reserve=reserve, seed=config.seed)


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns the two questions.

    Raises:
      UserError: no unseen class to score, or no test image of one.
    """
    check_unseen(task)
    is_seen, unseen = np.asarray(task.classes.is_seen), task.sets["test_unseen"]
    kept = keep and len(unseen.labels) * len(is_seen) <= _KEPT
    return {
        "zsl": base.Look(("test_unseen",), np.where(is_seen, -1, 0), keep=kept),
        "gzsl": base.Look(("test_unseen", "test_seen"), np.where(is_seen, _SEEN, _UNSEEN), num_groups=2),
    }


def check_unseen(task: dataset.Task) -> None:
    """Raises a UserError for a task without a test input of an unseen class."""
    is_seen, unseen = np.asarray(task.classes.is_seen), task.sets["test_unseen"]
    if is_seen.all() or not len(unseen.labels):
        raise errors.UserError(
            f"nothing to score: the task has {int(np.sum(~is_seen))} unseen classes with {len(unseen.labels)} test "
            "inputs"
        )


def choose(rows: dict[str, metrics.Rows], facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the constant gamma with the highest harmonic mean, of one draw exactly, of several the mean over them."""
    unseen, seen, gamma = jax.vmap(metrics.curve_of_rows)(rows["gzsl"], facts["is_seen"])
    if len(gamma) == 1:
        return {"gamma": gamma[0, jnp.argmax(metrics.harmonic_mean(unseen[0], seen[0]))]}
    constants = jnp.sort(gamma.reshape(-1))
    constants = constants[jnp.linspace(0, len(constants) - 1, min(_MOST_CONSTANTS, len(constants))).astype(int)]

    def harmonic(rows, facts, gamma):
        return _at(rows["gzsl"], facts["is_seen"], gamma)["harmonic"]

    over_draws = jax.vmap(harmonic, in_axes=(0, 0, None))
    means = jnp.mean(jax.lax.map(lambda gamma: over_draws(rows, facts, gamma), constants), axis=1)
    return {"gamma": constants[jnp.argmax(means)]}


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"zsl": {...}, "gzsl": {..., "calibrated": {...}}}`; NaN for what no test image measures."""
    is_seen = facts["is_seen"]
    zsl, gzsl = rows["zsl"], rows["gzsl"]
    top1, micro = _accuracies(metrics.predicted_class(zsl), zsl.label, len(is_seen), None)
    unseen, seen, _ = metrics.curve_of_rows(gzsl, is_seen)
    calibrated = _at(gzsl, is_seen, knobs["gamma"])
    # Sums of many trapezoids round: a perfect curve had an area of 1.0000001, which no record may hold.
    area = jnp.minimum(metrics.ausuc(unseen, seen), 1.0)
    return {
        "zsl": {"top1": top1, "top1_micro": micro},
        "gzsl": {
            **_at(gzsl, is_seen, None, micro=True),
            "ausuc": jnp.where(jnp.isnan(calibrated["harmonic"]), jnp.nan, area),
            "calibrated": {"gamma": jnp.asarray(knobs["gamma"], jnp.float32), **calibrated},
        },
    }


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns test images and right answers of each class, `[C]`."""
    num_classes = len(facts["is_seen"])
    zsl, gzsl = rows["zsl"], rows["gzsl"]

    def right(rows, predictions):
        return metrics.per_class_counts(predictions, rows.label, num_classes=num_classes)

    as_scored, images = right(gzsl, predictions(gzsl))
    return {
        "images": images,
        "gzsl_correct": as_scored,
        "calibrated_correct": right(gzsl, predictions(gzsl, knobs["gamma"]))[0],
        "zsl_correct": right(zsl, metrics.predicted_class(zsl))[0],
    }


def predictions(rows: metrics.Rows, gamma: Any = None) -> jax.Array:
    """Returns `[N]` the predicted classes, with gamma subtracted from the scores of seen classes where one is given."""
    return metrics.predicted_class(rows, None if gamma is None else jnp.stack([jnp.zeros(()), -jnp.asarray(gamma)]))


def hits(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `[N]` bool for each question; images of seen classes are not asked for zero-shot learning."""
    gzsl, zsl = rows["gzsl"], rows["zsl"]
    right = metrics.predicted_class(zsl) == zsl.label
    return {
        "zsl": jnp.concatenate([right, jnp.zeros(len(gzsl.label) - len(right), bool)]),
        "gzsl": predictions(gzsl) == gzsl.label,
        "calibrated": predictions(gzsl, knobs["gamma"]) == gzsl.label,
    }


def probabilities(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any], temperatures) -> Any:
    """Returns those of the calibrated scores, among all classes."""
    return base.calibrated_probabilities(rows["gzsl"], facts["is_seen"], knobs["gamma"], temperatures)


def intervals(per_class: dict[str, dict]) -> dict[str, Any]:
    """Returns 95 % intervals over the test images by metric, with their `level`: by bootstrap within each class.

    Args:
      per_class: images and correct ones of each class, as the record holds them.
    """
    entries = list(per_class.values())
    images, seen = (np.array([entry[name] for entry in entries]) for name in ("images", "seen"))
    rng = np.random.default_rng(0)

    def accuracy(correct: str, of: np.ndarray) -> np.ndarray:
        right = np.array([entry.get(correct, 0) for entry in entries])[of]
        return base.resampled(rng, right, images[of])

    samples = {"zsl": accuracy("zsl_correct", ~seen)}
    for prefix, correct in (("", "gzsl_correct"), ("calibrated_", "calibrated_correct")):
        u = accuracy(correct, ~seen)
        samples |= {f"{prefix}unseen": u}
        if seen.any():
            s = accuracy(correct, seen)
            harmonic = 2 * u * s / np.maximum(u + s, np.finfo(float).tiny)
            samples |= {f"{prefix}seen": s, f"{prefix}harmonic": harmonic}
    return base.intervals(samples)


def _at(rows: metrics.Rows, is_seen, gamma, *, micro: bool = False) -> dict[str, Any]:
    """Accuracies of all test images among all classes, on unseen and on seen ones."""
    found, small = predictions(rows, gamma), {}
    result = {}
    for side, of_side in (("unseen", ~is_seen), ("seen", is_seen)):
        result[side], small[f"{side}_micro"] = _accuracies(found, rows.label, len(is_seen), of_side[rows.label])
    result["harmonic"] = metrics.harmonic_mean(result["unseen"], result["seen"])
    return result | (small if micro else {})


def _accuracies(predictions, labels, num_classes: int, where) -> tuple[Any, Any]:
    correct, total = metrics.per_class_counts(predictions, labels, num_classes=num_classes, where=where)
    count = total.sum()
    found = metrics.mean_per_class(correct, total), correct.sum() / jnp.maximum(count, 1)
    return tuple(jnp.where(count > 0, share, jnp.nan) for share in found)


GZSL = base.Protocol(
    name="gzsl",
    tasks=tasks,
    looks=looks,
    choose=choose,
    report=report,
    counts=counts,
    intervals=intervals,
    probabilities=probabilities,
    hits=hits,
    hits_of="gzsl",
    unchosen=(("gamma", 0.0),),
    best="calibrated_harmonic",
    best_of_few="ausuc",
    published=("zsl", "unseen", "seen", "harmonic"),
    questions=(
        base.Question("zsl", "zsl_correct", "zsl"),
        base.Question("gzsl", "gzsl_correct", "unseen", "seen", "harmonic"),
        base.Question(
            "calibrated", "calibrated_correct", "calibrated_unseen", "calibrated_seen", "calibrated_harmonic"
        ),
    ),
    grid=base.Grid(
        ("ZSL", "unseen", "seen", "H", "AUSUC"),
        (
            ("as scored", ("zsl", "unseen", "seen", "harmonic", "ausuc")),
            ("calibrated", ("", "calibrated_unseen", "calibrated_seen", "calibrated_harmonic", "")),
        ),
    ),
    schema=(
        base.Metric("zsl", ("zsl", "top1"), "ZSL", choice="zsl", interval="zsl", curve="ZSL"),
        base.Metric("unseen", ("gzsl", "unseen"), "U", interval="unseen"),
        base.Metric("seen", ("gzsl", "seen"), "S", interval="seen"),
        base.Metric(
            "harmonic",
            ("gzsl", "harmonic"),
            "H",
            choice="uncalibrated",
            interval="harmonic",
            heading="GZSL as scored, H",
            curve="H",
        ),
        base.Metric("ausuc", ("gzsl", "ausuc"), "AUSUC", choice="ausuc", curve="AUSUC"),
        base.Metric("calibrated_unseen", ("gzsl", "calibrated", "unseen"), "cal. U", interval="calibrated_unseen"),
        base.Metric("calibrated_seen", ("gzsl", "calibrated", "seen"), "cal. S", interval="calibrated_seen"),
        base.Metric(
            "calibrated_harmonic",
            ("gzsl", "calibrated", "harmonic"),
            "cal. H",
            choice="harmonic",
            interval="calibrated_harmonic",
            heading="GZSL calibrated, H",
            curve="H, calibrated",
        ),
        base.Metric("gamma", ("gzsl", "calibrated", "gamma"), "gamma", kind="number"),
    ),
)
