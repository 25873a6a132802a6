"""A text tower of random weights in a folder, small enough for a test."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
import tokenizers

from zsl_jax.encoders import bert
from zsl_jax.encoders import weights as weights_lib

SIZE = bert.Size(60, 12, 1, 3, 20, 64, 2, 1e-12)
WORDS = (
    "a",
    "photo",
    "of",
    "red",
    "blue",
    "green",
    "star",
    "dot",
    "ring",
    "which",
    "has",
    "wings",
    "stripes",
    ".",
    ",",
)


def write(folder: pathlib.Path, *, size: bert.Size = SIZE, seed: int = 0, weights: str = "weights.npz") -> pathlib.Path:
    """Writes config, tokenizer and weights; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **size._asdict()}))
    words = tokenizers.models.WordLevel({"?": 0} | {word: i for i, word in enumerate(WORDS, 1)}, unk_token="?")
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    shapes = jax.eval_shape(
        lambda: bert.Bert(size).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32), jnp.ones((1, 8), bool))
    )
    rng = np.random.default_rng(seed)
    tensors = {
        name: 0.5 * rng.standard_normal(shape).astype(np.float32)
        for name, (_, shape, _) in weights_lib.names(shapes).items()
    }
    if weights.endswith(".safetensors"):
        safetensors.numpy.save_file(tensors, folder / weights)
    else:
        np.savez(folder / weights, **tensors)
    return folder
