"""The candidates that a user gives to a finished run: by their names, or in a file of descriptions."""

import dataclasses
import pathlib
from collections.abc import Sequence

import jax
import numpy as np

from zsl_jax import data, errors
from zsl_jax.data import class_files, class_tables, descriptions, soundness
from zsl_jax.training import problems, trained


def named(model: trained.Trained, names: Sequence[str]) -> data.ClassTable:
    """Returns a table of classes that are given by their names alone.

    Raises:
      UserError: the run describes classes by something that a name does not say.
    """
    said = model.record["dataset"].get("described_by")
    if said is None:
        raise errors.UserError(
            f"this run describes classes by {model.record['dataset']['semantics']}, which a name does not say: give "
            "it a table, --classes=TABLE.csv"
        )
    seen = {name for name, is_seen in zip(model.classes.names, model.classes.is_seen) if is_seen}
    if said["by"] == "text_tower":
        describer = problems.class_describer(model.config)
        if describer.said["sha256"] != said["sha256"]:
            raise errors.UserError(
                "tower, tie or class texts in config.towers are not those that the run was made with (sha256 "
                f"{describer.said['sha256'][:12]}, not {said['sha256'][:12]})"
            )
        embedding = describer(names)
    elif said["by"] == "class_source":
        source = problems.class_source(model.config)
        if source is None or source.sha256 != said["sha256"]:
            raise errors.UserError("the files in config.classes are not those that the run was made with")
        embedding = source(names, model.classes)
    else:
        embedding = descriptions.make(said)(list(names))
    return dataclasses.replace(
        model.classes,
        embedding=embedding,
        names=tuple(names),
        is_seen=np.array([name in seen for name in names]),
        parts=None,
        trained=None,
    )


def read(model: trained.Trained, path: pathlib.Path) -> data.ClassTable:
    """Reads the table of candidates that a user gives: a CSV file of attributes, or an `.npz` file of any kind.

    Raises:
      UserError: the file is no table that this run can use.
    """
    if path.suffix == ".npz":
        found = class_tables.read_npz(path)
        _check(model, path, found)
        return dataclasses.replace(found, shared=model.classes.shared if found.shared is None else found.shared)
    if not model.attributes:
        raise errors.UserError(
            f"{path}: this run does not describe classes by a matrix of attributes: give --names, or an .npz file "
            "in the form of its classes.npz"
        )
    described = class_files.read(path, model.attributes)
    _check(model, path, described.classes)
    return completed(model, described)


def _check(model: trained.Trained, path: pathlib.Path, given: data.ClassTable) -> None:
    """Raises where the classes of a file are not described as those of the run."""
    if wrong := soundness.names(given.names):
        raise errors.UserError(f"{path}: {wrong}")
    own = model.classes
    there, wanted = (jax.tree.map(lambda x: np.shape(x)[1:], table.embedding) for table in (given, own))
    if there != wanted or (given.parts is None) != (own.parts is None):
        raise errors.UserError(f"{path} describes classes by other arrays than this run: {there}, not {wanted}")
    wrongs = [soundness.descriptions(given.embedding, given.names)] if class_tables.is_matrix(given) else []
    wrongs += [soundness.numbers(leaf) for leaf in jax.tree.leaves(given.embedding)]
    if given.parts is not None and given.shared is None:
        wrongs += [soundness.rows(given.parts, own.parts.max(axis=0) + 1)]
    if wrong := next(filter(None, wrongs), None):
        raise errors.UserError(f"{path}: {wrong}")


def completed(model: trained.Trained, described: class_files.Described) -> data.ClassTable:
    """The table of a file; where it does not say which classes are seen, those are that the run has seen."""
    if described.says_seen:
        return described.classes
    seen = {name for name, is_seen in zip(model.classes.names, model.classes.is_seen) if is_seen}
    return dataclasses.replace(described.classes, is_seen=np.array([name in seen for name in described.classes.names]))
