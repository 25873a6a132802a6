"""The side of the classes where an encoder of them is trained, and the maps by which it meets that of the inputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from zsl_jax import errors
from zsl_jax.data import dataset
from zsl_jax.encoders import graphs
from zsl_jax.methods import chunks, mlp


class ClassTower(NamedTuple):
    """An encoder of classes, with a map behind it and one behind that of the inputs.

    Fields:
      init: `(key, like, classes) -> head`: `classes`, the parameters of the encoder, `of_classes [D, width]`, the map
        behind it, and `of_images`, that of embeddings shaped as `like`.
      encode: `(head, classes, key=None) -> [C, D]`; a key is that of a training step.
    """

    init: Callable[..., dict[str, Any]]
    encode: Callable[..., jax.Array]

    def describe(self, head: dict[str, Any], classes: dataset.ClassTable, key: jax.Array | None = None) -> jax.Array:
        """Returns `[C, width]`."""
        return self.encode(head, classes, key) @ head["of_classes"]


def of(class_encoder: nn.Module, width: int, chunk: int = 0) -> ClassTower:
    """Returns a module of `zsl_jax.encoders` as the side of the classes, which meets inputs in `width` numbers.

    A training step encodes `chunk` classes at a time, see `chunks.by_chunk`; 0 for all. Nodes of a graph read each
    other and are encoded together.

    Raises:
      UserError: an encoder with batch statistics.
    """

    def init(key, like, classes):
        keys = jax.random.split(key, 3)
        variables = class_encoder.init(keys[0], reads(classes), train=False)
        if set(variables) != {"params"}:
            raise errors.UserError(
                "a class encoder with batch statistics cannot be trained: choose mlp or a text encoder"
            )
        head = {"classes": variables["params"]}
        described = jax.eval_shape(encode, head, classes)
        return head | {
            "of_images": mlp.dense(keys[1], like.shape[-1], width),
            "of_classes": mlp.dense(keys[2], described.shape[-1], width),
        }

    def encode(head, classes, key=None):
        def apply(key, rows):
            rngs = None if key is None else {"dropout": key}
            return class_encoder.apply({"params": head["classes"]}, rows, train=key is not None, rngs=rngs), ()

        rows = reads(classes)
        in_parts = key is not None and rows is classes.embedding
        return chunks.by_chunk(apply, key, rows, chunk if in_parts else 0)[0]

    return ClassTower(init, encode)


def reads(classes: dataset.ClassTable) -> Any:
    """Returns what a class encoder reads: the embedding, and with it the graph whose nodes the classes are, if any."""
    graph = classes.shared
    if not isinstance(graph, dict) or not graph.keys() >= set(graphs.PARTS):
        return classes.embedding
    return {"rows": classes.embedding, **{name: graph[name] for name in graphs.PARTS}}
