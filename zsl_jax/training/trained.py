"""A finished run as something that scores: its workdir read back, without the dataset that it was trained on."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from zsl_jax import data, errors, methods, metrics
from zsl_jax.data import class_tables
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.encoders import preprocessing as preprocessing_lib
from zsl_jax.encoders import stages
from zsl_jax.training import checkpoints, hashes, parallel, phases, problems, reading, run, states


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
      log: lines of JSON, the metrics of each epoch.
      dataset: what it was fitted on, where that was given as arrays in this process.
    """

    method: methods.Method
    state: Any
    classes: data.ClassTable
    attributes: tuple[str, ...]
    record: dict
    config: ml_collections.ConfigDict
    log: str = ""
    dataset: data.Dataset | None = None

    def predict(
        self, inputs: Any, classes: Any = None, names: Sequence[str] | None = None, *, top: int = 1, gamma=None
    ) -> np.ndarray:
        """Returns the best class of each input, `[N]`, or the `top` best, `[N, top]`.

        By name where the candidates have names that somebody gave them, and else as the row of the class.

        Args:
          inputs: `[N, ...]`, as in training.
          classes: the candidates: None for those of the run, in the order they were given in; descriptions `[C, A]`, a
            `ClassTable` or the path of a file with one, also of classes that nobody has trained on.
          names: `[C]`, of `classes`; without these, which classes of the run are candidates, or, where classes are
            described by their names, any names.
          top: how many classes.
          gamma: what is subtracted from the scores of seen classes; None for the constant chosen on validation classes.

        Raises:
          UserError: inputs or classes of another shape than in training.
        """
        from zsl_jax.training import answers

        return answers.predict(self, inputs, classes, names, top=top, gamma=gamma)

    def scores(self, inputs: Any, classes: Any = None, names: Sequence[str] | None = None, *, gamma=None) -> np.ndarray:
        """Returns the calibrated scores `[N, C]`; the arguments are those of `predict`."""
        from zsl_jax.training import answers

        return answers.scores(self, inputs, classes, names, gamma=gamma)

    def uncertainty(self, inputs: Any, classes: Any = None, names: Sequence[str] | None = None) -> np.ndarray:
        """Returns `[N]` in (0, 1], the share of belief that an evidential loss has taught to give to no class.

        Args:
          inputs, classes, names: as `predict` takes them; more candidates leave more to be uncertain of.

        Raises:
          UserError: a method that no evidential loss has trained.
        """
        from zsl_jax.training import answers

        return answers.uncertainty(self, inputs, classes, names)

    def explain(self, inputs: Any, classes: Any = None, names: Sequence[str] | None = None, *, count: int = 5) -> list:
        """Returns a `predicting.Prediction` for each input: its best class, and which attributes speak for it.

        Args:
          inputs, classes, names: as `predict` takes them.
          count: how many attributes to name, the largest contributions first.

        Raises:
          UserError: a method whose score is not a sum over attributes.
        """
        from zsl_jax.training import answers

        return answers.explain(self, inputs, classes, names, count=count)

    def save(self, workdir: str | os.PathLike) -> None:
        """Writes a workdir that `zsl_jax.load` and every verb read; with the data, where it was given as arrays.

        Raises:
          UserError: the folder holds something already, or the method has no name.
        """
        from zsl_jax.training import saving

        saving.save(self, pathlib.Path(workdir))

    def __getstate__(self) -> dict[str, Any]:
        """All but the method, which is made again by its name, and the data."""
        kept = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return kept | {"method": None, "state": parallel.to_host(self.state), "dataset": None}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        late = kept["record"]["selection"].get("late", {})
        made = {
            "method": problems.remembered(kept["config"], **late),
            "state": jax.tree.map(jnp.asarray, kept["state"]),
        }
        for name, value in (kept | made).items():
            object.__setattr__(self, name, value)

    @property
    def gamma(self) -> float:
        """What is subtracted from the scores of seen classes, chosen on validation classes; 0 where nothing is."""
        return self.record["selection"].get("gamma", 0.0)

    @property
    def temperature(self) -> float:
        """Of the softmax that makes probabilities of calibrated scores, fitted on validation classes; else 1."""
        return self.record["selection"].get("temperature") or 1.0

    @property
    def inputs(self) -> dict[str, Any]:
        """Shape and dtype of an input, or of its parts, as `data.inputs.spec` has them."""
        described = self.record["dataset"]["inputs"]
        return described["parts"] if "parts" in described else {name: described[name] for name in ("shape", "dtype")}

    @property
    def kind(self) -> str:
        """What an input is, in the plural."""
        return self.record["dataset"]["inputs"].get("kind", "inputs")

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of an input; None where it has parts."""
        return tuple(self.inputs["shape"]) if "shape" in self.inputs else None

    @property
    def preprocessing(self) -> str | dict | None:
        """What made inputs of images, for `encoders.preprocessing.make`; None where it is unknown."""
        return self.record["dataset"]["inputs"]["preprocessing"]

    @functools.cached_property
    def preprocess(self) -> preprocessing_lib.Preprocessing:
        """What makes inputs of images.

        Raises:
          UserError: it is unknown, or its weights are gone or changed.
        """
        return preprocessing_lib.make(self.preprocessing)

    def stage(self) -> stages.Stage:
        """Returns the stage that inputs go through before anything else.

        Raises:
          UserError: the run has none, or its tower is not the one that the run was made with.
        """
        said = self.record["dataset"]["inputs"].get("stages") or []
        if not said:
            raise errors.UserError(f"this run takes {self.kind} as they are: it has no stage before them")
        stage = problems.text_stage(self.config)
        if stage.sha256 != said[0]["sha256"]:
            raise errors.UserError(
                f"config.towers.text={self.config.towers.text} is not the tower that the run was made with (sha256 "
                f"{stage.sha256[:12]}, not {said[0]['sha256'][:12]})"
            )
        return stage


def described(model: Trained, classes: data.ClassTable) -> Any:
    """Returns what the method makes of a class table, once for all inputs."""
    table = dataclasses.replace(classes, trained=None)
    return _describe(model.state, jax.tree.map(jnp.asarray, table), method=model.method)


def calibrated_scores(method: methods.Method, state: Any, inputs, described, is_seen, gamma) -> jax.Array:
    """Returns `[B, C]` scores, with `gamma` subtracted from those of the seen classes; pure."""
    scores = method.scores(state, method.embed(state, inputs), described)
    return metrics.calibrated_stacking(scores, is_seen, gamma)


@functools.partial(jax.jit, static_argnames="method")
def _describe(state, classes, *, method: methods.Method):
    return method.describe(state, classes)


def of_result(result: run.Result, config: ml_collections.ConfigDict, source: data.Dataset, log: str) -> Trained:
    """Returns a run that was just done as something that scores, without a look at its workdir."""
    state = jax.tree.map(jnp.asarray, parallel.to_host(result.state))
    columns = class_tables.columns(source)
    return Trained(result.method, state, result.task.classes, columns, result.record, config, log, source)


def load(workdir: str | os.PathLike, *, say: Callable[[str], None] = print) -> Trained:
    """Reads a finished run.

    Args:
      workdir: of the run.
      say: called with a line for each checkpoint that is damaged.

    Raises:
      UserError: no finished run, one that is damaged, or one of a version that left less behind.
    """
    workdir = pathlib.Path(workdir)
    for name in ("config.json", "record.json"):
        if not (workdir / name).is_file():
            raise errors.UserError(f"--workdir={workdir} holds no finished run ({name} is missing)")
    record = reading.read(workdir / "record.json")
    found = class_tables.read(workdir)
    if found is None or "inputs" not in record["dataset"]:
        raise errors.UserError(f"{workdir} keeps no class table: it was trained by an older version")
    config, _ = run.read_config(workdir / "config.json")
    parallel.multiply_in(config.precision)
    _check_chosen(workdir, record["selection"])
    travelling = phases.Run(config, workdir, say=say, made_of=record.get(run.MADE_OF))
    try:
        training = _training(travelling, record, found.classes)
        abstract_state = states.abstract_finished(training)
    except errors.UserError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        says = str(error).partition("\n")[0]
        raise errors.UserError(
            f"no method can be made of what config.json and record.json in {workdir} say ({says}): train it again"
        ) from error
    restored = travelling.restore("finished", abstract_state)
    if restored is None:
        raise errors.UserError(f"{workdir} has no whole checkpoint of a finished run: train it again")
    if checkpoints.state_sha256(restored.state) != record.get("state_sha256"):
        raise errors.UserError(f"the finished state in {workdir} is not the one of its record.json: train it again")
    there = hashes.table_sha256(found.classes)
    if record.get("classes_sha256", there) != there:
        raise errors.UserError(
            f"the class table in {workdir} was changed since the run ended: keep it, and give yours as --classes=FILE"
        )
    # What the checkpoint holds is whole on every device; scoring asks for one.
    state = jax.device_put(parallel.to_host(states.with_frozen(training, restored.state)))
    method, classes = training.method, training.task.classes
    log = workdir / "metrics.jsonl"
    lines = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return Trained(method, state, classes, found.attributes, record, config, lines)


def _check_chosen(workdir: pathlib.Path, selection: dict) -> None:
    """Raises where what is taken from scores or divides them is no number, which only an older record may say."""
    for name in ("gamma", "temperature"):
        value = selection.get(name, None if name in (selection.get("knobs") or ()) else 0.0)
        may_lack = name == "temperature" and value is None
        if not may_lack and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise errors.UserError(
                f"{workdir / 'record.json'} is damaged: selection.{name} is {value!r}, not a number: train it again"
            )


def _training(travelling: phases.Run, record: dict, found: data.ClassTable) -> states.Training:
    """The final training of a run, on examples of zeros."""
    config, counts = travelling.config, record["dataset"]["counts"]
    method = problems.make_method(config, **record["selection"].get("late", {}))
    trained = counts.get("trained_classes", len(found) if config.few_shot.shots else counts["seen_classes"])
    classes = dataclasses.replace(found, trained=trained)
    task = _task_of_zeros(record["dataset"], classes, config.train.batch_size)
    return travelling.training(method, task, "train", parallel.make_mesh())


def _task_of_zeros(described: dict, classes: data.ClassTable, count: int) -> data.Task:
    """A task with the shapes of the run's and no examples of it: what a state needs to be read."""
    inputs = described["inputs"]
    rows = inputs_lib.from_spec(inputs.get("parts", inputs), count)
    columns = (classes.num_trained,) if described.get("labels") == "several" else ()
    return data.Task(data.Examples(rows, np.zeros((count, *columns), np.int32)), {}, classes)
