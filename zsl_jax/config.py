"""Configs: made at their defaults, checked, read back. Recipes in configs/ start from `base`.

The keys of `config.method` and `config.data` are the arguments of the method's factory and of the dataset's `load`,
with their defaults; allowed values are listed in `methods.KNOBS` and, as for other keys, in `config_keys`. A method
that trains an encoder has the sections `config.encoder`, `config.optimizer`, `config.augmentation` and
`config.pretrain` too, and one that encodes class descriptions `config.class_encoder`: the arguments of the encoder, of
`optimizers.make_optimizer` and so on. A method that is trained by any loss has the knobs of `config.method.loss` in
`config.loss`. A method made around another one has that one, with its knobs, in `config.scorer`. `config.late` names
knobs that are chosen after training, each with a tuple of values.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import ml_collections

from zsl_jax import encoders, errors, methods
from zsl_jax.config_keys import KEYS, OPTIONS, SECTIONS
from zsl_jax.data import sources
from zsl_jax.encoders import augmentation, described
from zsl_jax.methods import objectives
from zsl_jax.rules import Rule, number
from zsl_jax.training import optimizers

# What may follow the dataset in a recipe's argument.
WORDS = ("smoke", "sent")


def base(
    method: str,
    argument: str | None = None,
    *,
    encoder: str = "convnet",
    class_encoder: str = "mlp",
    scorer: str = "eszsl",
) -> ml_collections.ConfigDict:
    """Returns the config of a method on a dataset with every key at its default.

    Args:
      method: a name in `methods.METHODS`.
      argument: what follows the colon in `--config=NAME:DATASET[,WORD...]`: a dataset, then words of `WORDS`. `smoke`
        makes a run of seconds that only shows that everything works; `sent` describes classes by sentence embeddings
        instead of attributes. Without it, the default dataset.
      encoder: of a method that trains one; `mlp` takes the place of an encoder of pixels where a dataset has none.
      class_encoder: of a method that encodes class descriptions.
      scorer: the method that one is made around, with its knobs at their defaults.

    Raises:
      UserError: an unknown method, dataset, encoder or word, or a dataset that has no sentence embeddings.
    """
    dataset, *words = (argument or "shapes").split(",")
    for word in words:
        if word not in WORDS:
            raise errors.unknown("word after the dataset", word, WORDS)
    config = _completed(ml_collections.ConfigDict())
    config.method = method_section(method)
    config.data = {"name": dataset, **_defaults(sources.source(dataset))}
    if dataset in sources.OF_PAIRS:
        config.protocol, config.select.metric = "pairs", "auc"
    if dataset in sources.OF_SCENES:
        config.protocol, config.select.metric = "matching", "group"
    trained = scorer if methods.wraps(method) else method
    if dataset in sources.OF_TEXTS:
        add_towers(config, template="{}")
    elif methods.learns_prompts(trained):
        add_towers(config, template="a photo of a {}.")
    if methods.wraps(method):
        config.scorer = scorer_section(scorer)
    _add_parts(config, trained, encoder, class_encoder)
    if "sent" in words:
        _describe_by_sentences(config)
    if is_smoke(argument):
        config.train.epochs, config.select.folds = 2, 1
        if "num_per_class" in config.data:
            config.data.num_per_class = 10
    return config


def add_towers(config: ml_collections.ConfigDict, *, template: str = "") -> None:
    """Adds the section of the towers that describe classes by sentences, and encode texts."""
    config.towers = {**described.Which()._asdict(), **described.Options()._asdict(), "template": template}


def scorer_section(name: str) -> dict[str, Any]:
    """Returns the keys of the method that another one is made around, its name among them, at their defaults.

    Raises:
      UserError: an unknown method, or one that is made around another itself.
    """
    if methods.wraps(name):
        choices = ", ".join(sorted(other for other in methods.METHODS if not methods.wraps(other)))
        raise errors.UserError(
            f"config.scorer.name={name} is made around another method itself: name one that is not ({choices})"
        )
    return method_section(name)


def method_section(name: str) -> dict[str, Any]:
    """Returns the keys of a method, its name among them, at their defaults."""
    return {"name": name, **_defaults(methods.factory(name))}


def _add_parts(config: ml_collections.ConfigDict, method: str, encoder: str, class_encoder: str) -> None:
    """Adds the sections of what a method's factory takes beside its knobs."""
    choose_loss(config)
    if methods.trains_encoder(method):
        _add_encoder(config, encoder)
    if "class_encoder" in inspect.signature(methods.factory(method)).parameters:
        config.class_encoder = encoder_section(class_encoder)


def choose_loss(config: ml_collections.ConfigDict, loss: str | None = None) -> None:
    """Makes `config.loss` the knobs of the method's loss at their defaults, after it was named or changed.

    Args:
      config: unlocked; a method that is trained by no loss of choice has no such section.
      loss: a name to set; None for the one that is there.

    Raises:
      UserError: an unknown loss.
    """
    section = trained(config)
    if loss is not None:
        section.loss = loss
    if "loss" in section:
        config.loss = objectives.section(section.loss)


