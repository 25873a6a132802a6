"""A finished run as the verb `bound` takes it: the table of its classes, and what it did on the unseen ones."""

import json
import pathlib
import sys
from typing import NamedTuple

import numpy as np

from zsl_jax import config as config_lib
from zsl_jax import errors
from zsl_jax.verbs import bound_rates, bound_tables


class Run(NamedTuple):
    """`method` is its name; `everyone` the table of all classes, `unseen` that of the candidates."""

    method: str
    everyone: bound_tables.Table
    unseen: bound_tables.Table
    observed: "observed.Observed"  # noqa: F821, imported only where it is needed


def detections(path: str, everyone: bound_tables.Table, candidates: tuple[str, ...]) -> bound_rates.Detections:
    """What a finished run that predicts attributes detects in images of its validation classes.

    Raises:
      UserError: it predicts none, or has other attributes, or validates on candidates.
    """
    run = read(path)
    if run.observed.validation is None:
        raise errors.UserError(f"--detections={path}: {run.method} predicts no attributes; dap and iap do")
    if run.everyone.attributes != everyone.attributes or set(run.everyone.classes) != set(everyone.classes):
        raise errors.UserError(f"--detections={path}: a run on other classes or attributes")
    found = bound_rates.Detections(*run.observed.validation)
    shared = sorted(set(found.classes.tolist()) & set(candidates))
    if shared:
        raise errors.UserError(f"--detections={path}: its validation class {shared[0]!r} is one of the candidates")
    return found


def is_workdir(path: str) -> bool:
    return (pathlib.Path(path) / "config.json").is_file()


def read(path: str) -> Run:
    """Reads a finished run and scores its unseen classes once more.

    Raises:
      UserError: the run is not finished, or its classes are not described by attributes.
    """
    workdir = pathlib.Path(path)
    if not (workdir / "record.json").is_file():
        raise errors.UserError(f"{path} holds no finished run (record.json is missing)")
    config = config_lib.from_json(json.loads((workdir / "config.json").read_text()))
    if config.data.get("semantics", "att") != "att":
        raise errors.UserError(f"{path} describes classes by {config.data.semantics!r}; the bound is about attributes")

    from zsl_jax.training import observed as observed_lib

    observed = observed_lib.observe(config, workdir, say=lambda line: print(line, file=sys.stderr))
    classes = observed.dataset.classes
    if config.data.name == "xlsa17":
        everyone = bound_tables.read(config.data.dir, "all")
    else:
        matrix = np.asarray(classes.embedding, np.float64)
        names = observed.dataset.info.get("attributes", range(1, matrix.shape[1] + 1))
        everyone = bound_tables.Table(matrix, np.zeros(matrix.shape, bool), classes.names, tuple(map(str, names)))
    unseen = bound_tables.rows(everyone, np.flatnonzero(~np.asarray(classes.is_seen)))
    bound_tables.check(unseen, path)
    return Run(config.method.name, everyone, unseen, observed)
