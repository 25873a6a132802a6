"""The command line of a verb: flags by absl, read into values of their own, and a recipe with its overrides.

A mistake is one line with the nearest right name. (`ml_collections.config_flags` reads the overrides from `sys.argv` of
the process and answers a misspelt key with a traceback, so that recipes are loaded here.)
"""

import ast
import contextlib
import difflib
import importlib.util
import inspect
import math
import os
import pathlib
import re
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import ml_collections
from absl import flags

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.recipes import finding

_TYPES = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a tuple"}
_OVERRIDE = re.compile(r"--?config\.(?P<key>[\w.]+)(=(?P<text>.*))?", re.DOTALL)


def parse(
    verb: str, argv: Sequence[str], define: Callable[[flags.FlagValues], None], usage: str
) -> flags.FlagValues | None:
    """Returns the values of a verb's flags, or None where help was asked for and printed.

    Args:
      verb: its name.
      argv: the arguments after the verb.
      define: adds the flags to a `FlagValues`.
      usage: what `--help` prints.

    Raises:
      UserError: an unknown flag, or a word that is no flag.
    """
    if any(argument.lstrip("-") in ("h", "help") for argument in argv):
        print(usage)
        return None
    values = flags.FlagValues()
    define(values)
    known = list(values)
    for argument in argv:
        name = argument.lstrip("-").partition("=")[0]
        if argument.startswith("-") and name not in known:
            raise errors.unknown(f"flag of {verb}", f"--{name}", [f"--{flag}" for flag in known])
    try:
        rest = values([verb, *argv])[1:]
    except flags.Error as error:
        raise errors.UserError(" ".join(str(error).split())) from error
    if rest:
        raise errors.UserError(f"{verb} takes flags only, not {rest[0]!r}; see python -m zsl_jax {verb} --help")
    return values


