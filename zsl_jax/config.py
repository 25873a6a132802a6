"""Every key of a config: its default, its unit and what it may be. Recipes in configs/ start from `base`.

The keys of `config.method` and `config.data` are the arguments of the method's factory and of the dataset's `load`,
with their defaults; what they may be stands in `methods.KNOBS` and `OPTIONS`. A method that trains an encoder has the
sections `config.encoder`, `config.optimizer`, `config.augmentation` and `config.pretrain` too, and one that encodes
class descriptions `config.class_encoder`: the arguments of the encoder, of `optimizers.make_optimizer` and so on, in
`SECTIONS`. A method made around another one has that one, with its knobs, in `config.scorer`. `config.late` names knobs
that are chosen after training, each with a tuple of values.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_collections

from zsl_jax import encoders, errors, methods
from zsl_jax.data import sources, streaming
from zsl_jax.encoders import augmentation, described, mobilenet, scaling
from zsl_jax.rules import STRETCH, Rule, number, one_of, whole, wholes
from zsl_jax.training import optimizers, protocols


class Key(NamedTuple):
    """A key that every config has."""

    default: Any
    says: str
    rule: Rule


KEYS = {
    # Random keys are made of 32 bits: seeds 2^32 apart would be the same.
    "seed": Key(0, "seed of every random choice", whole(0, bits=32)),
    "protocol": Key("gzsl", "what is asked and reported", one_of(tuple(protocols.PROTOCOLS))),
    "train.epochs": Key(30, "passes over the training images at most; validation chooses among them", whole(1)),
    "train.batch_size": Key(64, "images a step, over all devices", whole(1)),
    "train.checkpoint_every": Key(10, "epochs between checkpoints", whole(1)),
    "few_shot.shots": Key(0, "labelled images of each unseen class that join training; 0 is zero-shot", whole(0)),
    "few_shot.reserve": Key(
        0, "images of each unseen class that leave the test, so that figures of fewer shots compare", whole(0)
    ),
    "train.nonfinite": Key("stop", "what becomes of a step that is not finite", one_of(("stop", "skip"))),
    "select.on": Key(
        "validation",
        "what choices look at: held-out seen classes, nothing (epochs and knobs as they stand, gamma 0), or the test "
        "labels (to reproduce papers; no honest result)",
        one_of(("validation", "nothing", "test")),
    ),
    "select.metric": Key(
        "harmonic",
        "what chooses the epochs on validation classes; uncalibrated is the harmonic mean at gamma 0",
        one_of(tuple(dict.fromkeys(name for each in protocols.PROTOCOLS.values() for name in each.choices()))),
    ),
    "select.folds": Key(1, "draws of validation classes that are averaged over", whole(1)),
    "select.seeds": Key(1, "seeds that a sweep averages validation scores over", whole(1)),
    "select.every": Key(1, "epochs between validation scores", whole(1)),
    "select.split.class_fraction": Key(
        0.25, "share of seen classes held out where the benchmark names none", number(0, 1)
    ),
    "select.split.image_fraction": Key(0.2, "share of the other seen classes' images held out", number(0, 1)),
    "normalize.inputs": Key("l2", "scaling of each input", one_of(tuple(methods.SCALINGS))),
    "normalize.classes": Key("l2", "scaling of each class description", one_of(tuple(methods.SCALINGS))),
    "sweep.side_by_side": Key(
        0, "settings of a sweep that a device trains at a time; 0: as many as suit its cache or memory", whole(0)
    ),
    "sweep.samples": Key(32, "settings drawn where the sweep names a range", whole(1)),
    "sweep.seeds": Key(3, "seeds that the winner of a sweep is trained with", whole(1)),
    "parallel.mode": Key("jit", "how steps are compiled for several devices", one_of(("jit", "pmap", "shard_map"))),
    "parallel.devices": Key(0, "devices to use, 0 for all", whole(0)),
    "parallel.model": Key(1, "devices that share each large matrix, in mode jit", whole(1)),
    "parallel.hosts": Key(
        "auto", "processes: what the environment shows, all that JAX can detect, or one", one_of(("auto", "all", "one"))
    ),
    "parallel.timeout_s": Key(300, "seconds to wait for all processes at the start", whole(1)),
    "profile.steps": Key(
        "",
        "steps of the final training to trace into WORKDIR/profile, e.g. 10:15",
        STRETCH,
    ),
    "compilation_cache": Key(
        "auto",
        "where compiled programs are kept: auto is ~/.cache/zsl_jax on accelerators, nowhere on CPU",
        Rule(lambda x: isinstance(x, str) and x != "", "auto, none or a folder"),
    ),
    "tensorboard": Key(False, "also log to WORKDIR/tensorboard (needs the extra tb)", one_of((False, True))),
    "plots": Key("story", "images that a run leaves in its workdir", one_of(("story", "none"))),
}

ENCODER = {
    "widths": ("widths of the layers or stages; the last is that of the embedding", wholes(1)),
    "merges": ("sides of the squares of places that each stage begins by merging", wholes(1)),
    "pool": ("how places become one embedding", one_of(("mean", "max", "flatten", "token"))),
    "width_multiplier": ("channels in units of the paper's", number(0)),
    "patch": ("side of a patch, pixels", whole(1)),
    "padding": ("at stride 2, as in the framework of the weights", one_of(tuple(mobilenet.PADDINGS))),
    "scaling": ("of the pixels, as the weights expect it", one_of(tuple(scaling.SCALINGS))),
    "dtype": ("of products; bfloat16 is slower on CPU", one_of(("float32", "bfloat16"))),
    "remat": ("whether the backward pass computes blocks once more", one_of((False, True))),
    "dropout": ("share of the units left out in a training step", number(0, 1, ends="[)")),
    "width": ("entries of the embedding, or channels of the first stage", whole(1)),
    "vocabulary": ("rows of the table of word vectors", whole(2)),
    "embedding_width": ("entries of a word vector", whole(1)),
    "ngrams": ("words in a row, at most, that have a vector of their own", whole(1)),
    "windows": ("numbers of words that a window spans", wholes(1)),
    "channels": ("answers of each window", whole(1)),
    "depth": ("blocks", whole(1)),
    "heads": ("heads of the attention", whole(1)),
    "positions": ("words of the longest text", whole(1)),
}

SECTIONS = {
    "encoder": ENCODER,
    "class_encoder": ENCODER,
    "optimizer": {
        "name": ("rule of the updates", one_of(tuple(optimizers.RULES))),
        "learning_rate": ("step size at its highest", number(0)),
        "warmup_steps": ("updates over which the step size rises from 0", whole(0)),
        "decay_epochs": ("epochs until half a cosine has brought it to 0; 0 leaves it", whole(0)),
        "momentum": ("share of the last step that the next one keeps", number(0, 1, ends="[)")),
        "weight_decay": ("share of the weights lost an update, times the step size", number(0, ends="[)")),
        "clip_norm": ("length to which a longer gradient is cut; 0 does not cut", number(0, ends="[)")),
        "accumulate": ("steps whose mean gradient makes one update", whole(1)),
        "encoder_rate": ("step size of the encoder, where the head's is 1; 0 freezes it", number(0, ends="[)")),
        "average": ("decay of the moving average of the weights that scores; 0 for none", number(0, 1, ends="[)")),
    },
    "augmentation": {
        "crop": ("pixels by which an image is shifted at most", whole(0)),
        "flip": ("whether half of the images are mirrored", one_of((False, True))),
        "brightness": ("added light at most, where white is 1", number(0, 1, ends="[]")),
        "contrast": ("relative change of contrast at most", number(0, 1, ends="[]")),
        "saturation": ("relative change of saturation at most", number(0, 1, ends="[]")),
    },
    "towers": described.KEYS,
    "pretrain": {
        "steps": ("steps at the start that only ask two augmented views to be alike", whole(0)),
        "temperature": ("temperature of their loss, NT-Xent", number(0)),
    },
}

OPTIONS = {
    "seed": ("seed of the rendered images, or of the split", whole(0, bits=32)),
    "num_unseen": ("classes held out; 0 where no class has a training example", whole(0)),
    "hold_out": ("classes without training examples; 0 where no class has any", whole(0)),
    "unseen_count": ("pairs drawn as unseen; 0 for a fifth of them, or for those of the split", whole(0)),
    "new_parts": ("whether attributes and objects without a training input are allowed", one_of((False, True))),
    "num_per_class": ("images rendered a class", whole(2)),
    "size": ("height and width of an image, pixels", whole(16)),
    "fit": ("how an image becomes a square", one_of(("crop", "stretch"))),
    "cache": ("whether images are decoded once or when they are needed", one_of(streaming.CACHES)),
    "workers": ("processes that decode a stream; 0 for threads", whole(0)),
}


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
    if dataset in sources.OF_TEXTS:
        add_towers(config, template="{}")
    if methods.wraps(method):
        config.scorer = scorer_section(scorer)
    _add_parts(config, scorer if methods.wraps(method) else method, encoder, class_encoder)
    if "sent" in words:
        _describe_by_sentences(config)
    if is_smoke(argument):
        config.train.epochs = 2
        if "num_per_class" in config.data:
            config.data.num_per_class = 10
    return config


def add_towers(config: ml_collections.ConfigDict, *, template: str = "") -> None:
    """Adds the section of the towers that describe classes by sentences, and encode texts."""
    config.towers = {"text": "", "image": "", "pool": "mean", **described.Options()._asdict(), "template": template}


def scorer_section(name: str) -> dict[str, Any]:
    """Returns the keys of the method that another one is made around, its name among them, at their defaults.

    Raises:
      UserError: an unknown method, or one that is made around another itself.
    """
    if methods.wraps(name):
        choices = ", ".join(sorted(other for other in methods.METHODS if not methods.wraps(other)))
        raise errors.UserError(
            f"config.scorer.name={name} decides on all inputs together itself: name a method that scores each input by "
            f"itself ({choices})"
        )
    return method_section(name)


def method_section(name: str) -> dict[str, Any]:
    """Returns the keys of a method, its name among them, at their defaults."""
    return {"name": name, **_defaults(methods.factory(name))}


def _add_parts(config: ml_collections.ConfigDict, method: str, encoder: str, class_encoder: str) -> None:
    """Adds the sections of what a method's factory takes beside its knobs."""
    if methods.trains_encoder(method):
        _add_encoder(config, encoder)
    if "class_encoder" in inspect.signature(methods.factory(method)).parameters:
        config.class_encoder = encoder_section(class_encoder)


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
    reads_words = "vocabulary" in section
    config.encoder = {**(section if has_pixels(config) or reads_words else encoder_section("mlp")), "weights": ""}
    # Epochs and not updates, which are more in training than in the choice before it.
    options = _defaults(optimizers.make_optimizer)
    del options["decay_steps"]
    config.optimizer = {**options, "decay_epochs": 0, "average": 0.0}
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
    for name, value in leaves(config).items():
        if name in rules:
            check_value(name, value, rules[name])
        elif isinstance(value, float):
            check_value(name, value, number(-math.inf))


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
    """
    values = {name: value for name, value in values.items() if name != "made_of"}

    def thaw(value):
        if isinstance(value, dict):
            return {name: thaw(item) for name, item in value.items()}
        return tuple(map(thaw, value)) if isinstance(value, list) else value

    return _completed(ml_collections.ConfigDict(thaw(values))).lock()


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
            if part not in node:
                node[part] = ml_collections.ConfigDict()
            node = node[part]
        if last not in node:
            node[last] = key.default
    if "late" not in config:
        config.late = ml_collections.ConfigDict()
    return config


def check_value(name: str, value: Any, rule: Rule) -> None:
    if not rule.holds(value):
        raise errors.UserError(f"config.{name}={value} is not {rule.words}")


def _defaults(function: Callable) -> dict[str, Any]:
    """The arguments that have a default, without those that flax adds to every module."""
    parameters = inspect.signature(function).parameters.values()
    ours = [p for p in parameters if not (isinstance(function, type) and p.name in ("parent", "name"))]
    return {p.name: p.default for p in ours if p.default is not inspect.Parameter.empty}
