"""Writes docs/recipes.md: every recipe with the values of its knobs.

python docs/make_recipes_page.py
"""

import ast
import pathlib

from zsl_jax import config as config_lib
from zsl_jax.recipes import finding
from zsl_jax.verbs import command_line

PAGE = pathlib.Path(__file__).with_name("recipes.md")

INTRODUCTION = """\
# Recipes

`--config=NAME`, or `NAME:DATASET[,WORD...]`. Written by `python docs/make_recipes_page.py`. The knobs are those that
the recipe trains with on its default dataset: **bold** where it sets another value than its method's default.
`zsl-jax sweep --config=NAME` searches the settings that the recipe lists. How they were chosen, and what they reach,
stands in the file itself and in [results](results.md); every knob with its range is on
[the page of the methods](methods.md).
"""


def page() -> str:
    """Returns the text of docs/recipes.md."""
    names = [name for name in finding.names() if not name.startswith("extract/")]
    lines = [INTRODUCTION, "| recipe | what it is | knobs | epochs | batch |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(row, names)]) + "\n"


def row(name: str) -> str:
    """Returns the row of a recipe."""
    config = command_line.load_recipe(name)
    knobs = _told("", dict(config.method))
    if "scorer" in config:
        knobs = [f"`scorer={config.scorer.name}`", *_told("scorer.", dict(config.scorer)), *knobs]
    if "optimizer" in config:
        knobs += [f"`optimizer.{key}={config.optimizer[key]}`" for key in ("name", "learning_rate")]
    told = ", ".join(knobs) or "none"
    cells = (f"[{name}](../configs/{name}.py)", _summary(name), told, config.train.epochs, config.train.batch_size)
    return f"| {' | '.join(map(str, cells))} |"


def _told(prefix: str, section: dict) -> list[str]:
    """The knobs of a section, bold where they are not its method's own."""
    defaults = config_lib.method_section(section["name"])
    told = []
    for key, value in section.items():
        if key != "name":
            text = f"`{prefix}{key}={value}`"
            told.append(text if defaults.get(key) == value else f"**{text}**")
    return told


def _summary(name: str) -> str:
    """The first sentence of a recipe's docstring."""
    told = ast.get_docstring(ast.parse(finding.find(name).read_text())) or ""
    first = " ".join(told.split("\n\n")[0].split())
    return first.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
