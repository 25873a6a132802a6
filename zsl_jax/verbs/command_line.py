"""Flags of a verb, read into values of its own: nothing global, and a mistake is one line."""

import pathlib
import re
from collections.abc import Callable, Sequence

import ml_collections
from absl import flags
from ml_collections import config_flags

from zsl_jax import config as config_lib
from zsl_jax import errors


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
      UserError: an unknown flag, config key or value.
    """
    if any(argument.lstrip("-") in ("h", "help") for argument in argv):
        print(usage)
        return None
    values = flags.FlagValues()
    define(values)
    try:
        rest = values([verb, *argv])[1:]
    except errors.UserError:
        raise
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError, ImportError, SyntaxError) as error:
        raise errors.UserError(_one_line(error, argv)) from error
    if rest:
        raise errors.UserError(f"{verb} takes flags only, not {rest[0]!r}; see python -m zsl_jax {verb} --help")
    return values


def define_config(values: flags.FlagValues) -> None:
    config_flags.DEFINE_config_file("config", None, "recipe", flag_values=values, lock_config=True)


def define_string(values: flags.FlagValues, name: str, says: str) -> None:
    flags.DEFINE_string(name, None, says, flag_values=values)


def define_workdir(values: flags.FlagValues) -> None:
    define_string(values, "workdir", "folder of the run")


def required_config(values: flags.FlagValues, verb: str) -> ml_collections.ConfigDict:
    if values.config is None:
        raise errors.UserError(f"{verb} needs --config=FILE, e.g. --config=configs/ale.py (recipes are in configs/)")
    config_lib.check(values.config)
    return values.config


def required_workdir(values: flags.FlagValues, verb: str) -> pathlib.Path:
    if not values.workdir:
        raise errors.UserError(f"{verb} needs --workdir=DIR, the folder of the run, e.g. --workdir=runs/ale")
    return pathlib.Path(values.workdir)


def _one_line(error: Exception, argv: Sequence[str]) -> str:
    """What absl and ml_collections say of a bad flag, as one line in the user's words."""
    text = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    unknown = re.search(r"Unknown command line flag '([^']+)'", text)
    if unknown:
        return f"unknown flag --{unknown[1]}" + (f" ({text[text.index('Did') :]})" if "Did" in text else "")
    return text
