"""Writes docs/methods.md from the docstrings of the methods' factories and of their recipes.

    python docs/make_methods_page.py

One section per method: what it is, its formula, its knobs and defaults, its paper, and the figures of its recipe.
"""

import ast
import inspect
import pathlib
import re
from collections.abc import Callable

from zsl_jax import methods

PAGE = pathlib.Path(__file__).with_name("methods.md")
RECIPES = PAGE.parent.parent / "configs"

INTRODUCTION = """\
# Methods

Each is a function that takes its knobs and returns a `Method`, a tuple of pure functions that the one trainer runs.
Written by `python docs/make_methods_page.py` from the docstrings and from those of the recipes, which carry figures and
the command that made them. [Results](results.md) has the table, [the protocol](protocol.md) what the numbers mean.

Letters: x an image's features, phi_c the description of class c, y the right class, F(x, c) the score.
"""


def page() -> str:
    """Returns the text of docs/methods.md."""
    names = sorted(methods.METHODS)
    listed = ", ".join(f"[`{name}`](#{name})" for name in names)
    return "\n".join([INTRODUCTION, f"{listed}\n", *(section(name, methods.METHODS[name]) for name in names)])


def section(name: str, make: Callable) -> str:
    """Returns the section of a method."""
    blocks = paragraphs(inspect.getdoc(make) or "")
    told = [block for block in blocks if not re.match(r"(Args|Raises|Returns|Reference|Example)\b.*:", block)]
    parts = [f"## {name}", *map(_as_markdown, told)]
    reference = next((block for block in blocks if block.startswith("Reference:")), None)
    if reference:
        parts.append(" ".join(reference.split()))
    defaults = {p.name: p.default for p in inspect.signature(make).parameters.values()}
    knobs = ", ".join(f"`{knob}={defaults[knob]!r}`" for knob in defaults if knob in methods.KNOBS[name])
    parts.append(f"Knobs, with their defaults: {knobs}." if knobs else "No knobs.")
    parts += _of_recipe(name)
    return "\n\n".join(parts) + "\n"


def paragraphs(text: str) -> list[str]:
    """Returns the paragraphs of a text, those of an indented block as one."""
    return [block.rstrip() for block in re.split(r"\n\s*\n(?=\S)|\n\s*\n(?=    )", text) if block.strip()]


def _as_markdown(block: str) -> str:
    if block.startswith("    "):
        return block
    return " ".join(block.split())


def _of_recipe(name: str) -> list[str]:
    path = RECIPES / f"{name}.py"
    if not path.is_file():
        return []
    title, *blocks = paragraphs(ast.get_docstring(ast.parse(path.read_text())) or "")
    link = f"[configs/{path.name}](../configs/{path.name})"
    told = [_as_markdown(block) for block in blocks if not block.lstrip().startswith("Reference:")]
    return [f"**{link}** {' '.join(title.split())}", *told]


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
