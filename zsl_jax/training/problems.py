"""A config brought to life: the dataset, the method, the protocol and the devices, and what they have seen."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import data, encoders, errors, methods
from zsl_jax.data import sources, splits
from zsl_jax.encoders import class_sources, described, graphs, image_towers, prompts, stages, ties, towers
from zsl_jax.methods import objectives
from zsl_jax.training import checking, encoding, hashes, parallel, protocols, states


class Problem(NamedTuple):
    """A dataset, a method, what is asked of it, and the devices.

    Fields:
      dataset: all of the data.
      method: as the config says; `method_for` gives the one for a task.
      protocol: what is asked and reported.
      mesh: of the devices.
    """

    dataset: data.Dataset
    method: methods.Method
    protocol: protocols.Protocol
    mesh: jax.sharding.Mesh

    def made_of(self) -> dict[str, str]:
        """Returns hashes of the data and of the weights, see `hashes.made_of`."""
        return hashes.made_of(self.dataset, self.method)

    def temperature(self) -> float | None:
        """Returns what the towers of the data were trained to divide cosines by; None where scores are no such ones."""
        is_cosine = self.method.cosine and self.method.together is None
        return self.dataset.info.get("temperature") if is_cosine else None

    def factory(self, task: data.Task, config: ml_collections.ConfigDict) -> Callable[..., methods.Method]:
        """Returns `(**knobs) -> Method` for a task, the other knobs as the config has them; knobs may be traced."""
        steps = states.steps_per_epoch(len(task.train.labels), config.train.batch_size)

        def make(**knobs):
            return make_method(config, steps_per_epoch=steps, **{name: x for name, x in knobs.items() if name})

        return make

    def method_for(self, task: data.Task, config: ml_collections.ConfigDict, **knobs) -> methods.Method:
        """Returns the method for a task: with the step sizes of its schedule, and with late knobs where there are any.

        The same method for the same arguments, so that programs are compiled once.
        """
        has_schedule = "optimizer" in config and config.optimizer.decay_epochs
        if not has_schedule and not knobs:
            return self.method
        steps = states.steps_per_epoch(len(task.train.labels), config.train.batch_size) if has_schedule else 0
        return remembered(config, steps_per_epoch=steps, **knobs)


def remembered(config: ml_collections.ConfigDict, *, steps_per_epoch: int = 0, **knobs) -> methods.Method:
    """Returns what `make_method` does, and the same object where it was asked for lately: its programs are compiled."""
    same = ml_collections.ConfigDict(config).unlock()
    same.seed = 0
    return _method(ml_collections.FrozenConfigDict(same), steps_per_epoch, tuple(knobs.items()))


@functools.lru_cache(maxsize=8)
def _method(config: ml_collections.FrozenConfigDict, steps_per_epoch: int, knobs: tuple) -> methods.Method:
    return make_method(config, steps_per_epoch=steps_per_epoch, **dict(knobs))


def make_problem(
    config: ml_collections.ConfigDict,
    *,
    mesh: jax.sharding.Mesh | None = None,
    dataset: data.Dataset | None = None,
    method: methods.Method | None = None,
) -> Problem:
    """Returns the problem of a config; every complaint about it comes before anything is written.

    Args:
      config: see `zsl_jax.config`.
      mesh: None for that of `config.parallel`, which has to divide the batch.
      dataset, method: None for those of the config.
    """
    parallel.keep_compiled(config.compilation_cache)
    parallel.multiply_in(config.precision)
    if mesh is None:
        mesh = parallel.make_mesh(**{name: config.parallel[name] for name in ("devices", "model", "mode")})
        parallel.check_batch_size(mesh, config.train.batch_size)
    protocol = protocols.find(config.protocol)
    if config.select.metric not in protocol.choices():
        raise errors.unknown("select.metric", config.select.metric, protocol.choices())
    dataset = load_data(config) if dataset is None else dataset
    problem = Problem(dataset, make_method(config) if method is None else method, protocol, mesh)
    checking.check(problem, config)
    return problem


def load_data(config: ml_collections.ConfigDict) -> data.Dataset:
    """Returns the dataset of a config, its texts and classes as the tower of `config.towers` encodes them, if any.

    Raises:
      UserError: data that is not sound, or classes that only a tower can describe, without one.
    """
    source = class_source(config)
    return class_sources.dataset_of(_described(config), source, permuted=config.classes.permuted, seed=config.seed)


def class_source(config: ml_collections.ConfigDict) -> class_sources.Source | None:
    """Returns what describes classes by their names as `config.classes` says; None where the dataset does.

    Raises:
      UserError: a file that is missing or of another kind.
    """
    if config.classes.source == class_sources.GRAPH:
        given = config.class_encoder.name if "class_encoder" in config else ""
        if given not in graphs.LAYERS:
            reads = f"class_encoder.name={given}" if given else config_lib.trained(config).name
            raise errors.UserError(
                f"config.classes.source=graph describes classes by nodes, which {reads} does not read: take the recipe "
                f"zsl_kg, or two_tower, with config.class_encoder.name one of {', '.join(graphs.LAYERS)}"
            )
    options = {name: config.classes[name] for name in class_sources.Options._fields}
    return class_sources.make(class_sources.Options(**options))


def _described(config: ml_collections.ConfigDict) -> data.Dataset:
    """The dataset of a config, its classes as itself or `config.towers` describes them."""
    if "towers" in config:
        describer = class_describer(config)
        source = _source(config)
        return described.dataset_of(source, describer, text_stage(config) if source.kind == "texts" else None)
    source = data.load(**config.data, unseen=config.unseen_classes)
    if config.data.get("semantics") == "names" and "described_by" not in source.info:
        raise errors.UserError(
            f"{source.name} describes classes by their names, which a text tower encodes: --config=zero_shot:"
            f"{config.data.name} with --config.towers.text=FOLDER"
        )
    return source


def _source(config: ml_collections.ConfigDict) -> data.Dataset:
    """The dataset of a config, images as the image tower of `config.towers` encodes them, if there is one."""
    if not config.towers.image:
        return data.load(**config.data, unseen=config.unseen_classes)
    if config.data.name != "image_folder":
        raise errors.UserError(
            f"config.towers.image encodes the images of image_folder, not those of {config.data.name}: "
            "--config=zero_shot:image_folder --config.data.dir=DATASET, as `data import` wrote it"
        )
    found = image_towers.dataset_of(
        config.data.dir, config.towers.image, dtype=config.towers.dtype, scan=config.towers.scan
    )
    return splits.with_unseen(found, config.unseen_classes) if config.unseen_classes else found


def class_describer(config: ml_collections.ConfigDict) -> described.Describer | prompts.PromptTower:
    """Returns what describes the classes of a config by sentences, or as tokens where its method learns prompts.

    Raises:
      UserError: a tower, tie or file of texts that is missing or of another kind.
    """
    if methods.learns_prompts(config_lib.trained(config).name):
        return prompt_tower(config)
    options = described.Options(**{name: config.towers[name] for name in described.Options._fields})
    return described.Describer(text_tower(config), options)


def prompt_tower(config: ml_collections.ConfigDict) -> prompts.PromptTower:
    """Returns the frozen tower that the method of a config is trained through.

    Raises:
      UserError: a tower or tie that is missing or of another kind, or a template that is no sentence with a name in it.
    """
    if "towers" not in config or not config.towers.text:
        raise errors.UserError(
            f"{config_lib.trained(config).name} learns a prompt before a frozen text tower: "
            "--config.towers.text=FOLDER (config.json, tokenizer.json, weights), and a tie where inputs are features "
            "of another space"
        )
    return _prompt_tower(ml_collections.FrozenConfigDict(config.towers))


@functools.lru_cache(maxsize=2)
def _prompt_tower(section: ml_collections.FrozenConfigDict) -> prompts.PromptTower:
    options = described.Options(**{name: section[name] for name in described.Options._fields})
    tower = towers.load_text_tower(section.text, **_computed(section))
    return prompts.PromptTower(tower, ties.load(section.tie) if section.tie else None, section.template, options)


def text_tower(config: ml_collections.ConfigDict) -> towers.TextTower:
    """Returns the text tower of a config.

    Raises:
      UserError: there is none, or its folder is not whole.
    """
    if "towers" not in config or not config.towers.text:
        raise errors.UserError(
            "texts and names need a text tower: --config.towers.text=FOLDER (config.json, tokenizer.json, weights)"
        )
    return towers.load_text_tower(config.towers.text, **_computed(config.towers))


def _computed(section: Any) -> dict[str, Any]:
    """How the text tower of `config.towers` computes."""
    return {name: section[name] for name in ("pool", "dtype", "scan", "remat")}


def text_stage(config: ml_collections.ConfigDict) -> stages.Stage:
    """Returns the stage of the texts of a config: what its encoder reads of them, and for all else a vector.

    Raises:
      UserError: a tower that does not give what the encoder reads.
    """
    tower, section = text_tower(config), config.towers
    made = {
        "vector": lambda: tower.stage(section.text_prefix, section.width),
        "words": lambda: tower.words(section.words, section.text_prefix),
        "layers": lambda: tower.layers(section.text_prefix),
    }
    return made[_read(config)]()


def given_words(config: ml_collections.ConfigDict) -> Callable[[], np.ndarray] | None:
    """Returns what reads the table of word vectors that the encoder of a config looks texts up in; None without one."""
    reads_texts = config.data.name in sources.OF_TEXTS and "towers" in config
    return text_tower(config).vectors if reads_texts and _read(config) == "words" else None


def _read(config: ml_collections.ConfigDict) -> str:
    """What is read of a text."""
    return encoders.READS.get(config.encoder.name, "vector") if "encoder" in config else "vector"


def make_method(
    config: ml_collections.ConfigDict, *, scaling: dict[str, str] | None = None, steps_per_epoch: int = 0, **knobs
) -> methods.Method:
    """Returns the method of a config, with some numeric knobs (which may be traced) in place of the config's.

    Args:
      config: of a run.
      scaling: of inputs and classes; None for `config.normalize`.
      steps_per_epoch: of the training, if there will be one.
      **knobs: of the method, and of its loss with `loss.` before their names.
    """
    parts = encoding.make_parts(config, steps_per_epoch=steps_per_epoch)
    if "parts" in parts and (words := given_words(config)) is not None:
        parts["parts"] = parts["parts"]._replace(words=words)
    if methods.learns_prompts(config_lib.trained(config).name):
        parts["tower"] = prompt_tower(config)
    objective = _objective(config, {name: value for name, value in knobs.items() if name.startswith("loss.")})
    knobs = {**config.method, **{name: value for name, value in knobs.items() if not name.startswith("loss.")}}
    if "scorer" in config:
        scorer = {**config.scorer, **parts, **objective}
        parts, objective = {"scorer": methods.factory(scorer.pop("name"))(**scorer)}, {}
    method = methods.factory(knobs.pop("name"))(**parts, **(knobs | objective))
    return methods.normalized(method, **(scaling or config.normalize))


def _objective(config: ml_collections.ConfigDict, knobs: Mapping[str, Any]) -> dict[str, methods.Objective]:
    """The argument `loss` of a method that is trained by any loss, with its knobs; some of them may be traced."""
    if "loss" not in config:
        return {}
    leaves = config_lib.leaves(config)
    given = {name: value for name, value in {**leaves, **knobs}.items() if name.startswith("loss.")}
    named = {name.removeprefix("loss."): value for name, value in given.items()}
    return {"loss": objectives.make(config_lib.trained(config).loss, **named)}


def sees(method: methods.Method, config: ml_collections.ConfigDict, info: Mapping[str, Any]) -> list[str]:
    """Returns what a run was handed beyond labelled examples and descriptions of seen classes, for its record."""
    found = set(method.sees)
    if method.together is not None:
        found.add("test inputs")
    said = info.get("described_by", {})
    by_others = said.get("by") == "text_tower" or said.get("learned")
    if jax.tree.leaves(method.weights()) or info.get("stages") or by_others:
        found.add("other data")
    if config.few_shot.shots:
        found.add("shots")
    return sorted(found)


# The words of `sees`, the strongest first, and the setting that each stands for.
SETTINGS = {
    "shots": "few-shot",
    "test inputs": "instance-transductive",
    "unseen descriptions": "class-transductive",
    "other data": "pretrained",
}


def setting(sees: list[str]) -> str:
    """Returns the strongest word for what a run has seen.

    >>> setting([]), setting(["other candidates"]), setting(["other data", "unseen descriptions"])
    ('inductive', 'inductive', 'class-transductive')
    """
    return next((word for seen, word in SETTINGS.items() if seen in sees), "inductive")