def trained(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Returns the section of the method that is trained: the one that another is made around, or the method."""
    return config.scorer if "scorer" in config else config.method


def encoder_section(name: str) -> dict[str, Any]:
    """Returns the keys of an encoder, its name among them, at their defaults."""
    return {"name": name, **_defaults(encoders.factory(name))}


def has_pixels(config: ml_collections.ConfigDict) -> bool:
    return "inputs" in config.data or config.data.name == "image_folder"


def is_smoke(argument: str | None) -> bool:
    """Whether a recipe's argument has the word `smoke`: the recipe then leaves the number of epochs alone."""
    return "smoke" in (argument or "").split(",")[1:]


def has_sentences(config: ml_collections.ConfigDict) -> bool:
    """Whether classes are described by sentence embeddings, because the argument had the word `sent`."""
    return "semantics" in config.data and config.data.semantics == "sent"


def _describe_by_sentences(config: ml_collections.ConfigDict) -> None:
    """Chooses the sentence embeddings of a dataset, where it can have them."""
    if config.data.name != "xlsa17":
        raise errors.UserError(
            f"{config.data.name} has no sentence embeddings of its classes: the word sent goes with xlsa17"
        )
    config.data.semantics = "sent"


def _add_encoder(config: ml_collections.ConfigDict, encoder: str) -> None:
    """Adds the sections of a method that trains an encoder; its inputs are pixels where the dataset has them."""
    if "inputs" in config.data:
        config.data.inputs = "pixels"
    config.normalize.inputs = "none"
    section = encoder_section(encoder)
    stays = has_pixels(config) or encoder in encoders.READS
    config.encoder = {**(section if stays else encoder_section("mlp")), "weights": ""}
    # Epochs and not updates, which are more in training than in the choice before it.
    options = _defaults(optimizers.make_optimizer)
    del options["decay_steps"]
    config.optimizer = {**options, "decay_epochs": 0, "average": 0.0, "chunk": 0}
    config.augmentation = _defaults(augmentation.make_augment)
    config.pretrain = {"steps": 0, "temperature": 0.2}


def check(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError that names the first value that is out of range and what it may be."""
    rules = {name: key.rule for name, key in KEYS.items()}
    for section in ("method", "scorer"):
        if section in config:
            knobs = methods.KNOBS.get(config[section].name, {})
            rules |= {f"{section}.{name}": knob.rule for name, knob in knobs.items()}
    rules |= {f"data.{name}": rule for name, (_, rule) in OPTIONS.items()}
    for section, keys in SECTIONS.items():
        rules |= {f"{section}.{name}": rule for name, (_, rule) in keys.items()}
    if "loss" in config:
        rules |= {f"loss.{name}": knob.rule for name, knob in objectives.knobs(trained(config).loss).items()}
    for name in rules:
        if isinstance(_found(config, name), ml_collections.ConfigDict):
            raise errors.UserError(f"config.{name} is a value, not a section of keys")
    for name, value in leaves(config).items():
        if name in rules:
            check_value(name, value, rules[name])
        elif isinstance(value, float):
            check_value(name, value, number(-math.inf))


def _found(config: ml_collections.ConfigDict, name: str) -> Any:
    """What a dotted key leads to, or None."""
    found: Any = config
    for part in name.split("."):
        found = found.get(part) if isinstance(found, ml_collections.ConfigDict) else None
    return found


def leaves(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Returns the values of a config by their dotted keys."""
    found = {}
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            found |= {f"{name}.{key}": leaf for key, leaf in leaves(value).items()}
        else:
            found[name] = value
    return found


def from_json(values: dict) -> ml_collections.ConfigDict:
    """Returns the config that was saved as JSON; lists become tuples, keys that came later have their defaults.

    What a config.json holds beside the keys of the config is left out.

    Raises:
      UserError: a section that is none, or a method or dataset without a name.
    """
    values = {name: value for name, value in values.items() if name not in ("made_of", "sha256")}

    def thaw(value):
        if isinstance(value, dict):
            return {name: thaw(item) for name, item in value.items()}
        return tuple(map(thaw, value)) if isinstance(value, list) else value

    config = ml_collections.ConfigDict(thaw(values))
    for name in ("method", "data"):
        if not isinstance(_section(config, name).get("name"), str):
            raise errors.UserError(f"config.{name} has no name")
    return _completed(config).lock()


def describe() -> str:
    """Returns a line for every key that all configs share."""
    return "\n".join(
        f"  --config.{name}={key.default}\n      {key.says}: {key.rule.words}" for name, key in KEYS.items()
    )


def _completed(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Gives the keys that a config lacks their defaults, in place."""
    for name, key in KEYS.items():
        *path, last = name.split(".")
        node = config
        for part in path:
            node = _section(node, part)
        if last not in node:
            node[last] = key.default
    towers = described.Which()._asdict() | described.Options()._asdict() if "towers" in config else {}
    for name, default in towers.items():
        if name not in config.towers:
            config.towers[name] = default
    if "optimizer" in config and "chunk" not in config.optimizer:
        config.optimizer.chunk = 0
    if "late" not in config:
        config.late = ml_collections.ConfigDict()
    return config


def _section(node: ml_collections.ConfigDict, name: str) -> ml_collections.ConfigDict:
    """The section of that name, which is made where there is none."""
    if name not in node:
        node[name] = ml_collections.ConfigDict()
    if not isinstance(node[name], ml_collections.ConfigDict):
        raise errors.UserError(f"config.{name}={node[name]} is a section of keys, not a value")
    return node[name]


def check_value(name: str, value: Any, rule: Rule) -> None:
    try:
        holds = rule.holds(value)
    except (AttributeError, TypeError):  # of a text, asked of something else
        holds = False
    if not holds:
        raise errors.UserError(f"config.{name}={value} is not {rule.words}")


def _defaults(function: Callable) -> dict[str, Any]:
    """The arguments that have a default, without those that flax adds to every module."""
    parameters = inspect.signature(function).parameters.values()
    ours = [p for p in parameters if not (isinstance(function, type) and p.name in ("parent", "name"))]
    return {p.name: p.default for p in ours if p.default is not inspect.Parameter.empty}
