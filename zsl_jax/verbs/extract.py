"""Turn imported images into features, by any encoder and its weights; run the same line again to go on."""

import contextlib
import io
import pathlib
import sys
from collections.abc import Sequence

import tqdm
from absl import flags
from absl import logging as absl_logging

from zsl_jax import errors
from zsl_jax.data import checks, features, image_folder, matfile, recorded
from zsl_jax.encoders import extraction, pretrained
from zsl_jax.recipes import extraction as extraction_recipes
from zsl_jax.recipes import finding
from zsl_jax.verbs import command_line

USAGE = f"""\
Turns imported images into features, by an encoder and its weights, for `train --config=NAME:features`.
The same line again goes on where a run was stopped.

usage: python -m zsl_jax extract --config=extract/NAME --config.data.dir=DATASET --out=FEATURES
       [--config.encoder.weights=FILE|NAME] [--config.KEY=VALUE ...] [--skip_unreadable]

  zsl-jax extract --config=extract/pretrained:resnet50.a1_in1k --config.data.dir=datasets/photos --out=features/photos
  python -m zsl_jax extract --config=extract/mobilenet_v2 --config.encoder.weights=mobilenet_v2.npz \\
      --config.data.dir=datasets/photos --out=features/photos

--skip_unreadable  leaves damaged images out and names them; otherwise the first one is an error

Keys of every extraction, with their defaults (config.encoder.* are the arguments of the encoder too):
{extraction_recipes.describe()}

Public checkpoints by name, fetched by huggingface_hub (the extra `hub`) or read as $ZSL_JAX_WEIGHTS/NAME.safetensors; a
file of torchvision's, named at the end of its line, is put there as it is:
{pretrained.describe()}"""


def main(argv: Sequence[str]) -> int:
    argv, overrides = command_line.split_overrides(argv)
    values = command_line.parse("extract", argv, _define, USAGE)
    if values is None:
        return 0
    if not values.config:
        raise errors.UserError("extract needs --config=FILE, e.g. --config=extract/mobilenet_v2")
    if not values.out:
        raise errors.UserError("extract needs --out=FEATURES, the folder to write, e.g. --out=features/photos")
    config = command_line.load_recipe(values.config)
    if "images" not in config:
        known = ", ".join(name for name in finding.names() if name.startswith("extract/"))
        raise errors.UserError(f"{values.config} trains a method: extract takes {known}")
    if overrides.get("encoder.weights") in pretrained.CHECKPOINTS:
        extraction_recipes.take(config, overrides["encoder.weights"])  # what else the line says is taken after it
    for key, text in overrides.items():
        command_line.override(config, key, text)
    extraction_recipes.check(config)
    imported = image_folder.read(config.data.dir)

    extractor = extraction.load(extraction_recipes.make_extraction(config))
    made = extractor.extraction
    out = pathlib.Path(values.out)
    dataset_sha256 = matfile.sha256(pathlib.Path(config.data.dir).expanduser() / image_folder.FILE)
    features.begin(out, made.to_json() | {"dataset": dataset_sha256, "skip_unreadable": values.skip_unreadable})
    if features.written(out):
        features.check_images(out, imported.images_dir)
        print(f"{out} is finished; to extract anew, choose another --out or delete this one")
        return 0
    shape = " x ".join(map(str, extractor.shape))
    print(f"{made.encoder}: {extractor.size}, {shape} features")
    if made.weights:
        weights = pretrained.path(made.weights)
        print(f"weights: {pathlib.Path(made.weights).name}, {recorded.words(weights, made.weights_sha256)}")
    else:
        print("no weights: features of a random network, only to try the way")
    found, kept = _collect(out, imported, extractor, values.skip_unreadable)
    imported = imported if kept.all() else imported.keep(kept)
    files = {image_folder.FILE: dataset_sha256, "images": features.collected_sha256(out)}
    if made.weights:
        files[pathlib.Path(made.weights).name] = made.weights_sha256
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS warns of every configuration that its class does not list
    with contextlib.redirect_stdout(io.StringIO()):
        features.finish(out, imported, found, files=files, preprocessing=made.to_json())
    print(f"features: {checks.count(len(found), 'image')} x {shape} in {out}")
    return 0


def _collect(out: pathlib.Path, imported: image_folder.Imported, extractor, skip_unreadable: bool):
    with tqdm.tqdm(desc="extract", unit=" images", total=len(imported.images), disable=not sys.stderr.isatty()) as bar:

        def skip(error: errors.UserError) -> None:
            bar.write(f"left out: {error}", file=sys.stderr)

        def extract(paths: list[pathlib.Path]):
            return list(extractor.files(paths, skip=skip if skip_unreadable else None))

        return features.collect(out, imported.paths(), extract, bar.update)


def _define(values: flags.FlagValues) -> None:
    command_line.define_config(values)
    command_line.define_string(values, "out", "folder to write")
    flags.DEFINE_boolean("skip_unreadable", False, "leave damaged images out", flag_values=values)
