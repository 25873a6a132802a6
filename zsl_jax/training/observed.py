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

from zsl_jax import data, errors, methods, metrics
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.training import evaluation, loop, phases, run, states

_STREAMED = 1024  # images at a time where memory does not hold all


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
    problem, training, state = run.restore_finished(config, workdir, say=say)
    task = training.task
    if problem.protocol.name != "gzsl":
        raise errors.UserError(f"{workdir} follows protocol={problem.protocol.name}: a bound speaks of runs of gzsl")
    evaluated = evaluation.make_evaluate(training.method, task, problem.mesh)(state)
    rows = evaluated.rows["zsl"]
    labels = rows.label - task.num_seen
    predictions = np.asarray(metrics.predicted_class(rows)) - task.num_seen
    num_classes = len(task.unseen_classes)
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predictions), 1)
    confusion = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    detections = validation = None
    if training.method.attributes is not None:
        detections = _detect(training.method, state, task.sets["test_unseen"].inputs)
        if config.select.on == "validation":
            validation = _on_validation_classes(problem, config, workdir, say)
    top1 = evaluated.metrics["zsl"]["top1"]
    return Observed(problem.dataset, top1, confusion, labels, detections, validation)


def _on_validation_classes(problem, config, workdir: pathlib.Path, say) -> tuple[np.ndarray, np.ndarray]:
    """By the last state of the phase that chose on validation classes, and never trained on them."""
    task = problem.protocol.tasks(problem.dataset, config)[0][0]
    travelling = phases.Run(config, workdir, say=say)
    training = travelling.training(problem.method_for(task, config), task, "select", problem.mesh)
    restored = travelling.restore("select", states.abstract_state(training))
    if restored is None:
        raise errors.UserError(
            f"{travelling.directory('select')} has no whole checkpoint, so that its detectors cannot be judged: train "
            "again"
        )
    unseen = task.sets["test_unseen"]
    names = np.array(task.classes.names)[np.asarray(unseen.labels)]
    state = loop.finish(training, states.with_frozen(training, restored.state))
    return names, _detect(training.method, state, unseen.inputs)


def _detect(method: methods.Method, state, inputs) -> np.ndarray:
    attributes = jax.jit(lambda state, block: method.attributes(state, method.embed(state, block)))
    size = _STREAMED if inputs_lib.is_stream(inputs) else max(inputs_lib.count(inputs), 1)
    return np.concatenate([attributes(state, block) for block in inputs_lib.blocks(inputs, size)])
