"""Hyper-parameters chosen on validation classes, many settings trained side by side in one compiled program.

Numeric knobs of the method are traced and share a program; everything else (dataset options, scaling, batch size)
makes a program of its own. Only the training part of the dataset is looked at.

    WORKDIR/trials.jsonl   a line a setting, written a chunk at a time; a killed sweep goes on after the last chunk
"""

import dataclasses
import functools
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import tqdm

from zsl_jax import data, errors, methods, metrics
from zsl_jax.training import evaluation, files, loop, parallel, run, side_by_side

SCORES = ("zsl", "harmonic", "ausuc", "gamma")


@dataclasses.dataclass(frozen=True)
class Range:
    """Values drawn at random from `[low, high]`, evenly or evenly in the logarithm."""

    low: float
    high: float
    logarithmic: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        if not self.logarithmic:
            return float(rng.uniform(self.low, self.high))
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


def uniform(low: float, high: float) -> Range:
    return Range(low, high)


def log_uniform(low: float, high: float) -> Range:
    return Range(low, high, logarithmic=True)


def settings(space: dict[str, Any], *, samples: int, seed: int) -> list[dict[str, Any]]:
    """Returns the settings of a sweep, each a dict of config keys.

    Args:
      space: for each key a tuple of values or a `Range`. Tuples alone make a grid; with a `Range` among them, `samples`
        settings are drawn, from tuples too.
      samples: how many to draw.
      seed: of the draw.

    Raises:
      UserError: an empty range.

    >>> settings({"a": (1, 2), "b": (3,)}, samples=0, seed=0)
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    for key, values in space.items():
        if isinstance(values, Range):
            positive = values.low > 0 or not values.logarithmic
            if not (values.low < values.high and positive):
                raise errors.UserError(f"the range of {key} is empty: from {values.low} to {values.high}")
        elif not values:
            raise errors.UserError(f"the range of {key} is empty: name at least one value")
    if not any(isinstance(values, Range) for values in space.values()):
        return [dict(zip(space, point)) for point in itertools.product(*space.values())]
    rng = np.random.default_rng(seed)

    def draw(values):
        return values.draw(rng) if isinstance(values, Range) else values[rng.integers(len(values))]

    return [{key: draw(values) for key, values in space.items()} for _ in range(samples)]


def run_trials(
    config: ml_collections.ConfigDict, points: Sequence[dict[str, Any]], workdir: pathlib.Path
) -> list[dict[str, Any]]:
    """Returns each setting with its validation scores at its best epoch, in the order given.

    Args:
      config: the recipe; `config.sweep.side_by_side` settings are trained at a time.
      points: what `settings` returns.
      workdir: where trials.jsonl is, or will be.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / "trials.jsonl"
    known = {_name(trial["setting"]): trial for trial in _read(path)}
    tasks: dict[str, list[data.Task]] = {}
    with tqdm.tqdm(total=len(points), desc="sweep", unit="setting", disable=None) as bar:
        for structure, knobs in _chunks(config, points):
            chunk = [structure | dict(zip(knobs, values)) for values in zip(*knobs.values())] if knobs else [structure]
            if not all(_name(setting) in known for setting in chunk):
                changed = overridden(config, structure)
                source = _name(dict(changed.data))
                if source not in tasks:
                    tasks = {source: _validation_tasks(changed)}
                scores = _train_chunk(changed, knobs, len(chunk), tasks[source])
                trials = [{"setting": setting, **score} for setting, score in zip(chunk, scores)]
                known |= {_name(trial["setting"]): trial for trial in trials}
                files.write_text(path, "".join(json.dumps(trial) + "\n" for trial in known.values()))
            bar.update(len(chunk))
    return [known[_name(point)] for point in points]


def overridden(config: ml_collections.ConfigDict, setting: dict[str, Any]) -> ml_collections.ConfigDict:
    """Returns a copy of a config with some keys changed."""
    changed = ml_collections.ConfigDict(config).unlock()
    changed.update_from_flattened_dict(setting)
    return changed.lock()


def is_knob(config: ml_collections.ConfigDict, key: str) -> bool:
    """Whether a key is a numeric knob of the method, which a compiled program takes as an argument."""
    section, _, name = key.partition(".")
    return section == "method" and isinstance(config.method.get(name), float)


def _chunks(config, points) -> Iterator[tuple[dict[str, Any], dict[str, list[float]]]]:
    """Yields (structure, knobs) with knobs as lists of equal length, in chunks that are trained together."""
    groups: dict[str, list[dict]] = {}
    for point in points:
        structure = {key: value for key, value in point.items() if not is_knob(config, key)}
        groups.setdefault(_name(structure), []).append(point)
    for members in groups.values():
        structure = {key: value for key, value in members[0].items() if not is_knob(config, key)}
        keys = [key for key in members[0] if is_knob(config, key)]
        size = config.sweep.side_by_side if keys else 1
        for first in range(0, len(members), size):
            chunk = members[first : first + size]
            yield structure, {key: [float(point[key]) for point in chunk] for key in keys}


