"""A folder of tiny images, six classes of five, each of its own colour, and the table that describes the colours."""

import pathlib

import jax
import numpy as np
import PIL.Image

from zsl_jax import encoders
from zsl_jax.encoders import weights

COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.9, 0.1),
    "blue": (0.1, 0.1, 0.9),
    "yellow": (0.9, 0.9, 0.1),
    "purple": (0.9, 0.1, 0.9),
    "grey": (0.5, 0.5, 0.5),
}
PER_CLASS = 5
# The recipe of a ViT, as small as it can be: one block on four patches.
TINY = ("--config.encoder.depth=1", "--config.images.size=32", "--config.images.fit=stretch", "--config.batch_size=4")


def write(folder: pathlib.Path, *, column: str | None = None, words: dict[str, str] | None = None) -> pathlib.Path:
    """Writes `photos/CLASS/N.png` and `classes.csv`; returns the folder of both."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(PER_CLASS):
            pixels = np.clip(np.array(colour) + rng.normal(scale=0.03, size=(12, 10, 3)), 0, 1)
            PIL.Image.fromarray((255 * pixels).astype(np.uint8)).save(folder / "photos" / name / f"{i}.png")
    write_table(folder / "classes.csv", column=column, words=words)
    return folder


def write_table(path: pathlib.Path, *, column: str | None = None, words: dict[str, str] | None = None) -> None:
    lines = [",".join(["class", *([column] if column else []), "r", "g", "b"])]
    for name, colour in COLOURS.items():
        lines.append(",".join([name, *([words[name]] if column else []), *map(str, colour)]))
    path.write_text("\n".join(lines) + "\n")


def write_weights(path: pathlib.Path) -> pathlib.Path:
    """Writes random weights for the tiny ViT, under the names of timm."""
    module = encoders.factory("vit_tiny")(depth=1)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 32, 32, 3), np.uint8), train=False))
    rng = np.random.default_rng(0)
    table = weights.names(shapes)
    np.savez(path, **{n: rng.normal(scale=0.05, size=shape).astype(np.float32) for n, (_, shape, _) in table.items()})
    return path
