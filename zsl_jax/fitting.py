"""A method fitted on arrays: chosen, trained and, where there is a test, scored as `zsl-jax train` does it.

trained = zsl_jax.fit("eszsl", inputs, labels, classes, names=names)
trained.predict(inputs)
"""

import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors, methods
from zsl_jax.data import in_memory
from zsl_jax.recipes import finding
from zsl_jax.training import parallel, problems, run, searching, sweeps, trained
from zsl_jax.verbs import command_line

_UNNAMED = "given"


def fit(
    method: str | methods.Method,
    inputs: Any,
    labels: Any,
    classes: Any,
    *,
    names: Sequence[str] | None = None,
    attributes: Sequence[str] | None = None,
    validation: Sequence | None = None,
    test: tuple[Any, Any] | None = None,
    seed: int = 0,
    sweep: bool = False,
    config: Mapping[str, Any] | None = None,
    only_seen: bool = False,
    say: Callable[[str], None] = print,
    **knobs: Any,
) -> trained.Trained:
    """Returns a method trained on arrays; the classes that no label names are unseen.

    Epochs, the constant gamma and the temperature are chosen on validation classes, which are labelled classes held out
    of training for that; then all labelled examples train. No file is left behind.

    Args:
      method: the name of a recipe (`ale`), which sets knobs and epochs, or of a method without one, or a `Method`. By
        name inputs and descriptions are scaled to unit length (`config={"normalize.inputs": "none"}` leaves them), a
        `Method` gets them as they are, see `methods.normalized`.
      inputs: `[N, ...]` of numpy or jax: features of any float, images of bytes, or a dict of such arrays.
      labels: `[N]` whole numbers of any type, the rows of `classes`.
      classes: `[C, A]` descriptions, a tree of arrays `[C, ...]`, or a `data.ClassTable`.
      names: `[C]`, of the classes; predictions are names then, and rows of `classes` without.
      attributes: `[A]`, names of the columns of `classes`, for `explain`.
      validation: rows or names of the validation classes; None draws a quarter of the labelled ones by the seed.
      test: `(inputs, labels)`, scored once at the end; the results are in `trained.record["metrics"]`.
      seed: of every random choice.
      sweep: whether knobs are chosen, too, among the settings that the recipe names.
      config: other keys of the config by their names, such as `{"train.epochs": 10, "select.folds": 3}`.
      only_seen: whether every class may have a label: unseen ones come with `trained.predict(inputs, classes)`.
      say: called with lines for the user.
      **knobs: of the method; a tuple of values is chosen from, on validation classes.

    Raises:
      UserError: what is wrong with arrays, names or knobs, in one line.

    >>> import numpy as np
    >>> classes = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 0, 1]], float)
    >>> labels = np.repeat([0, 1, 2, 3, 4], 4)
    >>> made = fit("eszsl", classes[labels], labels, classes, names=list("abcdef"), say=lambda line: None)
    >>> made.predict(classes[[5]], names=["f"]).tolist(), made.scores(classes).shape
    (['f'], (6, 6))
    """
    if config is not None and not isinstance(config, Mapping):
        raise errors.UserError(f"config is {type(config).__name__}: a dict of keys and values is wanted")
    settings, space = _settings(method, {"seed": seed, **(config or {})}, knobs, sweep)
    dataset = in_memory.make(
        inputs, labels, classes, names=names, attributes=attributes, validation=validation, test=test
    )
    if dataset.classes.is_seen.all() and not only_seen:
        raise errors.UserError(
            f"each of the {len(dataset.classes)} classes has a label, so that none is unseen: leave examples of some "
            "out, or say only_seen=True where unseen classes are given to predict"
        )
    with tempfile.TemporaryDirectory() as folder, parallel.left_as_found():
        workdir = pathlib.Path(folder) / "run"
        if any(isinstance(value, tuple | list) for value in knobs.values()):
            settings = sweeps.overridden(settings, {"sweep.widen": 0})  # values that the caller named are all there are
        if space:
            settings = _swept(settings, space, dataset, pathlib.Path(folder) / "sweep", say)
        given = problems.remembered(settings) if isinstance(method, str) else method
        problem = problems.make_problem(settings, dataset=dataset, method=given)
        result = run.run(settings, workdir, say=say, problem=problem)
        log = workdir / "metrics.jsonl"
        return trained.of_result(result, settings, dataset, log.read_text(encoding="utf-8") if log.exists() else "")


def _settings(
    method, changes: Mapping[str, Any], knobs: Mapping[str, Any], sweep: bool
) -> tuple[Any, dict[str, tuple]]:
    """The config, and the values of the knobs to choose from."""
    if not isinstance(method, str):
        return _unnamed(method, changes, knobs, sweep), {}
    known = sorted({*methods.METHODS, *(name for name in finding.names() if "/" not in name)})
    if method not in known:
        raise errors.unknown("method", method, known)
    has_recipe = method in finding.names()
    text = f"{method}:{in_memory.NAME}"
    config = command_line.load_recipe(text) if has_recipe else config_lib.base(*text.split(":"))
    for name in knobs:
        if name not in config.method or name == "name":
            raise errors.unknown(f"knob of {method}", name, [knob for knob in config.method if knob != "name"])
    space = {}
    if sweep:
        named = getattr(command_line.load_module(text), "sweep", dict) if has_recipe else dict
        space = {key: values for key, values in named().items() if not key.startswith("data.")}
    choices = {
        name: value
        for name, value in knobs.items()
        if isinstance(value, tuple | list) and not isinstance(config.method[name], tuple)
    }
    fixed = {**changes, **{f"method.{name}": value for name, value in knobs.items() if name not in choices}}
    space = {key: values for key, values in space.items() if key not in fixed}
    for name, values in choices.items():
        is_float = isinstance(config.method[name], float)
        space[f"method.{name}"] = tuple(float(value) if is_float else _plain(value) for value in values)
    return command_line.changed(config, _texts(fixed)), space


def _unnamed(method, changes: Mapping[str, Any], knobs: Mapping[str, Any], sweep: bool) -> ml_collections.ConfigDict:
    """The config of a `Method` that has no name to make it by."""
    if not isinstance(method, methods.Method):
        raise errors.UserError(f"method is {type(method).__name__}: the name of a method or a methods.Method is wanted")
    if knobs or sweep:
        raise errors.UserError(
            f"a Method has its knobs already: {', '.join(knobs) or 'sweep'} goes with a method by its name"
        )
    none = {"inputs": "none", "classes": "none"}
    bare = {"method": {"name": _UNNAMED}, "data": {"name": in_memory.NAME, "dir": ""}, "normalize": none}
    config = config_lib.from_json(bare).unlock()
    return command_line.changed(config, _texts(changes))


def _swept(config, space: Mapping[str, Any], dataset, workdir: pathlib.Path, say) -> ml_collections.ConfigDict:
    """The config with the setting that is best on validation classes."""
    trials = searching.search(config, dict(space), workdir, say=say, source=dataset)
    metric = config.select.metric
    best = max(trials, key=lambda trial: np.nan_to_num(trial[metric], nan=-1.0))
    chosen = ", ".join(f"{key.removeprefix('method.')} {value}" for key, value in best["setting"].items())
    say(f"chosen among {len(trials)} settings: {chosen} ({metric} {best[metric]:.3f} on validation classes)")
    return sweeps.overridden(config, best["setting"])


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a command line says them."""
    return {key: str(_plain(value)) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python, whose text is that of the number."""
    return value.item() if isinstance(value, np.generic) else value
