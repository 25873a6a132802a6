"""Writes docs/losses.md from the docstrings of zsl_jax.losses: one table a family, one row a loss.

    python docs/make_losses_page.py

What a docstring has to hold for it is said at the top of `zsl_jax/losses/__init__.py`.
"""

import importlib
import inspect
import itertools
import pathlib
import pkgutil
import re
from collections.abc import Callable
from types import ModuleType

from zsl_jax import losses

PAGE = pathlib.Path(__file__).with_name("losses.md")

INTRODUCTION = """\
# Losses

Pure functions of arrays: `from zsl_jax import losses`. Each returns one value per example (or what its docstring says),
float32, never reduced and never silently normalised; `where` masks, and numeric knobs may be traced. Written by
`python docs/make_losses_page.py` from the docstrings, which say more: arguments, shapes, limits and an example each.
"""


def page() -> str:
    """Returns the text of docs/losses.md."""
    return "\n".join([INTRODUCTION, *map(family, families())])


def families() -> list[ModuleType]:
    """Returns the modules of `zsl_jax.losses` whose public names it re-exports, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(losses.__path__))
    modules = [importlib.import_module(f"{losses.__name__}.{name}") for name in names]
    return [module for module in modules if public(module)]


def public(module: ModuleType) -> list[Callable]:
    """Returns the functions in a module's `__all__` that `zsl_jax.losses` re-exports."""
    found = [getattr(module, name) for name in getattr(module, "__all__", ()) if hasattr(losses, name)]
    return [fn for fn in found if callable(fn) and not inspect.isclass(fn)]


def family(module: ModuleType) -> str:
    name = module.__name__.rpartition(".")[2]
    head = f"## [{name.replace('_', ' ')}](../zsl_jax/losses/{name}.py)\n\n{paragraphs(module)[0]}\n"
    table = "| Loss | Formula | Use when | Paper |", "|---|---|---|---|", *map(row, public(module))
    return "\n".join([head, *table, ""])


def row(fn: Callable) -> str:
    cells = f"`{fn.__name__}`", formula(fn), section(fn, "Use when:"), section(fn, "Reference:", default="")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def formula(fn: Callable) -> str:
    """Returns the first code of a docstring, with the sentence that names its symbols."""
    summary, *blocks = paragraphs(fn)
    for before, block in itertools.pairwise([summary, *blocks]):
        if before.endswith("::"):
            symbols = [] if before is summary else [" ".join(before[:-1].split())]
            return "<br>".join(symbols + [f"`{' '.join(line.split())}`" for line in block.splitlines()])
        if block.startswith("`"):
            return " ".join(block.split())
    raise ValueError(f"the docstring of {fn.__name__} has no formula: a paragraph in backticks, or a block after '::'")


def section(fn: Callable, title: str, default: str | None = None) -> str:
    """Returns the paragraph of a docstring that starts with the title, without it, on one line."""
    for block in paragraphs(fn):
        if block.startswith(title):
            return " ".join(block.removeprefix(title).split())
    if default is None:
        raise ValueError(f"the docstring of {fn.__name__} has no paragraph '{title} ...'")
    return default


def paragraphs(documented: Callable | ModuleType) -> list[str]:
    """Returns the paragraphs of a docstring."""
    return [block for block in re.split(r"\n\s*\n", inspect.getdoc(documented) or "") if block.strip()]


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
