"""A finished run as something that scores: its workdir read back, without the dataset that it was trained on."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from zsl_jax import data, errors, methods, metrics
from zsl_jax.data import class_files
from zsl_jax.training import checkpoints, parallel, reading, run


@dataclasses.dataclass(frozen=True)
class Trained:
    """A method with its state, and what it takes to score new inputs.

    Args:
      method: scales inputs and class descriptions as in training.
      state: what `finish` left.
      classes: the class table of the run, seen classes first.
      attributes: the names of its columns `[A]`.
      record: as `record.json` holds it.
      config: of the run.
    """

    method: methods.Method
    state: Any
    classes: data.ClassTable
    attributes: tuple[str, ...]
    record: dict
    config: ml_collections.ConfigDict

    @property
    def gamma(self) -> float:
        """What is taken from the scores of seen classes, chosen on validation classes."""
        return self.record["selection"]["gamma"]

    @property
    def temperature(self) -> float:
        """Of the softmax that makes probabilities of calibrated scores, fitted on validation classes."""
        return self.record["selection"]["temperature"]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.record["dataset"]["inputs"]["shape"])

    @property
    def preprocessing(self) -> str | dict | None:
        """What made inputs of images, for `data.preprocessing.make`; None where it is unknown."""
        return self.record["dataset"]["inputs"]["preprocessing"]

    def table(self, described: class_files.Described) -> data.ClassTable:
        """The table of a file; where it does not say which classes are seen, those are that the run has seen."""
        if described.says_seen:
            return described.classes
        seen = {name for name, is_seen in zip(self.classes.names, self.classes.is_seen) if is_seen}
        return dataclasses.replace(
            described.classes, is_seen=np.array([name in seen for name in described.classes.names])
        )


def calibrated_scores(method: methods.Method, state: Any, inputs, classes: data.ClassTable, gamma) -> jax.Array:
    """Returns `[B, C]` scores, with `gamma` taken from those of the seen classes; pure."""
    scores = method.scores(method.adapt(state, inputs, classes), inputs, classes)
    return metrics.calibrated_stacking(scores, classes.is_seen, gamma)


def load(workdir: pathlib.Path, *, say: Callable[[str], None] = print) -> Trained:
    """Reads a finished run.

    Args:
      workdir: of the run.
      say: called with a line for each checkpoint that is damaged.

    Raises:
      UserError: no finished run, or one of a version that left less behind.
    """
    for name in ("config.json", "record.json"):
        if not (workdir / name).is_file():
            raise errors.UserError(f"--workdir={workdir} holds no finished run ({name} is missing)")
    record = reading.read(workdir / "record.json")
    if not (workdir / "classes.csv").is_file() or "inputs" not in record["dataset"]:
        raise errors.UserError(
            f"{workdir} keeps no class table: its classes are not described by attributes, or it was trained by an "
            "older version"
        )
    config = ml_collections.ConfigDict(json.loads((workdir / "config.json").read_text())).lock()
    described = class_files.read(workdir / "classes.csv")
    method, mesh = run.make_method(config), parallel.make_mesh()
    if config.few_shot.shots:
        method = methods.any_shot(method, len(described.classes))
    task = _task_of_zeros(record["dataset"]["inputs"], described.classes, config.train.batch_size)
    problem = run.Problem(None, method, mesh)
    restored = checkpoints.restore_latest(
        workdir / "checkpoints" / "finished", run.abstract_finished(problem, task, config), warn=say
    )
    if restored is None:
        raise errors.UserError(f"{workdir} has no whole checkpoint of a finished run: train it again")
    # What the checkpoint holds is whole on every device; scoring asks for one.
    state = jax.tree.map(jnp.asarray, jax.device_get(restored.state))
    return Trained(method, state, described.classes, described.attributes, record, config)


def _task_of_zeros(inputs: dict, classes: data.ClassTable, count: int) -> data.Task:
    """A task with the shapes of the run's and no examples of it: what a state needs to be read."""
    examples = data.Examples(
        np.broadcast_to(np.zeros((), inputs["dtype"]), (count, *inputs["shape"])), np.zeros(count, np.int32)
    )
    return data.Task(examples, examples, examples, classes)
