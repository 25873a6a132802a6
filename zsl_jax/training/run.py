"""A whole run: choose epochs and gamma on validation classes, train on all seen ones, score the test once.

WORKDIR/config.json         what the run is; a second run with another config is refused
WORKDIR/metrics.jsonl       a line an epoch of either phase
WORKDIR/checkpoints/PHASE/  `select`, `train` and `finished`
WORKDIR/selection.json      what was chosen, and the validation scores behind it
WORKDIR/classes.csv         the class table, in the form that `predict` takes, if it is a matrix
WORKDIR/record.json         the result
"""

import functools
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from zsl_jax import data, errors, methods
from zsl_jax.data import class_files, few_shot, streaming
from zsl_jax.training import checkpoints, encoding, evaluation, files, loop, parallel, phases, processes, record

SELECTED_ON = {"validation": "validation classes", "test": "test_oracle"}
# Where data lies, how it is read and what is drawn or logged do not make another run.
_SAME_RUN = (
    "data.dir",
    "data.file",
    "data.cache",
    "data.workers",
    "plots",
    "tensorboard",
    "parallel",
    "profile",
    "compilation_cache",
)
ORACLE = (
    "CHOSEN ON TEST LABELS (config.select.on=test): what comes out is the best that could have been picked, not what "
    "the method reaches; the record says test_oracle"
)


class Problem(NamedTuple):
    """A config brought to life: the dataset, the method and the devices."""

    dataset: data.Dataset
    method: methods.Method
    mesh: jax.sharding.Mesh


class Result(NamedTuple):
    """What a finished run leaves behind, on disk and in memory."""

    record: dict
    evaluation: evaluation.Evaluation
    task: data.Task
    unseen_images: np.ndarray | None
    pairs: list | None  # (attribute, object) of each class, where the data says


def make_problem(config: ml_collections.ConfigDict, *, mesh: jax.sharding.Mesh | None = None) -> Problem:
    """Returns dataset, method and mesh of a config; every complaint about them comes before anything is written.

    Args:
      config: see `zsl_jax.config`.
      mesh: None for that of `config.parallel`, which has to divide the batch.
    """
    parallel.keep_compiled(config.compilation_cache)
    if mesh is None:
        mesh = parallel.make_mesh(**{name: config.parallel[name] for name in ("devices", "model", "mode")})
        parallel.check_batch_size(mesh, config.train.batch_size)
    problem = Problem(data.load(**config.data), make_method(config), mesh)
    streamed = isinstance(problem.dataset.inputs, streaming.Pictures)
    if "encoder" in config or streamed:
        # What an encoder cannot take should be said now, not when the workdir is there.
        task = data.test_task(problem.dataset)
        batch = {"key": jax.random.key(config.seed), "batch_size": config.train.batch_size}
        state = jax.eval_shape(lambda: loop.init_state(problem.method, task, **batch))
        if streamed:
            # So should be that a method looks at all of them together.
            method, classes = problem.method, loop.training_classes(problem.method, task)
            jax.eval_shape(lambda state: method.prepare(state, task.train, classes, batch["key"]), state)
            jax.eval_shape(lambda state: method.finish(state, task.train, task.classes, batch["key"]), state)
    return problem


def make_method(
    config: ml_collections.ConfigDict, *, scaling: dict[str, str] | None = None, steps_per_epoch: int = 0, **knobs
) -> methods.Method:
    """Returns the method of a config, with some numeric knobs (which may be traced) in place of the config's.

    Args:
      config: of a run.
      scaling: of inputs and classes; None for `config.normalize`.
      steps_per_epoch: of the training, if there will be one.
      **knobs: of the method.
    """
    knobs = {**config.method, **encoding.make_parts(config, steps_per_epoch=steps_per_epoch), **knobs}
    return methods.normalized(methods.factory(knobs.pop("name"))(**knobs), **(scaling or config.normalize))


