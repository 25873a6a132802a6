"""A text tower of random weights in a folder, small enough for a test."""

import functools
import json
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
import tokenizers

from zsl_jax.encoders import bert, described, prompts, ties, towers
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
    "old",
    "cat",
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


@functools.cache
def prompted(width: int = 0, template: str = "a photo of a {}.") -> prompts.PromptTower:
    """The tower to learn prompts through; behind a random tie where a width is given."""
    tower = towers.load_text_tower(write(pathlib.Path(tempfile.mkdtemp()) / "small"))
    return prompts.PromptTower(tower, tie(tower, width) if width else None, template, described.Options())


def tie(tower: towers.TextTower, width: int) -> ties.Tie:
    """A random map, around the mean of some texts."""
    texts = tower.encode([f"a photo of a {a} {b}." for a in WORDS[3:6] for b in WORDS[6:9]])
    matrix = np.random.default_rng(1).standard_normal((SIZE.hidden_size, width)).astype(np.float32)
    return ties.Tie(matrix, texts.mean(axis=0), {})
