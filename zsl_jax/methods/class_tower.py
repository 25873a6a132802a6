"""The side of the classes where an encoder of them is trained, and the maps by which it meets that of the inputs.

A class may be described by several texts (`class_texts`): a training step draws one of each class, as a caption is
drawn for an image, and the class is scored by the mean of their unit vectors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from zsl_jax import errors, similarity
from zsl_jax.data import dataset
from zsl_jax.encoders import graphs
from zsl_jax.methods import chunks, class_texts, mlp


class ClassTower(NamedTuple):
    """An encoder of classes, with a map behind it and one behind that of the inputs.

    Fields:
      init: `(key, like, classes) -> head`: `classes`, the parameters of the encoder, `of_classes [D, width]`, the map
        behind it, and `of_images`, that of embeddings shaped as `like`.
      encode: `(head, classes, key=None) -> [C, D]`; a key is that of a training step.
      each: `(head, rows [N, ...]) -> [N, D]`, texts by themselves.
    """

    init: Callable[..., dict[str, Any]]
    encode: Callable[..., jax.Array]
    each: Callable[..., jax.Array]

    def describe(self, head: dict[str, Any], classes: dataset.ClassTable, key: jax.Array | None = None) -> jax.Array:
        """Returns `[C, width]`."""
        if key is not None or not _has_texts(classes):
            return self.encode(head, classes, key) @ head["of_classes"]
        texts, is_text = class_texts.of(classes)
        found = self.each(head, jnp.asarray(texts).reshape(-1, *texts.shape[2:])) @ head["of_classes"]
        return class_texts.mean(similarity.l2_normalize(found).reshape(*is_text.shape, -1), is_text)


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

    def apply(head, key, rows):
        rngs = None if key is None else {"dropout": key}
        return class_encoder.apply({"params": head["classes"]}, rows, train=key is not None, rngs=rngs)

    def encode(head, classes, key=None):
        rows = reads(classes)
        if _has_texts(classes) and key is not None:
            drawn, key = jax.random.split(key)
            rows = _drawn(drawn, *class_texts.of(classes))
        in_parts = key is not None and not isinstance(rows, dict)
        return chunks.by_chunk(lambda *x: (apply(head, *x), ()), key, rows, chunk if in_parts else 0)[0]

    return ClassTower(init, encode, lambda head, rows: apply(head, None, rows))


def _has_texts(classes: dataset.ClassTable) -> bool:
    return isinstance(classes.embedding, dict) and classes.embedding.keys() == class_texts.KEYS


def _drawn(key: jax.Array, texts, is_text) -> jax.Array:
    """One of the texts of each class, `[C, ...]`."""
    texts = jnp.asarray(texts)
    chosen = jax.random.categorical(key, jnp.where(is_text, 0.0, -jnp.inf), axis=1)
    return jax.vmap(lambda some, row: some[row])(texts, chosen)


def reads(classes: dataset.ClassTable) -> Any:
    """Returns what a class encoder reads: the embedding, and with it the graph whose nodes the classes are, if any.

    Of several texts of a class the first one.
    """
    if _has_texts(classes):
        return classes.embedding["texts"][:, 0]
    graph = classes.shared
    if not isinstance(graph, dict) or not graph.keys() >= set(graphs.PARTS):
        return classes.embedding
    return {"rows": classes.embedding, **{name: graph[name] for name in graphs.PARTS}}