def split_overrides(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Returns the arguments without `--config.KEY=VALUE` or `--config.KEY VALUE`, and those as a dict of texts.

    >>> split_overrides(["--workdir=x", "--config.train.epochs=3", "--config.seed", "1"])
    (['--workdir=x'], {'train.epochs': '3', 'seed': '1'})
    """
    rest, overrides, left = [], {}, iter(argv)
    for argument in left:
        match = _OVERRIDE.fullmatch(argument)
        if match is None:
            rest.append(argument)
            continue
        text = next(left, None) if match["text"] is None else match["text"]
        if text is None or (match["text"] is None and text.startswith("--")):
            raise errors.UserError(f"{argument} has no value: write {argument}=VALUE")
        overrides[match["key"]] = text
    return rest, overrides


def define_string(values: flags.FlagValues, name: str, says: str) -> None:
    flags.DEFINE_string(name, None, says, flag_values=values)


def define_config(values: flags.FlagValues) -> None:
    define_string(values, "config", "recipe: NAME[:ARGUMENT]")


def define_workdir(values: flags.FlagValues) -> None:
    define_string(values, "workdir", "folder of the run")


def check_out(flag: str, out: str | None, read: Iterable[str | os.PathLike]) -> None:
    """Raises where the file to write is one of those to read, which it would take the place of."""
    there = [path for path in read if out and os.path.exists(path) and os.path.exists(out)]
    if any(os.path.samefile(out, path) for path in there):
        raise errors.UserError(f"{flag}={out} is a file to read: writing would take its place; name another one")


def required_config(values: flags.FlagValues, overrides: dict[str, str], verb: str) -> ml_collections.ConfigDict:
    """Returns the recipe of `--config` with its overrides, checked and locked."""
    if not values.config:
        raise errors.UserError(f"{verb} needs --config=NAME, e.g. --config=ale (recipes are in {finding.folder()})")
    return recipe(values.config, overrides)


def required_workdir(values: flags.FlagValues, verb: str) -> pathlib.Path:
    if not values.workdir:
        raise errors.UserError(f"{verb} needs --workdir=DIR, the folder of the run, e.g. --workdir=runs/ale")
    workdir = pathlib.Path(values.workdir)
    try:
        workdir.exists()
    except OSError as error:
        raise errors.UserError(f"--workdir={_short(values.workdir)}: {error.strerror}") from error
    return workdir


def recipe(text: str, overrides: dict[str, str]) -> ml_collections.ConfigDict:
    """Returns the recipe `NAME[:ARGUMENT]` with its overrides, checked and locked."""
    scorer = overrides.get("scorer.name")
    config = load_recipe(text, scorer)
    if "method" not in config:
        raise errors.UserError(f"{text} is a recipe for extract: it trains no method")
    if scorer in finding.names():
        overrides = overrides | {"scorer.name": load_recipe(scorer).method.name}
    return changed(config, overrides)


def changed(config: ml_collections.ConfigDict, overrides: dict[str, str]) -> ml_collections.ConfigDict:
    """Returns a config with some keys set to what texts say, checked and locked."""
    # The name of an encoder decides which other keys there are.
    for key in ("encoder.name", "class_encoder.name"):
        section = key.partition(".")[0]
        if key in overrides and section in config:
            kept = {"weights": ""} if "weights" in config[section] else {}
            config[section] = {**config_lib.encoder_section(overrides[key]), **kept}
    # And so does the name of a loss.
    for key in ("method.loss", "scorer.loss"):
        if key in overrides and key in config_lib.leaves(config):
            config_lib.choose_loss(config, overrides[key])
    if "encoder" in config and "encoder.weights" in overrides:
        _take_checkpoint(config, overrides["encoder.weights"])
    for key, value in overrides.items():
        override(config, key, value)
        section, _, knob = key.partition(".")
        # A value that is given is not chosen.
        if section == "method" and knob in config.late and f"late.{knob}" not in overrides:
            del config.late[knob]
    config_lib.check(config)
    return config.lock()


def _take_checkpoint(config: ml_collections.ConfigDict, name: str) -> None:
    """The encoder that the weights of a public checkpoint are of, with the knobs that they expect."""
    from zsl_jax.encoders import pretrained

    if name in pretrained.CHECKPOINTS:
        known = pretrained.CHECKPOINTS[name]
        config.encoder = {**config_lib.encoder_section(known.encoder), **known.knobs, "weights": ""}


def load_recipe(text: str, scorer: str | None = None) -> ml_collections.ConfigDict:
    """Returns `get_config(ARGUMENT)` of the recipe in `NAME[:ARGUMENT]`, around another scorer where one is named."""
    name, _, argument = text.partition(":")
    module = load_module(text)
    if not hasattr(module, "get_config"):
        raise errors.UserError(f"{name} is no recipe: it has no get_config(argument)")
    with _faults_of(name, module.__file__):
        takes_scorer = scorer is not None and "scorer" in inspect.signature(module.get_config).parameters
        config = module.get_config(argument or None, **({"scorer": scorer} if takes_scorer else {}))
    if not isinstance(config, ml_collections.ConfigDict):
        raise errors.UserError(f"{name} is no recipe: get_config(argument) returns {type(config).__name__}, no config")
    return config


def load_module(text: str) -> types.ModuleType:
    """Returns the file of the recipe in `NAME[:ARGUMENT]` as a module."""
    name = text.partition(":")[0]
    path = finding.find(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    with _faults_of(name, str(path)):
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _faults_of(name: str, file: str) -> Iterator[None]:
    """Turns what goes wrong in the code of a recipe into one line that says where."""
    try:
        yield
    except errors.UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        where = name if line is None else f"{name}, line {line}"
        raise errors.UserError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def override(config: ml_collections.ConfigDict, key: str, text: str) -> None:
    """Sets a key to the value that a text says; raises a UserError for an unknown key or another type."""
    leaves = config_lib.leaves(config)
    section, _, knob = key.partition(".")
    if section == "late" and isinstance(given := leaves.get(f"method.{knob}"), (int, float)):
        leaves = {key: (given,)} | leaves  # any number of the method may be chosen late, named by the recipe or not
    if key not in leaves:
        raise unknown_key(key, leaves)
    if key == "encoder.name" and "method" not in config:
        raise errors.UserError(f"config.{key} is chosen by the recipe: take another one than that of {leaves[key]}")
    if key in ("method.name", "data.name"):
        raise errors.UserError(
            f"config.{key} is chosen by the recipe: write --config=configs/{config.method.name}.py:{config.data.name}"
            " with another recipe or dataset"
        )
    *path, last = key.split(".")
    for part in path:
        config = config[part]
    config[last] = _convert(key, text, leaves[key])


def unknown_key(key: str, leaves: Iterable[str], kind: str = "config key") -> errors.UserError:
    """An error for a key that a config lacks: the nearest of its keys, and those of the section that is meant."""
    section, _, rest = key.partition(".")
    inside = [leaf.removeprefix(f"{section}.") for leaf in leaves if leaf.startswith(f"{section}.")]
    if inside:
        near = [f"{section}.{found}" for found in difflib.get_close_matches(rest, inside, n=1)]
        return errors.unlisted(kind, key, near, f"keys of config.{section}: {', '.join(inside)}")
    near = difflib.get_close_matches(key, leaves, n=1) or [leaf for leaf in leaves if leaf.endswith(f".{key}")][:1]
    sections = dict.fromkeys(leaf.partition(".")[0] for leaf in leaves)
    return errors.unlisted(kind, key, near, f"keys begin with {', '.join(sections)}")


def _convert(key: str, text: str, current: Any) -> Any:
    """Reads a value of the type that the key has."""
    if isinstance(current, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text.lower(), text))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: nested without end
        value = {"nan": float("nan"), "inf": float("inf")}.get(text.lower(), text)
    if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 2**1000 else math.inf
    if type(value) is not type(current):
        raise errors.UserError(f"config.{key}={_short(text)} is not {_TYPES[type(current)]}, as {current!r} is")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
