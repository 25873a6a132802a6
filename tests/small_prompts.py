"""Images around the texts of a small tower under words that nobody is told: what prompts are to find out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import small_tower

from zsl_jax import data

ATTRIBUTES, OBJECTS = ("red", "blue", "green", "old"), ("star", "dot", "ring", "cat")
_PER_CLASS = 16


def dataset(*, moved: str = "names", as_pairs: bool = False, patches: int = 0) -> data.Dataset:
    """Sixteen classes, three of them unseen.

    Args:
      moved: what the hidden texts say in other words: the `names` or the `context`.
      as_pairs: whether classes are pairs, with the splits of their protocol.
      patches: of an image, each what the image is and noise of its own; 0 for vectors.
    """
    tower, rng = small_tower.prompted(16), np.random.default_rng(0)
    weights = jax.tree.map(jnp.asarray, tower.weights())
    parts = np.array([(a, o) for a in range(4) for o in range(4)], np.int32)
    names = tuple(f"{ATTRIBUTES[a]} {OBJECTS[o]}" for a, o in parts)
    words = np.stack([np.asarray(tower.words(weights, tower(side)[:, 0])) for side in (ATTRIBUTES, OBJECTS)])
    context = np.asarray(tower.words(weights, tower.fixed["prefix"]))
    if moved == "names":
        words = words + tower.spread * rng.standard_normal(words.shape)
    else:
        context = context + tower.spread * rng.standard_normal(context.shape)
    own = jnp.stack([words[0][parts[:, 0]], words[1][parts[:, 1]]], axis=1)
    encode = jax.jit(
        lambda context, own: tower.encode(weights, tower.learned(context, 16), tower.learned(own, 16), "suffix")
    )
    texts = np.asarray(encode(context, own))
    labels = np.repeat(np.arange(16, dtype=np.int32), _PER_CLASS)
    inputs = (2 + texts[labels] + 0.05 * rng.standard_normal((len(labels), texts.shape[1]))).astype(np.float32)
    if patches:
        noise = 0.1 * rng.standard_normal((len(labels), patches, inputs.shape[1]))
        inputs = (inputs[:, None] + noise).astype(np.float32)
    is_seen, tested = ~np.isin(np.arange(16), (1, 6, 11)), np.arange(len(labels)) % 4 == 0
    seen = is_seen[labels]
    splits = {
        "train": np.flatnonzero(seen & ~tested),
        "test_seen": np.flatnonzero(seen & tested),
        "test_unseen": np.flatnonzero(~seen),
    }
    splits["test"] = np.sort(np.concatenate([splits["test_seen"], splits["test_unseen"]]))
    table = data.ClassTable(np.zeros((16, 1), np.float32), is_seen, names)
    if as_pairs:
        shared = {side: np.eye(4, dtype=np.float32) for side in ("attributes", "objects")}
        table = dataclasses.replace(table, parts=parts, shared=shared)
    info = {"semantics": "names", "split": "toy", "files": {}}
    made = data.Dataset("small", inputs, labels, table, splits, info=info, kind="features")
    if as_pairs:
        made = dataclasses.replace(made, parts=(ATTRIBUTES, OBJECTS), describe=lambda others: others.parts)
    return dataclasses.replace(made, classes=tower.table(made))