def run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    *,
    say: Callable[[str], None] = print,
    problem: Problem | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Runs a config in its workdir, or goes on where an earlier run of the same config stopped.

    Args:
      config: see `zsl_jax.config`.
      workdir: made if it does not exist.
      say: called with lines for the user.
      problem: that of the config; None makes it. Configs that differ in their seed alone may share one, and with it the
        data and the compiled programs.
      should_stop: asked between steps and between blocks of scored images, see `interruption.listening`.

    Raises:
      UserError: another run that lives holds the workdir, a value is not finite, or what else a user can mend.
      Stopped: `should_stop` said so; the state is saved.
    """
    problem = make_problem(config) if problem is None else problem
    if config.select.on == "test":
        say(ORACLE)
    for line in encoding.sizes(config, problem.dataset):
        say(line)
    choosing, choice = choosing_task(problem, config)
    problem, task = _for_task(problem, data.test_task(problem.dataset), config)
    processes.from_first(lambda: open_workdir(workdir, config))
    with processes.held_by_first(lambda: files.locked(workdir)):
        return _run(config, workdir, say, should_stop, (choosing, choice), (problem, task))


def _run(config, workdir: pathlib.Path, say, should_stop, validation, test) -> Result:
    """Chooses on the validation problem and task, trains for the test task and scores it, in a workdir that is ours."""
    problem, task = test
    started = time.perf_counter()
    selection = _select(*validation, config, workdir, say, should_stop)
    state, steps_per_s = _train(problem, task, config, workdir, selection["epochs"], say, should_stop)
    trained = time.perf_counter()
    evaluated = evaluation.make_evaluate(problem.method, task, problem.mesh, should_stop=should_stop)(state)
    timing = {
        "train_s": trained - started,
        "evaluate_s": time.perf_counter() - trained,
        "steps_per_s": steps_per_s,
    }
    result = record.make(
        config,
        problem.dataset,
        problem.method,
        task,
        evaluated,
        selection,
        state,
        timing,
        parallel.describe(problem.mesh),
    )
    if processes.is_first() and isinstance(task.classes.embedding, np.ndarray) and task.classes.embedding.ndim == 2:
        class_files.write(workdir / "classes.csv", task.classes, class_files.attribute_names(problem.dataset))
    processes.from_first(lambda: files.write_json(workdir / "record.json", result))
    return Result(result, evaluated, task, _unseen_images(problem.dataset, config), _pairs(problem.dataset, task))


def choosing_task(problem: Problem, config: ml_collections.ConfigDict) -> tuple[Problem, data.Task]:
    """Returns the problem and the task of the phase that chooses."""
    return _for_task(problem, selection_task(problem.dataset, config), config)


def evaluate(config: ml_collections.ConfigDict, workdir: pathlib.Path, *, say: Callable[[str], None] = print) -> Result:
    """Scores the finished state of a workdir again; returns a record with everything but a new selection and timing."""
    saved = json.loads((workdir / "record.json").read_text())
    problem, task, state = restore_finished(config, workdir, say=say)
    evaluated = evaluation.make_evaluate(problem.method, task, problem.mesh)(state)
    result = record.make(
        config,
        problem.dataset,
        problem.method,
        task,
        evaluated,
        saved["selection"],
        state,
        saved["timing"],
        parallel.describe(problem.mesh),
    )
    return Result(result, evaluated, task, _unseen_images(problem.dataset, config), _pairs(problem.dataset, task))


def restore_finished(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, *, say: Callable[[str], None] = print
) -> tuple[Problem, data.Task, Any]:
    """Returns the problem of a finished run, its test task and the finished state.

    Raises:
      UserError: the data has changed since, or no whole checkpoint is there.
    """
    saved = json.loads((workdir / "record.json").read_text())
    # Scored on the devices of this machine, whatever it was trained on.
    problem = make_problem(config, mesh=parallel.make_mesh())
    files_now, files_then = dict(problem.dataset.info.get("files", {})), saved["dataset"]["files"]
    if files_now != files_then:
        changed = sorted(name for name in files_then if files_now.get(name) != files_then[name])
        raise errors.UserError(f"the data has changed since {workdir} was trained: {', '.join(changed)}")
    problem, task = _for_task(problem, data.test_task(problem.dataset), config)
    restored = checkpoints.restore_latest(
        workdir / "checkpoints" / "finished", abstract_finished(problem, task, config), warn=say
    )
    if restored is None:
        raise errors.UserError(f"{workdir} has no whole checkpoint of a finished run: train it again")
    return problem, task, restored.state


def open_workdir(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> None:
    """Makes the workdir and writes its config, or checks that the config there is the same."""
    path = workdir / "config.json"
    wanted = json.loads(config.to_json())
    if path.exists():
        found = json.loads(path.read_text())
        changed = _differences(found, wanted)
        if changed:
            raise errors.UserError(
                f"{workdir} holds a run of another config ({'; '.join(changed[:3])}): choose another --workdir"
            )
        return
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_json(path, wanted)
    except OSError as error:
        raise errors.UserError(f"cannot write to --workdir={workdir}: {error.strerror}") from error


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Lists the leaves that differ and make another run."""
    if name in _SAME_RUN:
        return []
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(set(found) | set(wanted))
        nested = (_differences(found.get(k), wanted.get(k), f"{name}.{k}".lstrip(".")) for k in keys)
        return [line for lines in nested for line in lines]
    return [] if found == wanted else [f"{name} is {found!r} there, {wanted!r} here"]


