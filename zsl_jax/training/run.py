"""A whole run: choose on validation classes, train on all seen ones, score the test once.

WORKDIR/config.json         what the run is and what it is made of; a second run with another config is refused
WORKDIR/metrics.jsonl       a line per epoch of either phase
WORKDIR/checkpoints/PHASE/  `select` (and `select_1`, ... with several draws), `train` and `finished`
WORKDIR/selection.json      what was chosen, and the validation scores behind it
WORKDIR/classes.*           the class table, in the form that `predict` takes
WORKDIR/words.csv           of a prompt, the words nearest to its learned vectors
WORKDIR/record.json         the result
"""

import json
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_collections
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import data, errors, methods
from zsl_jax.data import class_tables, json_files
from zsl_jax.training import (
    encoding,
    evaluation,
    files,
    late,
    learned_words,
    loop,
    parallel,
    phases,
    problems,
    processes,
    reading,
    record,
    selection,
    states,
)

MADE_OF = "made_of"  # the key of config.json beside those of the config
ORACLE = (
    "CHOSEN ON TEST LABELS (config.select.on=test): what comes out is the best that could have been picked, not what "
    "the method reaches; the record says test_oracle"
)


class Result(NamedTuple):
    """What a finished run leaves behind, on disk and in memory; `evaluated` is None where there is no test input."""

    record: dict
    evaluated: evaluation.Evaluated | None
    task: data.Task
    method: methods.Method
    state: Any
    unseen_images: np.ndarray | None  # in the order of their rows among the scored inputs
    pairs: list | None  # (attribute, object) of each class, where the data says


