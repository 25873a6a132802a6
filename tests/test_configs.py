"""Every recipe builds, is sound, and says in its docstring how to run it and what to expect."""

import dataclasses
import importlib.util
import json
import pathlib

import jax
import numpy as np
import pytest
import toy

from zsl_jax import class_encoders, config, data
from zsl_jax.training import loop, run

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "configs").glob("*.py"))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_builds(path):
    get_config = load(path).get_config
    for dataset in ("digits,smoke", "features", "image_folder", "npz", "shapes", "xlsa17"):
        config.check(get_config(dataset))
    recipe = get_config()
    config.check(recipe)
    method = run.make_method(recipe)
    task = data.test_task(toy.dataset())
    if recipe.data.get("inputs") == "pixels":
        task = dataclasses.replace(task, train=task.train._replace(inputs=np.zeros((54, 32, 32, 3), np.uint8)))
    if recipe.data.get("semantics") == "names":
        tokens = class_encoders.tokens(task.classes.names)
        task = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=tokens))
    size = recipe.train.batch_size
    state = jax.eval_shape(lambda: loop.init_state(method, task, key=jax.random.key(0), batch_size=size))
    assert jax.tree.leaves(state)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_documented(path):
    text = load(path).__doc__
    assert f"--config=configs/{path.name}" in text
    assert "minute" in text.lower() or "second" in text.lower()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_says_what_its_record_says(path):
    """The figures in the docstring are those of docs/results, which `docs/make_results.py` leaves."""
    semantics = "sent" if path.stem.endswith("_sentences") else "att"
    record = ROOT / "docs" / "results" / f"CUB127_{semantics}" / path.stem.removesuffix("_sentences") / "record.json"
    if not record.exists():
        pytest.skip(f"no record of {path.stem}")
    metrics = json.loads(record.read_text())["metrics"]
    zsl, gzsl = metrics["zsl"]["top1"], metrics["gzsl"]
    text = " ".join(load(path).__doc__.split())
    assert f"ZSL {100 * np.mean(zsl):.1f}" in text
    for entry in (gzsl, gzsl["calibrated"]):
        figures = (f"{100 * np.mean(entry[name]):.1f}" for name in ("unseen", "seen", "harmonic"))
        assert " / ".join(figures) in text


def test_configs_survive_json():
    original = config.base("ale", "digits")
    assert config.from_json(__import__("json").loads(original.to_json())).to_dict() == original.to_dict()
