"""A trained method as one file that scores without this package: jax reads it, with flatbuffers for `jax.export`.

    FILE (a zip archive)
      about.json         what it is: the version of this format, classes, attributes, inputs, gamma, temperature
      scores.stablehlo   `jax.export`: inputs [B, ...] -> scores [B, C], any B, weights and classes inside
      classes.csv        the class table (classes.npz where it is no matrix)

    with zipfile.ZipFile(FILE) as file:
        about = json.loads(file.read("about.json"))
        score = jax.export.deserialize(bytearray(file.read("scores.stablehlo")))
    scores = score.call(inputs)                  about["classes"][scores[0].argmax()] is the answer

The scaling of inputs and classes and the calibration of seen classes are inside. What made features of images is named
in `about.json` and is not inside.
"""

import importlib.metadata
import json
import pathlib
import tempfile
import zipfile

import jax

from zsl_jax import data, errors, whole_files
from zsl_jax.data import class_tables
from zsl_jax.training import trained

FORMAT = 1
PLATFORMS = ("cpu", "cuda", "tpu")


def export(model: trained.Trained, classes: data.ClassTable, path: pathlib.Path, *, gamma: float | None = None) -> dict:
    """Writes the file, whole or not at all, and returns the contents of its `about.json`.

    Args:
      model: from `trained.load`.
      classes: the candidates, also ones that nobody has trained on.
      path: of the file.
      gamma: subtracted from the scores of seen classes; None for the one chosen on validation classes.

    Raises:
      UserError: a method that decides on all inputs together.
      OSError: the file cannot be written.
    """
    if model.method.together is not None:
        raise errors.UserError(
            f"{model.record['method']} decides on all inputs together, which a file that scores block by block cannot: "
            "use predict"
        )
    if model.input_shape is None:
        raise errors.UserError(f"this run was trained on {model.kind} of several arrays, which export does not write")
    gamma = model.gamma if gamma is None else gamma
    (count,) = jax.export.symbolic_shape("b")
    inputs, described = model.inputs, trained.described(model, classes)
    shape = jax.ShapeDtypeStruct((count, *inputs["shape"]), inputs["dtype"])

    def scores(x):
        return trained.calibrated_scores(model.method, model.state, x, described, classes.is_seen, gamma)

    exported = jax.export.export(jax.jit(scores), platforms=PLATFORMS)(shape)
    about = {
        "format": FORMAT,
        "what": "zero-shot scores: inputs [B, ...] -> scores [B, C], higher is better",
        "method": model.record["method"],
        "classes": list(classes.names),
        "is_seen": [bool(seen) for seen in classes.is_seen],
        "attributes": list(model.attributes),
        "inputs": model.record["dataset"]["inputs"],
        "gamma": gamma,
        "temperature": model.temperature,
        "dataset": {name: model.record["dataset"].get(name) for name in ("name", "semantics", "split")},
        "state_sha256": model.record["state_sha256"],
        "platforms": list(exported.platforms),
        "calling_convention": exported.calling_convention_version,
        "versions": {name: importlib.metadata.version(name) for name in ("zsl-jax", "jax")},
    }
    with (
        whole_files.replacing(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        archive.writestr("about.json", json.dumps(about, indent=1) + "\n")
        archive.writestr("scores.stablehlo", bytes(exported.serialize()))
        class_tables.write(pathlib.Path(folder), classes, model.attributes)
        for table in pathlib.Path(folder).iterdir():
            archive.write(table, table.name)
    return about
