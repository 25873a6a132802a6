"""What a run chooses before the final training: epochs, late knobs, the protocol's knobs and the temperature.

Everything is chosen on the tasks that the protocol names for it, one per draw of validation classes, each trained as
the final one will be. The number of epochs, and the late knobs with it, have the best mean over the draws; what the
protocol chooses is chosen on the rows of all draws at that epoch. Where there is no such task, the temperature is that
of the towers.
"""

import pathlib
from typing import Any

import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import arrays, json_files
from zsl_jax.training import evaluation, files, late, loop, phases, processes, protocols

SELECTED_ON = {"validation": "validation classes", "test": "test_oracle"}
NOTHING = "nothing"


def choose(run: phases.Run, problem, tasks) -> dict[str, Any]:
    """Returns what is chosen, with the scores of every epoch; written to selection.json, or read from it.

    Args:
      run: what travels.
      problem: a `problems.Problem`.
      tasks: to choose on; none where nothing is chosen.
    """
    config, protocol = run.config, problem.protocol
    found = processes.from_first(lambda: _read(run))
    if found is not None:
        return found
    if not tasks:
        knobs = dict(protocol.unchosen)
        nothing = {**knobs, "knobs": list(knobs), "temperature": problem.temperature()}
        nothing |= {"classes": [], "history": []}
        selection = {"on": NOTHING, "metric": None, "epochs": config.train.epochs, **nothing}
    else:
        selection = _chosen(run, problem, tasks)
        what = {"validation": "validation classes", "test": "TEST CLASSES"}[config.select.on]
        spread = selection["deviation"] or {}
        drawn = f" in {len(tasks)} draws" if len(tasks) > 1 else ""
        numbers = ", ".join(f"{name} {selection[name]:.3f}" for name in selection["knobs"])
        best = next(entry for entry in selection["history"] if entry["epochs"] == selection["epochs"])
        there = ", ".join(
            f"{metric.title} {best[name]:.3f}" + (f" ± {spread[name]:.3f}" if name in spread else "")
            for name, metric in protocol.choices().items()
        )
        run.say(
            f"chosen on {len(selection['classes'])} {what}{drawn}: {selection['epochs']} of {config.train.epochs} "
            f"epochs{', ' * bool(numbers)}{numbers} (there: {there})"
        )
    processes.from_first(lambda: write(run, selection))
    return selection


def write(run: phases.Run, selection: dict[str, Any]) -> None:
    """Writes what was chosen, bound to the config of the run."""
    files.write_json(_path(run), json_files.sealed(selection, phases.config_sha256(run.config)))


def _read(run: phases.Run) -> dict[str, Any] | None:
    path, remedy = _path(run), "delete it, and the same line chooses again"
    if not path.exists():
        return None
    return json_files.unsealed(json_files.read(path, remedy), path, remedy, phases.config_sha256(run.config))


def _path(run: phases.Run) -> pathlib.Path:
    return run.workdir / "selection.json"


def _chosen(run: phases.Run, problem, tasks) -> dict[str, Any]:
    config, protocol, metric = run.config, problem.protocol, run.config.select.metric
    draws = [_draw(run, problem, task, number, len(tasks)) for number, task in enumerate(tasks)]
    history = [_mean(entries, metric) for entries in zip(*draws)]
    best = max(history, key=lambda entry: entry[metric])
    knobs, late_knobs, temperature = best["knobs"], best.get("late", {}), best.get("temperature")
    if len(tasks) > 1:
        rows = [
            _read_rows(run, number, best["epochs"], best.get("setting"), entry.get("rows"))
            for number, entry in enumerate(_at(draws, best))
        ]
        facts = [protocol.facts(task.classes) for task in tasks]
        knobs = evaluation.chosen_knobs(protocol, list(zip(rows, facts)))
    names = dict.fromkeys(name for task in tasks for name in _held_out(task))
    history = [{name: value for name, value in entry.items() if name != "knobs"} | entry["knobs"] for entry in history]
    return {
        "on": SELECTED_ON[config.select.on],
        "metric": metric,
        "epochs": best["epochs"],
        **knobs,
        "temperature": temperature,
        "knobs": list(knobs),
        "late": late_knobs,
        "draws": len(tasks),
        "drawn": {name: [entry["knobs"][name] for entry in _at(draws, best)] for name in knobs},
        "deviation": best.get("deviation"),
        "held_out": [list(_held_out(task)) for task in tasks] if len(tasks) > 1 else None,
        "classes": list(names),
        "history": history,
    }


