"""Every recipe builds, is sound, and says in its docstring how to run it and what to expect."""

import dataclasses
import itertools
import json
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest
import small_prompts
import small_tower
import toy
import toy_frame

from zsl_jax import class_encoders, config, data, errors, methods
from zsl_jax.data import shapes, sources
from zsl_jax.training import parallel, problems, protocols, states
from zsl_jax.verbs import command_line

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "configs").glob("*.py"))
WORDS = [",".join(words) for count in range(3) for words in itertools.combinations(config.WORDS, count)]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_builds(path, monkeypatch):
    recipe = command_line.load_recipe(path.stem)
    config.check(recipe)
    needs_tower = methods.learns_prompts(recipe.method.name)
    if needs_tower:
        monkeypatch.setattr(problems, "prompt_tower", lambda config: small_tower.prompted(16))
    method = problems.make_method(recipe)
    task = data.test_task(toy.dataset(num_features=recipe.method.get("dimensions", 10)))
    if recipe.protocol == "pairs":
        source = small_prompts.dataset(as_pairs=True) if needs_tower else toy_frame.pairs_dataset()
        _, task = protocols.PAIRS.tasks(source, recipe)
    elif needs_tower:  # by phrases, on patches
        task = data.test_task(small_prompts.dataset(patches=4))
    if "encoder" in recipe and recipe.encoder.name in ("convnet", "vit_tiny"):
        images = np.zeros((len(task.train.labels), 32, 32, 3), np.uint8)
        task = dataclasses.replace(task, train=task.train._replace(inputs=images), sets={})
    if method.update is None and not needs_tower:  # inputs and descriptions share a space
        described = task.train._replace(inputs=task.classes.embedding[task.train.labels])
        task = dataclasses.replace(task, train=described, sets={})
    if recipe.data.get("semantics") == "names" and not needs_tower:
        tokens = class_encoders.tokens(task.classes.names)
        task = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=tokens))
    if recipe.data.get("semantics") == "sentences":
        sentences = shapes.read([[name] for name in task.classes.names])
        task = dataclasses.replace(task, classes=dataclasses.replace(task.classes, embedding=sentences))
    training = states.Training(method, task, jax.random.key(0), recipe.train.batch_size, parallel.make_mesh())
    state = training.shapes
    assert jax.tree.leaves(state) or method.update is None


@pytest.mark.long
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("source", sources.SOURCES)
def test_every_recipe_takes_every_source_and_word(source, words):
    """The word sent needs sentence embeddings, which xlsa17 alone can have; smoke is a run of two epochs at most."""
    for path in RECIPES:
        text = ":".join([path.stem, ",".join(filter(None, [source, words]))])
        if "sent" in words and source != "xlsa17":
            with pytest.raises(errors.UserError, match=f"{source} has no sentence embeddings"):
                command_line.load_recipe(text)
            continue
        made = command_line.recipe(text, {})
        assert made.data.name == source, text
        assert config.has_sentences(made) == ("sent" in words), text
        assert made.select.every <= made.train.epochs <= (2 if "smoke" in words else 1000), text


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_documented(path):
    """Its commands take keys that it has, and each writes a folder of its own."""
    text = command_line.load_module(path.stem).__doc__
    lines = [shlex.split(line) for line in re.sub(r"\\\n", " ", text).splitlines() if line.startswith("    python")]
    assert lines
    for _, _, module, verb, *words in lines:
        assert (module, verb) in (("zsl_jax", "train"), ("zsl_jax", "sweep"))
        rest, overrides = command_line.split_overrides(words)
        (recipe,) = (word.removeprefix("--config=") for word in rest if word.startswith("--config="))
        assert recipe.startswith(f"configs/{path.name}")
        command_line.recipe(str(ROOT / recipe), overrides)
    workdirs = [words[-1] for words in lines]
    assert all(word.startswith("--workdir=runs/") for word in workdirs)
    assert len(set(workdirs)) == len(workdirs)
    assert "minute" in text.lower() or "second" in text.lower()


@pytest.mark.parametrize("semantics", ["att", "sent"])
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_says_what_its_record_says(path, semantics):
    """The figures in the docstring are those of docs/results, which `docs/make_results.py` leaves."""
    record = ROOT / "docs" / "results" / f"CUB127_{semantics}" / path.stem / "record.json"
    if not record.exists():
        pytest.skip(f"no record of {path.stem}")
    metrics = json.loads(record.read_text())["metrics"]
    zsl, gzsl = metrics["zsl"]["top1"], metrics["gzsl"]
    kind = {"att": "Attributes", "sent": "Sentences"}[semantics]
    (block,) = re.findall(
        rf"^{kind}, .*?\n(?:\n|\Z)", command_line.load_module(path.stem).__doc__, re.MULTILINE | re.DOTALL
    )
    text = " ".join(block.split())
    assert f"ZSL {100 * np.mean(zsl):.1f}" in text
    for entry in (gzsl, gzsl["calibrated"]):
        figures = (f"{100 * np.mean(entry[name]):.1f}" for name in ("unseen", "seen", "harmonic"))
        assert " / ".join(figures) in text


def test_configs_survive_json():
    original = config.base("ale", "digits")
    assert config.from_json(json.loads(original.to_json())).to_dict() == original.to_dict()


@pytest.mark.parametrize(
    ("dataset", "encoder", "expected"),
    [("digits", "convnet", "convnet"), ("npz", "convnet", "mlp"), ("npz", "resnet18", "mlp"), ("npz", "bag", "bag")],
)
def test_mlp_takes_the_place_of_encoders_of_pixels_alone(dataset, encoder, expected):
    assert config.base("label_embedding", dataset, encoder=encoder).encoder.name == expected
