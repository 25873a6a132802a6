"""Writes docs/recipes.md: every recipe with what it changes of its method's own knobs.

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

`--config=NAME`, or `NAME:DATASET[,WORD...]`. Written by `python docs/make_recipes_page.py`. The knobs are those that a
recipe sets beside its method's own defaults, on its default dataset; `zsl-jax sweep --config=NAME` searches the
settings that the recipe lists. How they were chosen, and what they reach, stands in the file itself and in
[results](results.md); every knob with its range is on [the page of the methods](methods.md).
"""


def page() -> str:
    """Returns the text of docs/recipes.md."""
    names = [name for name in finding.names() if not name.startswith("extract/")]
    lines = [INTRODUCTION, "| recipe | what it is | knobs | epochs | batch |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(row, names)]) + "\n"


def row(name: str) -> str:
    """Returns the row of a recipe."""
    config = command_line.load_recipe(name)
    knobs = {
        **_changed("", dict(config.method), config_lib.method_section(config.method.name)),
        **(_around(config) if "scorer" in config else {}),
    }
    told = ", ".join(f"`{key}={value}`" for key, value in knobs.items()) or "as the method's"
    cells = (f"[{name}](../configs/{name}.py)", _summary(name), told, config.train.epochs, config.train.batch_size)
    return f"| {' | '.join(map(str, cells))} |"


def _around(config) -> dict:
    own = dict(config.scorer)
    return {"scorer": own["name"], **_changed("scorer.", own, config_lib.method_section(own["name"]))}


def _changed(prefix: str, knobs: dict, defaults: dict) -> dict:
    return {f"{prefix}{key}": value for key, value in knobs.items() if key != "name" and defaults.get(key) != value}


def _summary(name: str) -> str:
    """The first sentence of a recipe's docstring."""
    told = ast.get_docstring(ast.parse(finding.find(name).read_text())) or ""
    first = " ".join(told.split("\n\n")[0].split())
    return first.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