def selection_task(dataset: data.Dataset, config) -> data.Task:
    """Returns what choices are made on: no test example and no unseen class, unless the config asks for them."""
    if config.select.on == "test":
        return data.test_task(dataset)
    return data.validation_task(data.training_part(dataset), seed=config.seed, **config.select.split)


def _for_task(problem: Problem, task: data.Task, config) -> tuple[Problem, data.Task]:
    """Returns both as the config's labelled examples of the unseen classes and its schedule make them."""
    shots, reserve = config.few_shot.shots, config.few_shot.reserve
    if shots or reserve:
        task = few_shot.few_shot(task, shots, reserve=reserve, seed=config.seed)
    if "optimizer" in config and config.optimizer.decay_epochs:
        alike = ml_collections.ConfigDict(config).unlock()
        alike.seed = 0
        steps = loop.steps_per_epoch(len(task.train.labels), config.train.batch_size)
        problem = problem._replace(method=_scheduled(ml_collections.FrozenConfigDict(alike), steps))
    if shots:
        problem = problem._replace(method=_any_shot(problem.method, few_shot.num_trained(task)))
    return problem, task


@functools.lru_cache(maxsize=4)
def _scheduled(config: ml_collections.FrozenConfigDict, steps_per_epoch: int) -> methods.Method:
    """The same method for the same arguments, so that programs are compiled once."""
    return make_method(config, steps_per_epoch=steps_per_epoch)


@functools.lru_cache(maxsize=4)
def _any_shot(method: methods.Method, num_classes: int) -> methods.Method:
    """The same method for the same arguments, so that programs are compiled once."""
    return methods.any_shot(method, num_classes)