def _validation_tasks(config) -> list[data.Task]:
    training = data.training_part(data.load(**config.data))
    return data.validation_tasks(training, folds=config.select.folds, seed=config.seed, **config.select.split)


def _train_chunk(config, knobs: dict[str, list[float]], count: int, tasks: list[data.Task]) -> list[dict[str, float]]:
    """Returns the validation scores of each setting at its best epoch, means over the class folds."""
    arrays = {key.removeprefix("method."): jnp.asarray(values) for key, values in knobs.items()} or {
        "": jnp.zeros(count)
    }
    factory = _factory(_name(json.loads(config.to_json())))
    histories = [_train_fold(config, factory, arrays, task) for task in tasks]
    history = {name: np.mean([fold[name] for fold in histories], axis=0) for name in SCORES}  # [epochs, S]
    chosen = np.argmax(np.nan_to_num(history[config.select.metric], nan=-1.0), axis=0)
    return [
        {"epochs": int(histories[0]["epochs"][epoch])}
        | {name: float(np.nan_to_num(history[name][epoch, i], nan=-1.0)) for name in SCORES}
        for i, epoch in enumerate(chosen)
    ]


@functools.lru_cache(maxsize=4)
def _factory(config_json: str) -> Callable[..., methods.Method]:
    """Returns `(**knobs) -> Method`; the same function for the same config, so that programs are compiled once."""
    config = ml_collections.ConfigDict(json.loads(config_json))

    def factory(**knobs):
        changed = ml_collections.ConfigDict(config)
        values = dict(changed.method) | {name: value for name, value in knobs.items() if name}
        return run.make_method_from(values, dict(changed.normalize))

    return factory


@functools.lru_cache(maxsize=4)
def _method(factory: Callable[..., methods.Method]) -> methods.Method:
    return side_by_side.make_method(factory)


def _train_fold(config, factory, knobs: dict[str, Any], task: data.Task) -> dict[str, np.ndarray]:
    """Returns scores by name, arrays `[epochs, S]`, and the `epochs` they belong to."""
    mesh = parallel.settings_mesh(len(next(iter(knobs.values()))))
    method = _method(factory)
    key = jax.random.fold_in(jax.random.key(config.seed), run.PHASES.index("select"))
    size = config.train.batch_size
    rows = np.arange(size) % len(task.train.labels)
    batch = data.Batch(task.train.inputs[rows], task.train.labels[rows], np.ones(size, bool))
    classes = loop.training_classes(factory(**{name: values[0] for name, values in knobs.items()}), task)
    start = _start(factory, knobs, jax.random.fold_in(key, 0), batch, classes)
    arrays = evaluation.task_arrays(task, mesh)
    found: dict[str, list] = {name: [] for name in ("epochs", *SCORES)}
    epochs = config.train.epochs
    for epoch, state, _ in loop.fit(
        method, task, key=key, epochs=epochs, batch_size=size, mesh=mesh, start=(0, start), title="chunk"
    ):
        if epoch % config.select.every == 0 or epoch == epochs:
            finished = loop.finish(method, state, task, key=key, mesh=mesh)
            scores = jax.device_get(_validate(finished, arrays, factory=factory))
            found["epochs"].append(epoch)
            for name in SCORES:
                found[name].append(scores[name])
    return {name: np.stack(values) for name, values in found.items()}


@functools.partial(jax.jit, static_argnames="factory")
def _start(factory, knobs, key, batch, classes):
    return side_by_side.start(factory, knobs, key, batch, classes)


@functools.partial(jax.jit, static_argnames="factory")
def _validate(state, arrays, *, factory):
    """Scores of every setting; NaN for those whose class scores are not finite."""

    def one(method, state):
        finite, evaluated = evaluation.evaluate_arrays(method, state, arrays)
        curve = evaluated.curve
        harmonic = metrics.harmonic_mean(curve["unseen"], curve["seen"])
        best = jnp.argmax(harmonic)
        scores = {
            "zsl": evaluated.zsl["top1"],
            "harmonic": harmonic[best],
            "ausuc": evaluated.gzsl["ausuc"],
            "gamma": curve["gamma"][best],
        }
        return jax.tree.map(lambda x: jnp.where(finite, x, jnp.nan), scores)

    return side_by_side.map_settings(factory, one, state)


def _name(setting: dict[str, Any]) -> str:
    return json.dumps(setting, sort_keys=True)


def _read(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