def _at(draws: list[list[dict[str, Any]]], best: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of all draws at the epoch that was chosen, and there of the late setting."""
    found = [entry for history in draws for entry in history if entry["epochs"] == best["epochs"]]
    return [entry["settings"][best["setting"]] for entry in found] if "setting" in best else found


def _draw(run: phases.Run, problem, task, number: int, num_draws: int) -> list[dict[str, Any]]:
    """Trains on a draw and returns an entry per epoch that was scored."""
    config, protocol, phase = run.config, problem.protocol, phases.draw_phase(number)
    training = run.training(problem.method_for(task, config), task, phase, problem.mesh)
    chooser = late.Chooser(config, problem, training, run.should_stop)
    metric, history = config.select.metric, []
    num_epochs = config.train.epochs if training.method.update is not None else 1
    for epoch, state, notes, save in phases.epochs(run, training, phase, num_epochs):
        history = notes.setdefault("history", [])
        due = epoch % config.select.every == 0 or epoch == num_epochs
        if not due or (history and history[-1]["epochs"] >= epoch):
            continue
        finished = loop.finish(training, state)
        try:
            knobs, evaluate, rows = chooser.choose(finished)
            scored = evaluate(finished)
            entry = {"epochs": epoch, **_scores(protocol, scored), "knobs": scored.knobs, "late": knobs}
            if num_draws > 1 or all(entry[metric] > earlier[metric] for earlier in history):
                entry["temperature"] = evaluate.temperature(finished, scored)
            if num_draws > 1 and rows:
                each = [evaluation.summarized(protocol, found, scored.facts) for found in rows]
                entry["settings"] = [
                    {**_scores(protocol, found), "knobs": found.knobs, "late": point}
                    for found, point in zip(each, chooser.points)
                ]
        except errors.Stopped as stopped:
            raise save() from stopped
        if "settings" in entry:
            for setting, found in enumerate(rows):
                entry["settings"][setting]["rows"] = _write_rows(run, number, epoch, found, setting)
        elif num_draws > 1:
            entry["rows"] = _write_rows(run, number, epoch, scored.rows)
        history.append(entry)
    return history


def _scores(protocol: protocols.Protocol, scored: evaluation.Evaluated) -> dict[str, float]:
    """What is chosen by; what no validation image measures counts as 0 for all that is compared."""
    found = {name: protocols.value(scored.metrics, metric) for name, metric in protocol.choices().items()}
    return {name: value if np.isfinite(value) else 0.0 for name, value in found.items()}


def _mean(entries: tuple[dict[str, Any], ...], metric: str) -> dict[str, Any]:
    """One entry of several draws: means, with deviations beside them; of a temperature the geometric mean.

    Where each draw has scored several settings of the late knobs, these are of the setting with the best mean; the
    temperature is that of each draw's own best setting, as a fit for every setting would cost as much as all the rest.
    """
    if len(entries) == 1:
        return entries[0]
    if "settings" in entries[0]:
        shared = [{name: entry[name] for name in ("epochs", "temperature")} for entry in entries]
        settings = zip(*(entry["settings"] for entry in entries))
        means = [_mean(tuple(own | found for own, found in zip(shared, each)), metric) for each in settings]
        best = max(range(len(means)), key=lambda setting: means[setting][metric])
        return means[best] | {"setting": best}
    numbers = [name for name, value in entries[0].items() if isinstance(value, float) and name != "temperature"]
    values = {name: [entry[name] for entry in entries] for name in numbers}
    knobs = {name: float(np.mean([entry["knobs"][name] for entry in entries])) for name in entries[0]["knobs"]}
    temperatures = [entry["temperature"] for entry in entries]
    temperature = None if None in temperatures else float(np.exp(np.mean(np.log(temperatures))))
    return {
        "epochs": entries[0]["epochs"],
        **{name: float(np.mean(found)) for name, found in values.items()},
        "deviation": {name: float(np.std(found, ddof=1)) for name, found in values.items()},
        "knobs": knobs,
        "late": entries[0]["late"],
        "temperature": temperature,
    }


def _held_out(task) -> tuple[str, ...]:
    """The names of the unseen classes that inputs are scored of; of several labels per input, of all unseen ones."""
    held_out = ~np.asarray(task.classes.is_seen)
    labels = [np.asarray(examples.labels) for examples in task.sets.values()]
    if all(each.ndim == 1 for each in labels):
        held_out &= np.isin(np.arange(len(held_out)), np.concatenate(labels))
    return tuple(task.classes.names[row] for row in np.flatnonzero(held_out))


def _rows_path(run: phases.Run, number: int, epoch: int, setting: int | None) -> pathlib.Path:
    name = f"{epoch:06d}" if setting is None else f"{epoch:06d}-{setting}"
    return run.directory(phases.draw_phase(number)) / "rows" / f"{name}.npz"


def _write_rows(
    run: phases.Run, number: int, epoch: int, rows: dict[str, metrics.Rows], setting: int | None = None
) -> str:
    """Writes what is kept of the scores, and returns the hash of the file, for the notes of the checkpoint."""
    arrays = {
        f"{look}.{field}": np.asarray(value)
        for look, found in rows.items()
        for field, value in found._asdict().items()
        if value is not None
    }
    path = _rows_path(run, number, epoch, setting)

    def write():
        files.write_arrays(path, arrays)
        return files.sha256(path)

    return processes.from_first(write)


def _read_rows(
    run: phases.Run, number: int, epoch: int, setting: int | None, sha256: str | None
) -> dict[str, metrics.Rows]:
    """What `_write_rows` wrote; a checkpoint of an older version does not say the hash.

    Raises:
      UserError: the file is gone, or is another one.
    """
    path = _rows_path(run, number, epoch, setting)
    remedy = f"delete {run.directory(phases.draw_phase(number))}, and the same line trains this draw again"
    if not path.is_file():
        raise errors.UserError(f"{path} is gone: {remedy}")
    there = arrays.read(path)
    if sha256 not in (None, there.sha256):
        raise errors.UserError(f"{path} was changed since it was written, or is of another run: {remedy}")
    found: dict[str, dict[str, Any]] = {}
    for name, values in there.arrays.items():
        look, field = name.rsplit(".", 1)
        found.setdefault(look, dict.fromkeys(metrics.Rows._fields))[field] = values
    return {look: metrics.Rows(**fields) for look, fields in found.items()}