def _select(problem: Problem, task: data.Task, config, workdir: pathlib.Path, say, should_stop) -> dict:
    """Returns the chosen epochs and gamma with the scores of every epoch on the task to choose on."""
    path = workdir / "selection.json"
    found = processes.from_first(lambda: json.loads(path.read_text()) if path.exists() else None)
    if found is not None:
        return found
    evaluate_state = evaluation.make_evaluate(problem.method, task, problem.mesh, should_stop=should_stop)
    key = phases.key(config, "select")
    history = []
    epochs = phases.epochs(problem, task, config, workdir, "select", config.train.epochs, say, should_stop)
    for epoch, state, notes, save in epochs:
        history = notes.setdefault("history", [])
        due = epoch % config.select.every == 0 or epoch == config.train.epochs
        if due and (not history or history[-1]["epochs"] < epoch):
            finished = loop.finish(problem.method, state, task, key=key, mesh=problem.mesh, mode=config.parallel.mode)
            try:
                scored = evaluate_state(finished)
            except errors.Stopped as stopped:
                raise save() from stopped
            entry = {
                "epochs": epoch,
                "zsl": float(scored.zsl["top1"]),
                "ausuc": float(scored.gzsl["ausuc"]),
                "uncalibrated": float(scored.gzsl["harmonic"]),
                **evaluation.best_calibration(scored),
            }
            if all(entry[config.select.metric] > earlier[config.select.metric] for earlier in history):
                entry["temperature"] = evaluation.temperature(scored, task, entry["gamma"])
            history.append(entry)
    best = max(history, key=lambda entry: entry[config.select.metric])
    selection = {
        "on": SELECTED_ON[config.select.on],
        "metric": config.select.metric,
        "epochs": best["epochs"],
        "gamma": best["gamma"],
        "temperature": best["temperature"],
        "classes": list(task.unseen_classes.names),
        "history": history,
    }
    processes.from_first(lambda: files.write_json(path, selection))
    what = {"validation": "validation classes", "test": "TEST CLASSES"}[config.select.on]
    say(
        f"chosen on {len(task.unseen_classes)} {what}: {best['epochs']} of {config.train.epochs} epochs, "
        f"gamma {best['gamma']:.3f} (there: ZSL {best['zsl']:.3f}, harmonic {best['harmonic']:.3f})"
    )
    return selection


def _train(
    problem: Problem, task: data.Task, config, workdir: pathlib.Path, epochs: int, say, should_stop
) -> tuple[Any, float]:
    """Returns the finished state, trained on all seen classes or read back, and the steps a second of this call."""
    directory = workdir / "checkpoints" / "finished"
    restored = checkpoints.restore_latest(directory, abstract_finished(problem, task, config), warn=say)
    if restored is not None:
        return restored.state, restored.notes["steps_per_s"]
    started, steps = time.perf_counter(), 0
    for _, last, notes, _ in phases.epochs(problem, task, config, workdir, "train", epochs, say, should_stop):
        state, steps = last, steps + notes["steps"]
    steps_per_s = steps / (time.perf_counter() - started)
    key, mode = phases.key(config, "train"), config.parallel.mode
    finished = loop.finish(problem.method, state, task, key=key, mesh=problem.mesh, mode=mode)
    checkpoints.save(directory, epochs, finished, notes={"steps_per_s": steps_per_s})
    return finished, steps_per_s


def _unseen_images(source: data.Dataset, config) -> np.ndarray | None:
    """The images of `test_unseen` in the task, or None where there are none or some have left the test."""
    if source.images is None or config.few_shot.shots or config.few_shot.reserve:
        return None
    return source.images[source.splits["test_unseen"]]


def _pairs(source: data.Dataset, task: data.Task) -> list | None:
    if "pairs" not in source.info:
        return None
    pair = dict(zip(source.classes.names, source.info["pairs"]))
    return [tuple(pair[name]) for name in task.classes.names]


def abstract_finished(problem: Problem, task: data.Task, config: ml_collections.ConfigDict):
    """Shapes of the finished state, without computing it."""
    key = phases.key(config, "train")
    train = data.Examples(*(jax.ShapeDtypeStruct(rows.shape, rows.dtype) for rows in task.train))

    def finished(train):
        state = loop.init_state(problem.method, task, key=key, batch_size=config.train.batch_size)
        return problem.method.finish(state, train, task.classes, key)

    return parallel.abstract(jax.eval_shape(finished, train), problem.mesh)
