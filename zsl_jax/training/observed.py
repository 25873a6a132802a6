"""What a finished run does on the unseen classes, to set beside what the class-attribute matrix says of them.

A run that predicts attributes (`Method.attributes`) also gives its detections, of the unseen classes and of those that
it held out for validation.
"""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import ml_collections
import numpy as np

from zsl_jax import data, errors
from zsl_jax.data import streaming
from zsl_jax.training import checkpoints, evaluation, loop, parallel, phases, run

_STREAMED = 1024  # pictures at a time where memory does not hold all


class Observed(NamedTuple):
    """A finished run on the unseen classes.

    Args:
      dataset: what the run was trained on.
      top1: per-class accuracy among them.
      confusion: `[C, C]` of the unseen classes, in the order of the dataset: the share of the images of the row's class
        that are taken for the column's.
      labels: `[N]`, of the test images of unseen classes: places among the unseen classes.
      detections: `[N, A]` probabilities of attributes of these images, or None where the method predicts none.
      validation: the names `[V]` of the classes of the images of validation classes, and their detections `[V, A]`, by
        the state that never saw these classes; None with `detections`, or where choices were made on test classes.
    """

    dataset: data.Dataset
    top1: float
    confusion: np.ndarray
    labels: np.ndarray
    detections: np.ndarray | None
    validation: tuple[np.ndarray, np.ndarray] | None


def observe(config: ml_collections.ConfigDict, workdir: pathlib.Path, *, say: Callable[[str], None]) -> Observed:
    """Scores a finished run on the test images of the unseen classes, and reads its detections.

    Raises:
      UserError: the run is not finished, its data has changed, or its checkpoints are gone.
    """
    problem, task, state = run.restore_finished(config, workdir, say=say)
    evaluated = evaluation.make_evaluate(problem.method, task, problem.mesh)(state)
    labels = np.asarray(task.test_unseen.labels) - task.num_seen
    predictions = np.asarray(evaluated.zsl_predictions) - task.num_seen
    num_classes = len(task.unseen_classes)
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predictions), 1)
    confusion = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    detections = validation = None
    if problem.method.attributes is not None:
        detections = _detect(problem, state, task.test_unseen.inputs)
        if config.select.on != "test":
            validation = _on_validation_classes(problem, config, workdir, say)
    top1 = float(evaluated.zsl["top1"])
    return Observed(problem.dataset, top1, confusion, labels, detections, validation)


def _on_validation_classes(problem, config, workdir: pathlib.Path, say) -> tuple[np.ndarray, np.ndarray]:
    """By the last state of the phase that chose on validation classes, and never trained on them."""
    problem, task = run.choosing_task(problem, config)
    key = phases.phase_key(config.seed, "select", config.select.on)
    shapes = jax.eval_shape(lambda: loop.init_state(problem.method, task, key=key, batch_size=config.train.batch_size))
    directory = workdir / "checkpoints" / "select"
    restored = checkpoints.restore_latest(directory, parallel.abstract(shapes, problem.mesh), warn=say)
    if restored is None:
        raise errors.UserError(
            f"{directory} has no whole checkpoint, so that its detectors cannot be judged: train again"
        )
    names = np.array(task.classes.names)[np.asarray(task.test_unseen.labels)]
    state = loop.finish(problem.method, restored.state, task, key=key, mesh=problem.mesh)
    return names, _detect(problem, state, task.test_unseen.inputs)


def _detect(problem, state, inputs) -> np.ndarray:
    attributes = jax.jit(problem.method.attributes)
    size = _STREAMED if isinstance(inputs, streaming.Pictures) else max(len(inputs), 1)
    return np.concatenate([attributes(state, block) for block in streaming.blocks(inputs, size)])
