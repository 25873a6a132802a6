"""How often detectors of attributes err: a rate, a table of rates, detections in a file, or those of a finished run."""

import pathlib
import sys
from typing import NamedTuple

import numpy as np

from zsl_jax import bounds, errors
from zsl_jax.verbs.bounding import tables


class Detections(NamedTuple):
    """Probabilities `values [N, A]` of attributes in images; `classes [N]` names the class of each image."""

    classes: np.ndarray
    values: np.ndarray


def read_error_rates(text: str, table: tables.Table) -> np.ndarray:
    """Error rates `[C, A]` from a number, or from a CSV file with the classes and attributes of the table."""
    try:
        rate = float(text)
    except ValueError:
        return _rates_of_file(text, table)
    if not 0 <= rate <= 1:
        raise errors.UserError(f"--error_rate={text}: a rate in [0, 1] is wanted")
    return np.full(table.matrix.shape, rate)


def _rates_of_file(path: str, table: tables.Table) -> np.ndarray:
    location = pathlib.Path(path).expanduser()
    if not location.is_file():
        raise errors.UserError(f"--error_rate={path}: neither a number nor a CSV file")
    rates = tables.of_csv(location)
    for kind, wanted, held in (
        ("attribute", table.attributes, rates.attributes),
        ("class", table.classes, rates.classes),
    ):
        for name in wanted:
            if name not in held:
                raise errors.UserError(f"{path}: no {kind} {name!r} in it")
    rows = [rates.classes.index(name) for name in table.classes]
    columns = [rates.attributes.index(name) for name in table.attributes]
    found = np.where(rates.unknown, 1.0, rates.matrix)[np.ix_(rows, columns)]
    wrong = np.argwhere(~((found >= 0) & (found <= 1)))
    if len(wrong):
        row, column = wrong[0]
        raise errors.UserError(
            f"{path}: the error rate of {table.attributes[column]!r} for {table.classes[row]!r} is "
            f"{found[row, column]:g}; it must be in [0, 1]"
        )
    return found


def read_detections(path: str, everyone: tables.Table, candidates: tuple[str, ...]) -> Detections:
    """Detections of attributes in images of validation classes, from a CSV file.

    A header with the names of the attributes after one cell, then one image per line: its class, and the probability of
    each attribute.

    Args:
      path: of the file.
      everyone: the table with the classes of the file.
      candidates: classes that the file must not have: their images are what the bound is for.

    Returns:
      Detections in the order of the table's attributes.

    Raises:
      UserError: no such file, or it is none.
    """
    location = pathlib.Path(path).expanduser()
    if not location.is_file():
        raise errors.UserError(f"--detections={path}: no such file")
    attributes, classes, values = tables.lines(location)
    for name in everyone.attributes:
        if name not in attributes:
            raise errors.UserError(f"{path}: no attribute {name!r} in it")
    for name in dict.fromkeys(classes):
        if name not in everyone.classes:
            raise errors.unknown(f"class in {path}", name, everyone.classes)
        if name in candidates:
            raise errors.UserError(
                f"{path}: {name!r} is one of the candidates; detections of other, validation classes are wanted "
                "(--classes says which are candidates)"
            )
    values = values[:, [attributes.index(name) for name in everyone.attributes]]
    wrong = np.argwhere(~((values >= 0) & (values <= 1)))
    if len(wrong):
        row, column = wrong[0]
        raise errors.UserError(
            f"{path}: the detection of {everyone.attributes[column]!r} in image {row + 1} is {values[row, column]:g}; "
            "probabilities in [0, 1] are wanted"
        )
    return Detections(np.array(classes), values)


def measured(detections: Detections, everyone: tables.Table) -> np.ndarray:
    """How far detections are off the table, `[A]`: the mean over the classes that have images, as the bound takes it.

    1, all that can be, for an attribute that is unknown for each of these classes.
    """
    place = {name: i for i, name in enumerate(everyone.classes)}
    labels = np.array([place[name] for name in detections.classes])
    off = np.array(bounds.marginal_errors(detections.values, labels, everyone.matrix))
    counts = ~np.isnan(off) & ~everyone.unknown
    sums = np.sum(np.where(counts, off, 0), axis=0)
    return np.where(counts.any(axis=0), sums / np.maximum(counts.sum(axis=0), 1), 1.0)


class Run(NamedTuple):
    """`method` is its name; `everyone` the table of all classes, `unseen` that of the candidates."""

    method: str
    everyone: tables.Table
    unseen: tables.Table
    observed: "observed.Observed"  # noqa: F821, imported only where it is needed


def detections_of_run(path: str, everyone: tables.Table, candidates: tuple[str, ...]) -> Detections:
    """What a finished run that predicts attributes detects in images of its validation classes.

    Raises:
      UserError: it predicts none, or has other attributes, or validates on candidates.
    """
    run = read_run(path)
    if run.observed.validation is None:
        raise errors.UserError(f"--detections={path}: {run.method} predicts no attributes; dap and iap do")
    if run.everyone.attributes != everyone.attributes or set(run.everyone.classes) != set(everyone.classes):
        raise errors.UserError(f"--detections={path}: a run on other classes or attributes")
    found = Detections(*run.observed.validation)
    shared = sorted(set(found.classes.tolist()) & set(candidates))
    if shared:
        raise errors.UserError(f"--detections={path}: its validation class {shared[0]!r} is one of the candidates")
    return found


def is_workdir(path: str) -> bool:
    return (pathlib.Path(path) / "config.json").is_file()


def read_run(path: str) -> Run:
    """Reads a finished run and scores its unseen classes once more.

    Raises:
      UserError: the run is not finished, or its classes are not described by attributes.
    """
    workdir = pathlib.Path(path)
    if not (workdir / "record.json").is_file():
        raise errors.UserError(f"{path} holds no finished run (record.json is missing)")

    from zsl_jax.training import observed as observed_lib
    from zsl_jax.training import run

    config, _ = run.read_config(workdir / "config.json")
    if config.data.get("semantics", "att") != "att":
        raise errors.UserError(f"{path} describes classes by {config.data.semantics!r}; the bound is about attributes")
    observed = observed_lib.observe(config, workdir, say=lambda line: print(line, file=sys.stderr))
    classes = observed.dataset.classes
    if config.data.name == "xlsa17":
        everyone = tables.read(config.data.dir, "all")
    else:
        matrix = np.asarray(classes.embedding, np.float64)
        names = observed.dataset.info.get("attributes", range(1, matrix.shape[1] + 1))
        everyone = tables.Table(matrix, np.zeros(matrix.shape, bool), classes.names, tuple(map(str, names)))
    unseen = tables.rows(everyone, np.flatnonzero(~np.asarray(classes.is_seen)))
    tables.check(unseen, path)
    return Run(config.method.name, everyone, unseen, observed)
