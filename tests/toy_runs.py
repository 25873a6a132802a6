"""Runs of seconds: any method with small knobs, on the toy dataset and one device.

Runs whose methods are the same share their compiled programs.
"""

import functools
import json

import small_generative
import toy

from zsl_jax import config, data, methods
from zsl_jax.training import parallel, problems, protocols, run


def recipe(name: str, *, class_encoder: str = "mlp", **changes):
    """Two epochs with small knobs."""
    made = config.base(name, "digits", encoder="mlp", class_encoder=class_encoder)
    made.train.update(epochs=2, batch_size=16)
    made.select.folds = 1
    made.normalize.inputs = "l2"
    if "encoder" in made:
        made.encoder.widths = (8,)
        made.optimizer.learning_rate = 0.01
    if "class_encoder" in made:
        made.class_encoder.widths = (8,)
    small = small_generative.KNOBS.get(name, {})
    if "classifier_epochs" in small:
        small = small | {"classifier_epochs": 20, "num_synthetic": 10}
    made.method.update({**small, **({"num_real": 10} if "num_real" in small else {})})
    if "dimensions" in made.method:
        made.method.dimensions = 6
    made.update_from_flattened_dict(changes)
    return made


def problem(source: data.Dataset, made) -> problems.Problem:
    """A problem on one device, whatever the config's dataset is."""
    given = json.loads(made.to_json())
    kept = ("method", "data", "normalize", "scorer", *config.SECTIONS)
    method = _method(json.dumps({name: given[name] for name in kept if name in given}, sort_keys=True))
    return problems.Problem(source, method, protocols.find(made.protocol), parallel.make_mesh(devices=1))


@functools.cache
def _method(text: str) -> methods.Method:
    return problems.make_method(config.from_json(json.loads(text)))


def train(folder, made, source: data.Dataset | None = None, **options) -> run.Result:
    """Runs a config in a folder, in silence."""
    given = problem(toy.dataset(num_seen=8) if source is None else source, made)
    return run.run(made, folder, **({"say": lambda line: None, "problem": given} | options))
