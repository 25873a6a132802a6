"""What a user did wrong, in one line: the verbs print a `UserError` without a traceback and exit with its code."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A wrong key, value, file or split: the message says what is wrong and what would be right."""

    exit_code = 2


class Diverged(UserError):
    """Training met a value that is not finite."""

    exit_code = 1


class Irreproducible(UserError):
    """A result computed again is not the one on record."""

    exit_code = 1


class Stopped(Exception):
    """The process was told to stop and did so in good order; the message says what is saved and how to go on."""


def unknown(kind: str, name: object, choices: Iterable[str]) -> UserError:
    """An error for a name that is not among the choices, with the nearest of them.

    >>> str(unknown("method", "alee", ["ale", "sje"]))
    "unknown method 'alee': did you mean 'ale'? (choices: ale, sje)"
    """
    choices = sorted(map(str, choices))
    near = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UserError(f"unknown {kind} {str(name)!r}: {hint}(choices: {', '.join(choices)})")


def unlisted(kind: str, name: object, near: Iterable[str], where: str) -> UserError:
    """An error for a name among too many choices to list: the nearest of them, and where the others are found.

    >>> str(unlisted("recipe", "alee", ["ale"], "recipes are in configs/"))
    "unknown recipe 'alee': did you mean 'ale'? (recipes are in configs/)"
    """
    text = str(name)
    shown = repr(text if len(text) <= 200 else f"{text[:200]}...")
    hint = f"did you mean {' or '.join(map(repr, near))}? ({where})" if near else where
    return UserError(f"unknown {kind} {shown}: {hint}")
