"""Scoring by the protocol of the field: zero-shot, generalised zero-shot, the exact curve, calibrated stacking.

    ZSL    unseen test images among the unseen classes: per-class top-1
    GZSL   all test images among all classes: per-class top-1 on unseen (U) and seen (S) classes, H = 2US/(U+S)
    curve  (U, S) as a constant gamma taken from the seen scores grows; its area is AUSUC

Per-class accuracy is the mean of the classes' accuracies; micro accuracy, beside it, the mean over images.

Reference: Xian, Lampert, Schiele, Akata, "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and the
Ugly", TPAMI 2018; Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
Object Recognition in the Wild", ECCV 2016.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset
from zsl_jax.methods import base
from zsl_jax.training import parallel


class Evaluation(NamedTuple):
    """What one look at a task's test images gives; accuracies are fractions.

    Fields:
      zsl: `top1`, `top1_micro`.
      gzsl: `unseen`, `seen`, `harmonic`, `ausuc`, `unseen_micro`, `seen_micro`.
      curve: `unseen [M]`, `seen [M]`, `gamma [M]`.
      zsl_correct, gzsl_correct: `[C]` correct test images of each class, and `total [C]` of all.
      zsl_predictions, gzsl_predictions: rows of the class table, for the unseen and for all test images
        (unseen first).
      gzsl_scores: `[N, C]`, of all test images (unseen first).
    """

    zsl: dict[str, Any]
    gzsl: dict[str, Any]
    curve: dict[str, Any]
    zsl_correct: Any
    gzsl_correct: Any
    total: Any
    zsl_predictions: Any
    gzsl_predictions: Any
    gzsl_scores: Any


def make_evaluate(method: base.Method, task: dataset.Task, mesh) -> Callable[[Any], Evaluation]:
    """Returns `evaluate(finished_state) -> Evaluation` on the task's test images, compiled once.

    Raises:
      UserError: no unseen class to score, or no test image of one.
      Diverged: (when called) a score is not finite.
    """
    if not len(task.unseen_classes) or not len(task.test_unseen.labels):
        raise errors.UserError(
            f"nothing to score: the task has {len(task.unseen_classes)} unseen classes "
            f"with {len(task.test_unseen.labels)} test images"
        )
    arrays = task_arrays(task, mesh)

    def checked(state) -> Evaluation:
        finite, evaluation = jax.device_get(_evaluate(state, arrays, method=method))
        if not finite:
            raise errors.Diverged("a score of a test image is not finite")
        return evaluation

    return checked


def task_arrays(task: dataset.Task, mesh) -> tuple:
    """Returns what `evaluate_arrays` looks at, on the devices: arguments of a compiled function, not its constants."""
    return parallel.replicate((task.test_seen, task.test_unseen, task.classes, task.unseen_classes), mesh)


def evaluate_arrays(method: base.Method, state, arrays: tuple):
    """Returns whether all scores are finite, and the evaluation of a state; pure."""
    seen_test, unseen_test, classes, unseen_classes = arrays
    zsl_state = method.adapt(state, unseen_test.inputs, unseen_classes)
    zsl_scores = method.scores(zsl_state, unseen_test.inputs, unseen_classes)
    gzsl_state = method.adapt(state, jnp.concatenate([unseen_test.inputs, seen_test.inputs]), classes)
    # Scores are put together, not inputs: those are larger, and without an `adapt` nobody needs them in one array.
    gzsl_scores = jnp.concatenate([method.scores(gzsl_state, x.inputs, classes) for x in (unseen_test, seen_test)])
    labels = jnp.concatenate([unseen_test.labels, seen_test.labels])
    finite = jnp.all(jnp.isfinite(zsl_scores)) & jnp.all(jnp.isfinite(gzsl_scores))
    zsl_predictions = len(classes) - len(unseen_classes) + metrics.best_class(zsl_scores)
    return finite, summarize(zsl_predictions, gzsl_scores, labels, classes.is_seen)


@functools.partial(jax.jit, static_argnames="method")
def _evaluate(state, arrays, *, method: base.Method):
    return evaluate_arrays(method, state, arrays)


def summarize(zsl_predictions, gzsl_scores, labels, is_seen) -> Evaluation:
    """Returns the evaluation of given scores.

    Args:
      zsl_predictions: `[N_unseen]` rows of the class table.
      gzsl_scores: `[N, C]`, the unseen test images first.
      labels: `[N]` rows of the class table.
      is_seen: `[C]` bool.
    """
    num_classes, num_unseen = len(is_seen), len(zsl_predictions)
    predictions = metrics.best_class(gzsl_scores)
    is_unseen_image = jnp.arange(len(labels)) < num_unseen

    def accuracies(predictions, labels, where):
        correct, total = metrics.per_class_counts(predictions, labels, num_classes=num_classes, where=where)
        return correct, total, metrics.mean_per_class(correct, total), correct.sum() / jnp.maximum(total.sum(), 1)

    zsl_correct, _, top1, top1_micro = accuracies(zsl_predictions, labels[:num_unseen], None)
    unseen_correct, unseen_total, unseen, unseen_micro = accuracies(predictions, labels, is_unseen_image)
    seen_correct, seen_total, seen, seen_micro = accuracies(predictions, labels, ~is_unseen_image)
    curve_unseen, curve_seen, gamma = metrics.seen_unseen_curve(gzsl_scores, labels, is_seen)
    return Evaluation(
        zsl={"top1": top1, "top1_micro": top1_micro},
        gzsl={
            "unseen": unseen,
            "seen": seen,
            "harmonic": metrics.harmonic_mean(unseen, seen),
            "ausuc": metrics.ausuc(curve_unseen, curve_seen),
            "unseen_micro": unseen_micro,
            "seen_micro": seen_micro,
        },
        curve={"unseen": curve_unseen, "seen": curve_seen, "gamma": gamma},
        zsl_correct=zsl_correct,
        gzsl_correct=unseen_correct + seen_correct,
        total=unseen_total + seen_total,
        zsl_predictions=zsl_predictions,
        gzsl_predictions=predictions,
        gzsl_scores=gzsl_scores,
    )


def best_calibration(evaluation: Evaluation) -> dict[str, float]:
    """Returns the point of the trade-off curve with the highest harmonic mean: `gamma`, `unseen`, `seen`, `harmonic`.

    For validation tasks: on a test task it would choose gamma by test labels.
    """
    curve = evaluation.curve
    harmonic = np.asarray(metrics.harmonic_mean(curve["unseen"], curve["seen"]))
    best = int(np.argmax(harmonic))
    return {name: float(curve[name][best]) for name in ("gamma", "unseen", "seen")} | {
        "harmonic": float(harmonic[best])
    }


class Calibrated(NamedTuple):
    """GZSL accuracies at a calibration constant, and the correct test images of each class, `[C]`."""

    metrics: dict[str, float]
    correct: np.ndarray


def calibrated(evaluation: Evaluation, task: dataset.Task, gamma: float) -> Calibrated:
    """Returns what GZSL comes to with `gamma` taken from the scores of the seen classes."""
    is_seen, total = np.asarray(task.classes.is_seen), np.asarray(evaluation.total)
    stacked = metrics.calibrated_stacking(evaluation.gzsl_scores, is_seen, gamma)
    labels = np.concatenate([task.test_unseen.labels, task.test_seen.labels])
    hits = np.argmax(stacked, axis=1) == labels
    correct = np.bincount(labels[hits], minlength=len(is_seen))
    unseen, seen = (float(metrics.mean_per_class(*np.where(side, (correct, total), 0))) for side in (~is_seen, is_seen))
    harmonic = float(metrics.harmonic_mean(unseen, seen))
    return Calibrated({"gamma": float(gamma), "unseen": unseen, "seen": seen, "harmonic": harmonic}, correct)


def temperature(evaluation: Evaluation, task: dataset.Task, gamma: float) -> float:
    """Returns the temperature at which the calibrated scores are probabilities; for validation tasks, as gamma is."""
    labels = np.concatenate([task.test_unseen.labels, task.test_seen.labels])
    return float(_temperature(evaluation.gzsl_scores, labels, np.asarray(task.classes.is_seen), gamma))


@jax.jit
def _temperature(scores, labels, is_seen, gamma):
    return metrics.fitted_temperature(metrics.calibrated_stacking(scores, is_seen, gamma), labels)