def run(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    *,
    say: Callable[[str], None] = print,
    problem: problems.Problem | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Runs a config in its workdir, or goes on where an earlier run of the same config stopped.

    Args:
      config: see `zsl_jax.config`.
      workdir: made if it does not exist.
      say: called with lines for the user.
      problem: that of the config; None makes it. Configs that differ in their seed alone may share one, and with it the
        data and the compiled programs.
      should_stop: asked between steps and between blocks of scored inputs, see `interruption.listening`.

    Raises:
      UserError: another run that lives holds the workdir, a value is not finite, or anything else a user can fix.
      Stopped: `should_stop` said so; the state is saved.
    """
    problem = problems.make_problem(config) if problem is None else problem
    if config.select.on == "test":
        say(ORACLE)
    words = problems.given_words(config)
    for line in encoding.sizes(config, problem.dataset, words and words()):
        say(line)
    choosing, final = problem.protocol.tasks(problem.dataset, config)
    made_of = problem.made_of()
    travelling = phases.Run(config, workdir, say=say, should_stop=should_stop, made_of=made_of)
    for task in choosing[:1]:
        late.check(config, problem, travelling.training(problem.method_for(task, config), task, "select", problem.mesh))
    processes.from_first(lambda: open_workdir(workdir, config, made_of))
    with processes.held_by_first(lambda: files.locked(workdir)):
        return _run(travelling, problem, choosing, final)


def _run(run: phases.Run, problem: problems.Problem, choosing: tuple[data.Task, ...], final: data.Task) -> Result:
    """Chooses, trains and scores in a workdir that is ours."""
    started = time.perf_counter()
    chosen = selection.choose(run, problem, choosing)
    method = problem.method_for(final, run.config, **chosen.get("late", {}))
    training = run.training(method, final, "train", problem.mesh)
    state, trained_notes = _train(run, training, chosen["epochs"])
    trained = time.perf_counter()
    has_test = any(len(examples.labels) for examples in final.sets.values())
    evaluated = _evaluate(run, problem, training, state, chosen) if has_test else None
    timing = {
        "train_s": trained - started,
        "evaluate_s": time.perf_counter() - trained,
        "steps_per_s": trained_notes["steps_per_s"],
    }
    losses = trained_notes.get("losses")
    if phases.has_diverged(losses):
        run.say(
            f"DIVERGED: the loss went from {losses['first']:.3g} to {losses['last']:.3g}; the record says so, and "
            "report leaves it out: choose a smaller step size"
        )
    result = record.make(
        run,
        problem,
        training,
        state=state,
        evaluated=evaluated,
        selection=chosen,
        timing=timing,
        losses=losses,
    )
    if "source_weights" in result:
        run.say(f"weights of sources: {', '.join(f'{k} {v:.2f}' for k, v in result['source_weights'].items())}")
    if processes.is_first():
        class_tables.write(run.workdir, final.classes, class_tables.columns(problem.dataset))
        learned_words.write(run.workdir, learned_words.nearest(run.config, state, final.classes, problem.dataset))
    processes.from_first(lambda: files.write_json(run.workdir / "record.json", json_files.sealed(result)))
    return _result(problem, training, state, evaluated, result)


def _evaluate(run: phases.Run, problem, training: states.Training, state, chosen: dict) -> evaluation.Evaluated:
    evaluate = evaluation.make_evaluate(
        training.method,
        training.task,
        problem.mesh,
        protocol=problem.protocol,
        keep=problem.dataset.images is not None,
        should_stop=run.should_stop,
    )
    # A record of an older version does not list its knobs: gamma was the only one.
    knobs = {name: chosen[name] for name in chosen.get("knobs", ("gamma",))}
    return evaluate(state, knobs, chosen.get("temperature"))


def _train(run: phases.Run, training: states.Training, epochs: int) -> tuple[Any, dict[str, Any]]:
    """Returns the finished state, trained for the final task or read back, with its steps per second and its losses."""
    restored = run.restore("finished", states.abstract_finished(training))
    if restored is not None:
        return states.with_frozen(training, restored.state), restored.notes
    started, steps = time.perf_counter(), 0
    num_epochs = epochs if training.method.update is not None else 1
    for _, last, notes, _ in phases.epochs(run, training, "train", num_epochs):
        state, steps = last, steps + notes["steps"]
    kept = {"steps_per_s": steps / (time.perf_counter() - started)}
    if "losses" in notes:
        kept["losses"] = notes["losses"]
    finished = loop.finish(training, state)
    run.save("finished", epochs, finished, kept)
    return finished, kept


def evaluate(config: ml_collections.ConfigDict, workdir: pathlib.Path, *, say: Callable[[str], None] = print) -> Result:
    """Scores the finished state of a workdir again; returns a record with everything but a new selection and timing."""
    saved = reading.read(workdir / "record.json")
    problem, training, state = restore_finished(config, workdir, say=say)
    run = phases.Run(config, workdir, say=say, made_of=saved.get(MADE_OF, {}))
    evaluated = _evaluate(run, problem, training, state, saved["selection"])
    result = record.make(
        run,
        problem,
        training,
        state=state,
        evaluated=evaluated,
        selection=saved["selection"],
        timing=saved["timing"],
        losses=saved.get("losses"),
    )
    return _result(problem, training, state, evaluated, result)


def restore_finished(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, *, say: Callable[[str], None] = print
) -> tuple[problems.Problem, states.Training, Any]:
    """Returns the problem of a finished run, its final training and the finished state.

    Raises:
      UserError: the data has changed since, or no whole checkpoint is there.
    """
    saved = reading.read(workdir / "record.json")
    # Scored on the devices of this machine, whatever it was trained on.
    problem = problems.make_problem(config, mesh=parallel.make_mesh())
    files_now, files_then = dict(problem.dataset.info.get("files", {})), saved["dataset"]["files"]
    if files_now != files_then:
        changed = sorted(name for name in files_then if files_now.get(name) != files_then[name])
        raise errors.UserError(f"the data has changed since {workdir} was trained: {', '.join(changed)}")
    made_of = problem.made_of()
    _check_made_of(saved.get(MADE_OF, {}), made_of, workdir)
    _, final = problem.protocol.tasks(problem.dataset, config)
    method = problem.method_for(final, config, **saved["selection"].get("late", {}))
    run = phases.Run(config, workdir, say=say, made_of=made_of)
    training = run.training(method, final, "train", problem.mesh)
    restored = run.restore("finished", states.abstract_finished(training))
    if restored is None:
        raise errors.UserError(f"{workdir} has no whole checkpoint of a finished run: train it again")
    return problem, training, states.with_frozen(training, restored.state)


def open_workdir(workdir: pathlib.Path, config: ml_collections.ConfigDict, made_of: dict[str, str]) -> None:
    """Makes the workdir and writes its config, or checks that config, data and weights there are the same."""
    path = workdir / "config.json"
    wanted = json.loads(config.to_json())
    if path.exists():
        found, there = read_config(path)
        changed = _differences(json.loads(found.to_json()), wanted)
        if changed:
            raise errors.UserError(
                f"{workdir} holds a run of another config ({'; '.join(changed[:3])}): choose another --workdir"
            )
        _check_made_of(there, made_of, workdir)
        return
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_json(path, wanted | {MADE_OF: made_of, json_files.SEAL: _seal(config, made_of)})
    except OSError as error:
        raise errors.UserError(f"cannot write to --workdir={workdir}: {error.strerror}") from error


def read_config(path: pathlib.Path) -> tuple[ml_collections.ConfigDict, dict[str, str]]:
    """Returns the config of a config.json, and what its run is made of; places and what makes no other run may differ.

    Raises:
      UserError: it is damaged, or was changed.
    """
    remedy = "undo that, or delete the workdir and train again"
    found = json_files.read(path, remedy)
    made_of, seal = found.pop(MADE_OF, {}), found.pop(json_files.SEAL, None)
    try:
        config = config_lib.from_json(found)
        config_lib.check(config)
    except errors.UserError as error:
        raise errors.UserError(f"{path} is damaged ({error}): {remedy}") from error
    if not isinstance(made_of, dict) or seal not in (None, _seal(config, made_of)):
        raise errors.UserError(f"{path} was changed since it was written: {remedy}")
    return config, made_of


def _seal(config: ml_collections.ConfigDict, made_of: dict[str, str]) -> str:
    return json_files.sha256([phases.config_sha256(config), made_of])


def _check_made_of(there: dict[str, str], here: dict[str, str], workdir: pathlib.Path) -> None:
    """Raises where data or weights are not those that the workdir began with; an older workdir does not say.

    Inputs of a stream have no hash, so that a run may go on from memory, and the other way round.
    """
    for name in there:
        is_streamed = name == "data" and name not in here
        if here.get(name) != there[name] and not is_streamed:
            raise errors.UserError(
                f"{workdir} holds a run on other {name} (sha256 {there[name][:12]} there, "
                f"{here.get(name, 'none')[:12]} here): choose another --workdir"
            )


def _differences(found: Any, wanted: Any, name: str = "") -> list[str]:
    """Lists the leaves that differ and make another run."""
    if phases.is_same_run(name):
        return []
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(set(found) | set(wanted))
        nested = (_differences(found.get(k), wanted.get(k), f"{name}.{k}".lstrip(".")) for k in keys)
        return [line for lines in nested for line in lines]
    return [] if found == wanted else [f"{name} is {found!r} there, {wanted!r} here"]


def _result(problem: problems.Problem, training: states.Training, state, evaluated, result: dict) -> Result:
    task, source, images, pairs = training.task, problem.dataset, None, None
    if source.images is not None and "test_unseen" in task.sets:
        images = source.images[task.sets["test_unseen"].ids]
    if source.images is not None and source.parts is not None and "test" in task.sets:
        tested = task.sets["test"]
        images = source.images[tested.ids[~np.asarray(task.classes.is_seen)[tested.labels]]]
    if source.parts is not None:
        attributes, objects = source.parts
        pairs = [(attributes[a], objects[o]) for a, o in np.asarray(task.classes.parts)]
    elif "pairs" in source.info:
        pair = dict(zip(source.classes.names, source.info["pairs"]))
        pairs = [tuple(pair[name]) for name in task.classes.names]
    return Result(result, evaluated, task, training.method, state, images, pairs)
