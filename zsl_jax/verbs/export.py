"""Write a trained method as one file that scores without this package."""

import pathlib
from collections.abc import Sequence

from absl import flags

from zsl_jax import errors
from zsl_jax.verbs import command_line

USAGE = """\
Writes a finished run as one file that scores without this package: weights, class table and scaling inside, for any
number of inputs. It is a zip archive with a StableHLO program (jax.export), which jax alone reads (with
flatbuffers, which jax.export asks for), and about.json.

usage: python -m zsl_jax export --workdir=DIR --out=FILE.zip [--classes=TABLE.csv]

  python -m zsl_jax export --workdir=runs/ale --out=ale.zip

--classes  the candidates, as `predict` takes them (default: all classes of the run)

To score with it:

  import json, zipfile, jax.export, numpy as np
  with zipfile.ZipFile("ale.zip") as file:
      about = json.loads(file.read("about.json"))
      score = jax.export.deserialize(bytearray(file.read("scores.stablehlo")))
  scores = score.call(np.load("features.npy"))
  print([about["classes"][row] for row in scores.argmax(axis=1)])"""


def main(argv: Sequence[str]) -> int:
    values = command_line.parse("export", argv, _define, USAGE)
    if values is None:
        return 0
    workdir = command_line.required_workdir(values, "export")
    if not values.out:
        raise errors.UserError("export needs --out=FILE, e.g. --out=ale.zip")

    from zsl_jax.training import candidates, exporting, trained

    model = trained.load(workdir)
    classes = candidates.read(model, pathlib.Path(values.classes)) if values.classes else model.classes
    try:
        about = exporting.export(model, classes, pathlib.Path(values.out))
    except OSError as error:
        raise errors.UserError(f"cannot write to --out={values.out}: {error.strerror}") from error
    print(f"{about['method']}, {len(classes)} classes, inputs {about['inputs']['shape']} {about['inputs']['dtype']}")
    print(f"written: {values.out}")
    return 0


def _define(values: flags.FlagValues) -> None:
    command_line.define_workdir(values)
    command_line.define_string(values, "classes", "table of the candidate classes")
    command_line.define_string(values, "out", "file to write")
