"""Images a second: decoding, MobileNetV2 at several batch sizes, and files to features as `extract` does it.

    python benchmarks/bench_encoders.py [FOLDER]     FOLDER of images; without it, noise of 227 x 227 as JPEG

MobileNetV2 runs with random weights. Its depthwise convolutions, nine shifted products (`mobilenet.Depthwise`), are set
beside XLA's grouped convolution. Medians of repeated passes, alternating; other work on the processors shows in
the load average, which is printed.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time

import flax.linen as nn
import jax
import numpy as np
import PIL.Image

from zsl_jax.data import images
from zsl_jax.encoders import extraction, mobilenet
from zsl_jax.recipes import extraction as extraction_recipes

NUM_IMAGES = 496
PASSES = 3


class Grouped(nn.Module):
    """What `Depthwise` computes, by XLA's grouped convolution."""

    stride: int
    padding: object
    dtype: object

    @nn.compact
    def __call__(self, x):
        channels = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.he_normal(in_axis=(0, 1), out_axis=3), (3, 3, 1, channels))
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (self.stride,) * 2,
            self.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )


def main(folder: str | None = None) -> None:
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as temporary:
        paths = noise(pathlib.Path(temporary)) if folder is None else some(pathlib.Path(folder))
        size = extraction_recipes.make_extraction(extraction_recipes.base("mobilenet_v2")).images
        decode = [rate(lambda: list(images.load(paths, size)), len(paths)) for _ in range(PASSES)]
        print(f"decode and fit {len(paths)} images      {statistics.median(decode):7.1f} a second")
        extractors = {("shifted", batch): extractor(batch) for batch in (1, 4, 8, 16, 32)}
        shifted, mobilenet.Depthwise = mobilenet.Depthwise, Grouped
        try:
            extractors["grouped", 8] = extractor(8)
        finally:
            mobilenet.Depthwise = shifted
        pixels = np.stack(list(images.load(paths[:32], size)))
        rates = {name: [] for name in extractors}
        for _ in range(PASSES):
            for name, run in extractors.items():
                rates[name].append(rate(lambda run=run: run(pixels), len(pixels)))
        for (kind, batch), found in rates.items():
            print(f"MobileNetV2, {kind}, batch {batch:<2}      {statistics.median(found):7.1f} a second")
        whole = [rate(lambda: list(extractors["shifted", 8].files(paths)), len(paths)) for _ in range(PASSES)]
        print(f"files to features, batch 8        {statistics.median(whole):7.1f} a second")
    print(f"load average {os.getloadavg()[0]:.1f}")


def extractor(batch_size: int) -> extraction.Extractor:
    config = extraction_recipes.base("mobilenet_v2")
    config.batch_size = batch_size
    made = extraction.load(extraction_recipes.make_extraction(config))
    made(np.zeros((batch_size, 224, 224, 3), np.uint8))  # compiles
    return made


def rate(run, count: int) -> float:
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def noise(folder: pathlib.Path) -> list[pathlib.Path]:
    rng = np.random.default_rng(0)
    for i in range(NUM_IMAGES):
        coarse = PIL.Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
        coarse.resize((227, 227)).save(folder / f"{i:04}.jpg")
    return sorted(folder.iterdir())


def some(folder: pathlib.Path) -> list[pathlib.Path]:
    found = images.find(folder)
    return [folder / path for path in found[:: max(1, len(found) // NUM_IMAGES)][:NUM_IMAGES]]


if __name__ == "__main__":
    main(*sys.argv[1:])
