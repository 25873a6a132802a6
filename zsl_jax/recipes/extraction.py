"""Every key of an extraction's config: its default, its unit and what it may be. Recipes start from `base`.

The keys of `config.encoder` beside `name` and `weights` are the arguments of the encoder's factory with their defaults.
"""

import dataclasses
import inspect

import ml_collections

from zsl_jax import encoders, errors
from zsl_jax.config import check_value, leaves
from zsl_jax.config_keys import ENCODER, Key
from zsl_jax.data import images
from zsl_jax.encoders import extraction, pretrained
from zsl_jax.rules import Rule, number, one_of, whole

KEYS = {
    "data.dir": Key(
        "", "folder that `data import` wrote", Rule(lambda x: bool(x), "a folder: --config.data.dir=DATASET")
    ),
    "images.size": Key(224, "height and width that the encoder sees, pixels", whole(1)),
    "images.fit": Key("crop", "how an image becomes a square", one_of(images.FITS)),
    "images.crop_fraction": Key(0.875, "share of the shorter side that is kept by crop", number(0, 1, ends="(]")),
    "images.filter": Key("bilinear", "of the resizing", one_of(tuple(images.FILTERS))),
    "batch_size": Key(8, "images at a time", whole(1)),
    "grid": Key(0, "cells per side of an image, each with features of its own [P, D]; 0: one vector of all", whole(0)),
    "encoder.weights": Key(
        "", "weights, random ones without it", Rule(lambda x: True, "a file, or the name of a public checkpoint")
    ),
}

# Those with public weights, which expect their pixels scaled in a way of their own.
IMAGE_ENCODERS = tuple(
    name for name, factory in encoders.ENCODERS.items() if "scaling" in inspect.signature(factory).parameters
)


def base(encoder: str) -> ml_collections.ConfigDict:
    """Returns the config of an extraction with every key at its default.

    Raises:
      UserError: an encoder that has no public weights, or an unknown one.
    """
    if encoder not in IMAGE_ENCODERS:
        raise errors.unknown("encoder", encoder, IMAGE_ENCODERS)
    config = ml_collections.ConfigDict({"data": {}, "images": {}, "encoder": {"name": encoder}})
    for name, key in KEYS.items():
        *path, last = name.split(".")
        (config[path[0]] if path else config)[last] = key.default
    for knob in inspect.signature(encoders.factory(encoder)).parameters.values():
        config.encoder[knob.name] = knob.default
    return config


def take(config: ml_collections.ConfigDict, name: str) -> None:
    """Sets encoder and images of a config to what a public checkpoint expects.

    Raises:
      UserError: an unknown checkpoint, or one of another encoder than the config's.
    """
    known = pretrained.named(name)
    if config.encoder.name != known.encoder:
        raise errors.UserError(
            f"weights {name} are of {known.encoder}, and this recipe is of {config.encoder.name}: take "
            f"--config=extract/pretrained:{name}"
        )
    config.encoder.update(known.knobs | {"weights": name})
    config.images.update({name: x for name, x in dataclasses.asdict(known.images).items() if name in config.images})


def check(config: ml_collections.ConfigDict) -> None:
    """Raises a UserError that names the first value that is out of range and what it may be."""
    rules = {name: key.rule for name, key in KEYS.items()} | {
        f"encoder.{name}": rule for name, (_, rule) in ENCODER.items()
    }
    for name, value in leaves(config).items():
        if name != "encoder.name":
            check_value(name, value, rules[name])


def make_extraction(config: ml_collections.ConfigDict) -> extraction.Extraction:
    """Returns what the config says, as plain values."""
    knobs = dict(config.encoder)
    return extraction.Extraction(
        encoder=knobs.pop("name"),
        weights=knobs.pop("weights"),
        knobs=knobs,
        images=images.Preprocessing(**config.images),
        batch_size=config.batch_size,
        grid=config.grid,
    )


def describe() -> str:
    """Returns a line for every key that all extractions share."""
    return "\n".join(
        f"  --config.{name}={key.default}\n      {key.says}: {key.rule.words}" for name, key in KEYS.items()
    )
