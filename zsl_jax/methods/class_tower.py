"""The side of the classes where an encoder of them is trained: what it reads of a class table, its start, its use."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from zsl_jax import errors
from zsl_jax.data import dataset
from zsl_jax.encoders import graphs


class ClassTower(NamedTuple):
    """An encoder of classes.

    Fields:
      init: `(key, classes) -> params`.
      apply: `(params, classes, key=None) -> [C, D]`; a key is that of a training step.
    """

    init: Callable[..., Any]
    apply: Callable[..., jax.Array]


def of(class_encoder: nn.Module) -> ClassTower:
    """Returns a module of `zsl_jax.encoders` as the side of the classes.

    Raises:
      UserError: an encoder with batch statistics.
    """

    def init(key, classes):
        variables = class_encoder.init(key, reads(classes), train=False)
        if set(variables) != {"params"}:
            raise errors.UserError(
                "a class encoder with batch statistics cannot be trained: choose mlp or a text encoder"
            )
        return variables["params"]

    def apply(params, classes, key=None):
        rngs = None if key is None else {"dropout": key}
        return class_encoder.apply({"params": params}, reads(classes), train=key is not None, rngs=rngs)

    return ClassTower(init, apply)


def reads(classes: dataset.ClassTable) -> Any:
    """Returns what a class encoder reads: the embedding, and with it the graph whose nodes the classes are, if any."""
    graph = classes.shared
    if not isinstance(graph, dict) or not graph.keys() >= set(graphs.PARTS):
        return classes.embedding
    return {"rows": classes.embedding, **{name: graph[name] for name in graphs.PARTS}}
