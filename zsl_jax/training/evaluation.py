"""Scoring by the protocol of the field: zero-shot, generalised zero-shot, the exact curve, calibrated stacking.

    ZSL    unseen test images among the unseen classes: per-class top-1
    GZSL   all test images among all classes: per-class top-1 on unseen (U) and seen (S) classes, H = 2US/(U+S)
    curve  (U, S) as a constant gamma taken from the seen scores grows; its area is AUSUC

Per-class accuracy is the mean of the classes' accuracies; micro accuracy, beside it, the mean over images.

Reference: Xian, Lampert, Schiele, Akata, "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and the
Ugly", TPAMI 2018; Chao, Changpinyo, Gong, Sha, "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
Object Recognition in the Wild", ECCV 2016.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset, streaming
from zsl_jax.methods import base
from zsl_jax.training import parallel, processes

# Images that a device scores between two looks at whether to stop, at most, and what they may take: 16 MiB
# stay in a cache.
_BLOCK, _BLOCK_BYTES = 8192, 2**24


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


def make_evaluate(
    method: base.Method, task: dataset.Task, mesh, *, should_stop: Callable[[], bool] = lambda: False
) -> Callable[[Any], Evaluation]:
    """Returns `evaluate(finished_state) -> Evaluation` on the task's test images, compiled once.

    The images are scored a block of rows at a time, each device its share; rows that fill up the last block do not
    count. Any number of images on any number of devices gives the same counts.

    Raises:
      UserError: no unseen class to score, or no test image of one.
      Diverged: (when called) a score is not finite.
      Stopped: (when called) `should_stop`, asked before each block, said so on any process.
    """
    if not len(task.unseen_classes) or not len(task.test_unseen.labels):
        raise errors.UserError(
            f"nothing to score: the task has {len(task.unseen_classes)} unseen classes "
            f"with {len(task.test_unseen.labels)} test images"
        )
    num_unseen = len(task.test_unseen.labels)
    inputs = streaming.joined(task.test_unseen.inputs, task.test_seen.inputs)
    labels = np.concatenate([task.test_unseen.labels, task.test_seen.labels])
    labels, is_seen = parallel.replicate((labels, np.asarray(task.classes.is_seen)), mesh)
    unseen_classes, classes = parallel.place_state((task.unseen_classes, task.classes), mesh)
    unseen_blocks, seen_blocks = _Blocks(inputs[:num_unseen], mesh), _Blocks(inputs[num_unseen:], mesh)

    def adapted(state):
        if method.setting != "instance-transductive":
            return state, state
        everything = parallel.replicate(inputs, mesh)
        zsl_state = _adapt(state, everything[:num_unseen], unseen_classes, method=method)
        return zsl_state, _adapt(state, everything, classes, method=method)

    def scores(blocks: _Blocks, *looks):
        """Each block is looked at once, whatever the number of states and class tables that score it."""
        scored = []
        for block in blocks:
            stop, _ = processes.agreed(should_stop(), 1)
            if stop:
                raise errors.Stopped("stopped while test images were scored")
            scored.append(_score(block, looks, method=method, mesh=mesh))
        return scored

    def evaluate(state) -> Evaluation:
        zsl_state, gzsl_state = adapted(state)
        unseen = scores(unseen_blocks, (zsl_state, unseen_classes), (gzsl_state, classes))
        seen = scores(seen_blocks, (gzsl_state, classes))
        finite, evaluation = jax.device_get(_summarize_blocks(unseen, seen, labels, is_seen, num_unseen))
        if not finite:
            raise errors.Diverged("a score of a test image is not finite")
        return evaluation

    return evaluate


class _Blocks:
    """Rows `[N, ...]` in blocks of one size: on the devices for good where they fit, else one at a time."""

    def __init__(self, rows: np.ndarray | streaming.Pictures, mesh):
        shares = parallel.num_shares(mesh)
        most = min(_BLOCK, _BLOCK_BYTES // max(int(np.prod(rows.shape[1:])) * rows.dtype.itemsize, 1))
        size = max(min(-(-len(rows) // shares), most), 1) * shares
        self._rows, self._mesh, self._size = rows, mesh, size
        if isinstance(rows, streaming.Pictures):
            # Decoded by threads: workers take seconds to start, each time anew.
            self._rows = dataclasses.replace(rows, workers=0)
            return
        padded = np.pad(rows, [(0, -len(rows) % size)] + [(0, 0)] * (rows.ndim - 1))
        self._blocks = [padded[first : first + size] for first in range(0, len(padded), size)]
        if not parallel.must_divide(rows, mesh):
            self._blocks = [parallel.place_rows(block, mesh) for block in self._blocks]

    def __iter__(self):
        if isinstance(self._rows, streaming.Pictures):
            return streaming.one_ahead(self._decoded())
        return (parallel.place_rows(block, self._mesh) for block in self._blocks)

    def _decoded(self):
        """Blocks of a stream, each process its share of them; the last one is filled up by zeros."""
        layout = parallel.Layout(self._mesh, divided=True, streamed=True)
        mine, count = parallel.my_places(self._size, self._mesh), len(self._rows)
        firsts = range(0, count, self._size)
        places = np.concatenate([first + mine for first in firsts])
        with contextlib.closing(streaming.Reader(self._rows[places[places < count]])) as reader:
            for first in firsts:
                block = np.zeros((len(mine), *self._rows.shape[1:]), self._rows.dtype)
                real = int(np.sum(first + mine < count))
                block[:real] = reader.take(real)
                yield parallel.place_shares(block, mine, self._size, layout)


@functools.partial(jax.jit, static_argnames="method")
def _adapt(state, inputs, classes, *, method: base.Method):
    return method.adapt(state, inputs, classes)


@functools.partial(jax.jit, static_argnames=("method", "mesh"))
def _score(block, looks, *, method: base.Method, mesh):
    return tuple(parallel.keep_whole(method.scores(state, block, classes), mesh) for state, classes in looks)


@functools.partial(jax.jit, static_argnums=4)
def _summarize_blocks(unseen, seen, labels, is_seen, num_unseen: int):
    """Returns whether all scores are finite, and the evaluation, of scores in blocks whose last rows do not count."""
    zsl_scores, unseen_scores = (jnp.concatenate(blocks)[:num_unseen] for blocks in zip(*unseen, strict=True))
    seen_scores = [scores for (scores,) in seen]
    gzsl_scores = jnp.concatenate([unseen_scores, *seen_scores])[: len(labels)]
    return _finite_summary(zsl_scores, gzsl_scores, labels, is_seen)


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
    return _finite_summary(zsl_scores, gzsl_scores, labels, classes.is_seen)


def _finite_summary(zsl_scores, gzsl_scores, labels, is_seen):
    finite = jnp.all(jnp.isfinite(zsl_scores)) & jnp.all(jnp.isfinite(gzsl_scores))
    zsl_predictions = len(is_seen) - zsl_scores.shape[-1] + metrics.best_class(zsl_scores)
    return finite, summarize(zsl_predictions, gzsl_scores, labels, is_seen)


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
