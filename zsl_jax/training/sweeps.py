"""Hyper-parameters chosen on validation classes, many settings trained side by side in one compiled program.

Numeric knobs of the method are traced and share a program; everything else (dataset options, scaling, batch size)
makes a program of its own. Only the training part of the dataset is looked at.

    WORKDIR/trials.jsonl   one line per setting, written a chunk at a time; a killed sweep goes on after the last chunk
"""

import functools
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import tqdm

from zsl_jax import config as config_lib
from zsl_jax import data, errors, methods
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.data import json_files
from zsl_jax.training import files, parallel, phases, problems, protocols, scoring, side_by_side, states

_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total} settings [{elapsed}<{remaining}]"


def run_trials(
    config: ml_collections.ConfigDict,
    points: Sequence[dict[str, Any]],
    workdir: pathlib.Path,
    *,
    source: data.Dataset | None = None,
) -> list[dict[str, Any]]:
    """Returns each setting with its validation scores at its best epoch, in the order given.

    Args:
      config: the recipe; `config.sweep.side_by_side` settings are trained at a time.
      points: what `settings` returns.
      workdir: where trials.jsonl is, or will be.
      source: the data; None for that of the config.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path, of = workdir / "trials.jsonl", phases.config_sha256(config)
    known = {_name(trial["setting"]): trial for trial in _read(path, of)}
    tasks: dict[str, tuple[data.Task, ...]] = {}
    progress = {"total": len(points), "desc": "sweep", "unit": "setting", "disable": None, "bar_format": _BAR}
    with files.locked(workdir), tqdm.tqdm(**progress) as bar:
        for structure, members in _groups(config, points):
            left = [setting for setting in members if _name(setting) not in known]
            bar.update(len(members) - len(left))
            if not left:
                continue
            changed = overridden(config, structure)
            kind = _name({"data": dict(changed.data), "seed": changed.seed})
            if kind not in tasks:
                tasks = {kind: selection_tasks(changed, source)}
            trainer = Trainer(changed, [key for key in members[0] if is_knob(config, key)], tasks[kind])
            parts, size = chunks(left, trainer.most())
            for chunk in parts:
                trials = [{"setting": s, **score} for s, score in zip(chunk, trainer.train(chunk, size, bar.update))]
                known |= {_name(trial["setting"]): trial for trial in trials}
                sealed = [json.dumps(json_files.sealed(trial, of)) for trial in known.values()]
                files.write_text(path, "".join(f"{trial}\n" for trial in sealed))
    return [known[_name(point)] for point in points]


def overridden(config: ml_collections.ConfigDict, setting: dict[str, Any]) -> ml_collections.ConfigDict:
    """Returns a copy of a config with some keys changed."""
    changed = ml_collections.ConfigDict(config).unlock()
    if "method.loss" in setting and "loss" in config:
        config_lib.choose_loss(changed, setting["method.loss"])
    for key, value in setting.items():
        if key.startswith("loss.") and key not in config_lib.leaves(changed):
            raise errors.UserError(f"config.{key}: the loss {config_lib.trained(changed).loss} has no such knob")
        try:
            changed.update_from_flattened_dict({key: value})
        except TypeError as error:
            raise errors.UserError(f"config.{key}={value!r} is of another type than its default") from error
    return changed.lock()


def is_knob(config: ml_collections.ConfigDict, key: str) -> bool:
    """Whether a key is a numeric knob of the method or of its loss, which a compiled program takes as an argument."""
    section = key.partition(".")[0]
    return section in ("method", "loss") and isinstance(config_lib.leaves(config).get(key), float)


def _groups(config, points) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yields (structure, settings): the settings that share all keys but numeric knobs, and so one program."""
    groups: dict[str, tuple[dict, list[dict]]] = {}
    for point in points:
        structure = {key: value for key, value in point.items() if not is_knob(config, key)}
        groups.setdefault(_name(structure), (structure, []))[1].append(point)
    yield from groups.values()


