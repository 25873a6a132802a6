"""A small zero-shot problem whose features are a noisy linear image of the attributes."""

import numpy as np

from zsl_jax import data, methods

# Methods for other data than these: inputs and classes in one space, classes that are pairs, names before a tower.
PROMPTS = {name for name in methods.METHODS if methods.learns_prompts(name)}
OF_OTHER_DATA = {
    "category_discovery",
    "cot",
    "label_similarity",
    "lbl2vec",
    "label_embed_plus",
    "symnet",
    "two_heads",
} | PROMPTS


def dataset(*, num_seen=6, num_unseen=3, per_class=12, num_attributes=8, num_features=10, seed=0) -> data.Dataset:
    rng = np.random.default_rng(seed)
    num_classes = num_seen + num_unseen
    attributes = rng.standard_normal((num_classes, num_attributes)).astype(np.float32)
    projection = rng.standard_normal((num_attributes, num_features)).astype(np.float32)
    labels = np.repeat(np.arange(num_classes, dtype=np.int32), per_class)
    noise = 0.3 * rng.standard_normal((len(labels), num_features)).astype(np.float32)
    inputs = attributes[labels] @ projection + noise
    # Unseen classes are scattered among the seen ones, as in real files.
    is_seen = np.ones(num_classes, bool)
    is_seen[rng.permutation(num_classes)[:num_unseen]] = False
    test = np.arange(len(labels)) % 4 == 0
    seen_rows = is_seen[labels]
    splits = {
        "train": np.flatnonzero(seen_rows & ~test),
        "test_seen": np.flatnonzero(seen_rows & test),
        "test_unseen": np.flatnonzero(~seen_rows),
    }
    names = tuple(f"class {i}" for i in range(num_classes))
    table = data.ClassTable(attributes, is_seen, names)
    return data.Dataset(
        "toy", inputs, labels, table, splits, info={"semantics": "att", "split": f"seed {seed}", "files": {}}
    )
