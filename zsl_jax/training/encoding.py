"""Encoder, optimiser and augmentation of a config, for the methods that train an encoder."""

import functools
import pathlib
from typing import Any

import jax
import ml_collections
from flax import linen as nn

from zsl_jax import data, encoders, methods
from zsl_jax.encoders import augmentation, pretrained, text
from zsl_jax.methods import class_tower
from zsl_jax.training import optimizers


def make_parts(config: ml_collections.ConfigDict, *, steps_per_epoch: int = 0) -> dict[str, Any]:
    """Returns the arguments that the method's factory takes beside its knobs: none where it trains no encoder.

    Args:
      config: of a run.
      steps_per_epoch: of its training, which say when the step size has decayed; 0 where nothing is trained.
    """
    if "encoder" not in config:
        return {}
    encoder, optimizer = dict(config.encoder), dict(config.optimizer)
    weights = encoder.pop("weights")
    average, epochs, chunk = (optimizer.pop(name) for name in ("average", "decay_epochs", "chunk"))
    decay_steps = epochs * steps_per_epoch // optimizer["accumulate"]
    parts = methods.Parts(
        encoder=make_encoder(encoder),
        optimizer=optimizers.make_optimizer(**optimizer, decay_steps=decay_steps),
        augment=augmentation.make_augment(**config.augmentation),
        average=average,
        freeze=optimizer["encoder_rate"] == 0,
        pretrain_steps=config.pretrain.steps,
        pretrain_temperature=config.pretrain.temperature,
        chunk=chunk,
        weights=functools.partial(pretrained.read, weights) if weights else None,
        source=pathlib.PurePath(weights).name,
    )
    if "class_encoder" not in config:
        return {"parts": parts}
    return {"parts": parts, "class_encoder": make_encoder(dict(config.class_encoder))}


def sizes(config: ml_collections.ConfigDict, dataset: data.Dataset, words: Any = None) -> list[str]:
    """Returns a line for each encoder of a config, with its parameters and operations on the inputs of a dataset.

    Args:
      config: of a run.
      dataset: its data.
      words: `[V, D]`, the table that the encoder looks texts up in, if one is given.
    """
    tables = {"encoder": words, "class_encoder": None}
    inputs = {"encoder": dataset.inputs, "class_encoder": class_tower.reads(dataset.classes)}
    return [
        f"{name.replace('_', ' ')} {config[name].name}: {_size(dict(config[name]), inputs[name], tables[name])}"
        for name in inputs
        if name in config
    ]


def _size(knobs: dict[str, Any], inputs, words) -> str:
    knobs.pop("weights", None)
    encoder = make_encoder(knobs)
    rows = inputs["rows"] if isinstance(inputs, dict) else inputs
    one: Any = jax.ShapeDtypeStruct((1, *rows.shape[1:]), rows.dtype)
    if isinstance(inputs, dict):
        one = {**jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs), "rows": one}
    key = jax.random.key(0)
    if words is None:
        variables = jax.eval_shape(lambda x: encoder.init(key, x, train=False), one)
    else:
        variables = jax.eval_shape(lambda x: text.with_words(encoder, key, x, words), one)
    return encoders.counts.describe(encoder, variables, one)


def make_encoder(knobs: dict[str, Any]) -> nn.Module:
    """Returns the module that `knobs["name"]` names, with the others as its fields."""
    return encoders.factory(knobs.pop("name"))(**knobs)