def chunks(settings: list[dict[str, Any]], most: int) -> tuple[list[list[dict[str, Any]]], int]:
    """Returns settings in as few chunks as `most` at a time allow, and the size of all of them but the last.

    >>> chunks(["a", "b", "c"], 2)
    ([['a', 'b'], ['c']], 2)
    """
    size = -(-len(settings) // -(-len(settings) // most))
    return [settings[first : first + size] for first in range(0, len(settings), size)], size


def selection_tasks(config, source: data.Dataset | None = None) -> tuple[data.Task, ...]:
    """Returns what the settings are scored on: the tasks of the protocol to choose on, one per class fold.

    Args:
      config: the recipe.
      source: the data; None for that of the config.

    Raises:
      UserError: images that are not in memory, or a protocol that chooses nothing.
    """
    source = problems.load_data(config) if source is None else source
    if inputs_lib.is_stream(source.inputs):
        raise errors.UserError("a sweep trains its settings on images in memory: --config.data.cache=memory")
    choosing, _ = protocols.find(config.protocol).tasks(source, config)
    if not choosing:
        raise errors.UserError(
            f"protocol={config.protocol} with select.on={config.select.on} chooses nothing: there is nothing to sweep"
        )
    return choosing


class Trainer:
    """Trains the settings of one structure, chunk by chunk in the same program.

    Args:
      config: the recipe.
      names: keys of the knobs that settings give. Where those of the protocol, such as gamma, are among them, scores
        are taken with these; else they are chosen on the very rows that are scored, which is right for validation.
      tasks: what settings are trained and scored on, of equal shapes.
    """

    def __init__(self, config, names: Sequence[str], tasks: Sequence[data.Task], evaluate: Callable | None = None):
        """Compiles the structure of a config.

        Args:
          config: the recipe.
          names: of the numeric knobs that settings differ in.
          tasks: of one shape, one per fold.
          evaluate: `(method, finished_state, sets, classes) -> arrays by name`; None for the protocol's choices.
        """
        self._config, self._names = config, names
        self._protocol = protocols.find(config.protocol)
        steps = states.steps_per_epoch(len(tasks[0].train.labels), config.train.batch_size)
        factory = _factory(config, steps, dict(self._protocol.unchosen))
        shapes = self._knobs([dict.fromkeys(names, 1.0)])
        method = factory(**{name: values[0] for name, values in shapes.items()})
        self._weights = method.weights()
        self._tasks = side_by_side.stack_tasks(tasks, method)
        self.program = side_by_side.make_program(
            factory,
            evaluate or functools.partial(_scores, self._protocol, self._protocol.looks(tasks[0])),
            shapes,
            self._tasks,
            self._weights,
            seeds=config.select.seeds,
            batch_size=config.train.batch_size,
            per_class=config.train.per_class,
            clustering=config.train.clustering,
        )
        seeds = config.seed + jnp.arange(config.select.seeds)
        self._keys = jax.vmap(lambda seed: phases.phase_key(seed, "select", config.select.on))(seeds)

    def most(self) -> int:
        """How many settings to train at a time on all devices."""
        return parallel.of_all_devices(self._config.sweep.side_by_side or self.program.most)

    def train(self, settings: list[dict[str, Any]], size: int, tick: Callable[[float], None]) -> list[dict[str, float]]:
        """Returns the scores of each setting at its best epoch, means over seeds and class folds; see `history`."""
        epochs, history = self.history(settings, size, tick)
        each = ({name: values[..., i] for name, values in history.items()} for i in range(len(settings)))
        return [best(self._config.select.metric, epochs, scores) for scores in each]

    def history(
        self, settings: list[dict[str, Any]], size: int, tick: Callable[[float], None] = lambda share: None
    ) -> tuple[list[int], dict[str, np.ndarray]]:
        """Returns the epochs that are scored, and scores `[epochs, K, Q, S]` of K folds and Q seeds by name.

        Args:
          settings: S of them.
          size: at least S: how many the program trains, the last one again where there are fewer. Another size would be
            another program to compile.
          tick: called after every epoch with the share of S settings that was trained in it.
        """
        config = self._config
        moving, *given = self.start(settings, size)
        num_steps = states.steps_per_epoch(self._tasks.train.labels.shape[1], config.train.batch_size)
        epochs, found = [], []
        for epoch in range(1, config.train.epochs + 1):
            moving, _ = self.program.epoch(moving, *given, (epoch - 1) * num_steps)
            if epoch % config.select.every == 0 or epoch == config.train.epochs:
                epochs.append(epoch)
                found.append(jax.device_get(self.program.score(moving, *given)))
            tick(len(settings) / config.train.epochs)
        names = found[0]
        return epochs, {name: np.stack([each[name] for each in found])[:, :, :, : len(settings)] for name in names}

    def start(self, settings: list[dict[str, Any]], size: int) -> tuple:
        """Returns states before the first step, what is frozen in them, knobs, tasks and keys, all on the devices."""
        mesh = parallel.settings_mesh(size)
        size += -size % mesh.size
        knobs = self._knobs(settings + settings[-1:] * (size - len(settings)))
        knobs = parallel.split_settings(knobs, dict.fromkeys(knobs, 0), mesh)
        tasks, keys, weights = parallel.replicate((self._tasks, self._keys, self._weights), mesh)
        moving = self.program.start(knobs, tasks, keys, weights, mesh)
        return moving, self.program.freeze(knobs, tasks, keys, weights), knobs, tasks, keys

    def _knobs(self, settings) -> dict[str, Any]:
        """Arrays `[S]` by name; one that the factory passes over where the sweep names no knob."""
        knobs = {n.removeprefix("method."): jnp.asarray([float(s[n]) for s in settings]) for n in self._names}
        return knobs or {"": jnp.zeros(len(settings))}


def best(metric: str, epochs: list[int], history: dict[str, np.ndarray]) -> dict[str, Any]:
    """The means of scores `[epochs, K, Q]` at the epoch where that of the metric is best; -1 for what is not finite.

    With several folds or seeds also the standard deviations over all of them.
    """
    means = {name: np.nan_to_num(np.mean(values, axis=(1, 2)), nan=-1.0) for name, values in history.items()}
    best = int(np.argmax(means[metric]))
    result = {"epochs": epochs[best], **{name: float(means[name][best]) for name in means}}
    if history[metric][best].size > 1:
        spread = {name: np.std(values[best], ddof=1) for name, values in history.items()}
        result["lanes"] = int(history[metric][best].size)
        result["deviation"] = {name: float(np.nan_to_num(value, nan=0.0)) for name, value in spread.items()}
    return result


def _factory(config, steps_per_epoch: int, of_protocol) -> Callable[..., methods.Method]:
    """Returns `(**knobs) -> Method`, the other knobs as the config has them; those of the protocol are none of its."""

    def factory(**knobs):
        named = {name: value for name, value in knobs.items() if name and name not in of_protocol}
        return problems.make_method(config, steps_per_epoch=steps_per_epoch, **named)

    return factory


def _scores(
    protocol: protocols.Protocol, looks, method: methods.Method, state, sets, classes, given: dict[str, Any]
) -> dict[str, Any]:
    """The protocol's choices of a finished state, and its knobs; NaN where scores of its classes are not finite."""
    rows = scoring.score_arrays(method, state, sets, classes, looks)
    facts = protocol.facts(classes)
    stacked = jax.tree.map(lambda x: jnp.asarray(x)[None], (rows, facts))
    known = {name: given[name] for name, _ in protocol.unchosen if name in given}
    knobs = known or protocol.choose(*stacked)
    reported = protocol.report(rows, facts, knobs)
    scores = {name: protocols.value(reported, metric) for name, metric in protocol.choices().items()}
    scores = jax.tree.map(lambda x: jnp.nan_to_num(x, nan=0.0), scores) | knobs  # what no image measures counts as 0
    finite = jnp.all(jnp.stack([jnp.all(each.finite) for each in rows.values()]))
    return jax.tree.map(lambda x: jnp.where(finite, x, jnp.nan), scores)


def _name(setting: dict[str, Any]) -> str:
    return json.dumps(setting, sort_keys=True)


def _read(path: pathlib.Path, of: str) -> list[dict]:
    """The trials of a sweep of this config."""
    remedy = "delete it, and the same line goes through all settings again"
    trials = json_files.read_lines(path, remedy) if path.exists() else []
    return [json_files.unsealed(trial, path, remedy, of) for trial in trials]
