"""What a trained method says of arrays: classes, scores and reasons, among the classes that a caller names.

Classes have the order that the caller gave them in; a run read back from its workdir has the seen ones first.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from zsl_jax import data, errors, losses
from zsl_jax.data import in_memory, input_files, soundness
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.methods import objectives
from zsl_jax.training import candidates as candidates_lib
from zsl_jax.training import parallel, predicting, trained


def load(workdir: str | os.PathLike, *, say: Callable[[str], None] = print) -> trained.Trained:
    """Returns a finished run, read from its workdir; `say` gets a line for each checkpoint that is damaged.

    Raises:
      UserError: no finished run, one that is damaged, or one of a version that left less behind.
    """
    with parallel.left_as_found():
        return trained.load(workdir, say=say)


def _as_trained(function: Callable) -> Callable:
    """Multiplies in the precision of the run, and leaves that of the caller's own programs alone."""

    @functools.wraps(function)
    def wrapped(model: trained.Trained, *args, **kwargs):
        with parallel.left_as_found():
            parallel.multiply_in(model.config.precision)
            return function(model, *args, **kwargs)

    return wrapped


@_as_trained
def predict(
    model: trained.Trained,
    inputs: Any,
    classes: Any = None,
    names: Sequence[str] | None = None,
    *,
    top: int = 1,
    gamma=None,
) -> np.ndarray:
    """Returns `[N]` the best classes, or `[N, top]`; see `Trained.predict`."""
    table, named = candidates(model, classes, names)
    if not isinstance(top, (int, np.integer)) or isinstance(top, bool) or not 1 <= top <= len(table):
        raise errors.UserError(f"top={top} is not a whole number from 1 to the {len(table)} classes")
    best, _ = _decided(model, inputs, table, top=int(top), gamma=gamma)
    found = np.array(table.names)[best] if named else best
    return found[:, 0] if top == 1 else found


@_as_trained
def scores(
    model: trained.Trained, inputs: Any, classes: Any = None, names: Sequence[str] | None = None, *, gamma=None
) -> np.ndarray:
    """Returns `[N, C]` calibrated scores; see `Trained.scores`."""
    table, _ = candidates(model, classes, names)
    best, found = _decided(model, inputs, table, top=len(table), gamma=gamma)
    result = np.empty_like(found)
    np.put_along_axis(result, best, found, axis=1)
    return result


def uncertainty(
    model: trained.Trained, inputs: Any, classes: Any = None, names: Sequence[str] | None = None
) -> np.ndarray:
    """Returns `[N]` shares of belief that no class has; see `Trained.uncertainty`."""
    loss = model.config.method.loss if "loss" in model.config.method else ""
    if not objectives.is_sum(loss) or not objectives.is_evidential(loss):
        raise errors.UserError(
            f"method {model.config.method.name} has no evidence to doubt: train one by an evidential loss, such as "
            "--config.method.loss=evidential_log"
        )
    found = scores(model, inputs, classes, names, gamma=0.0)
    return np.asarray(losses.evidential_uncertainty(jax.nn.softplus(found)))


@_as_trained
def explain(
    model: trained.Trained, inputs: Any, classes: Any = None, names: Sequence[str] | None = None, *, count: int = 5
) -> list[predicting.Prediction]:
    """Returns each input's best class, and why; see `Trained.explain`."""
    if not isinstance(count, (int, np.integer)) or count < 0:
        raise errors.UserError(f"count={count!r} is not a whole number >= 0")
    table, _ = candidates(model, classes, names)
    return list(predicting.predict(model, table, [_block(model, inputs)], top=1, num_reasons=count))


def candidates(model: trained.Trained, classes: Any, names: Sequence[str] | None) -> tuple[data.ClassTable, bool]:
    """Returns the classes that are asked about, and whether the caller has given them names.

    Args:
      model: what is asked.
      classes: None for those of the run, descriptions `[C, A]`, a `ClassTable`, or the path of a file with one.
      names: of `classes`; without these, of classes of the run, or of classes that it describes by their names.
    """
    if classes is None:
        own, named = _in_order(model)
        if names is None:
            return own, named
        names = in_memory.names_of(names)
        if wrong := soundness.names(names):
            raise errors.UserError(f"names: {wrong}")
        row = {name: number for number, name in enumerate(own.names)}
        return (own[[row[name] for name in names]] if set(names) <= set(row) else _named(model, names)), True
    if isinstance(classes, (str, os.PathLike)):
        return candidates_lib.read(model, pathlib.Path(classes)), True
    table, named = in_memory.table_of(classes, names)
    given, wanted = (jax.tree.map(lambda x: np.shape(x)[1:], each.embedding) for each in (table, model.classes))
    if given != wanted:
        raise errors.UserError(
            f"classes are described by arrays {given} per class, {wanted} are wanted, as in training"
        )
    if table.shared is None:
        table = dataclasses.replace(table, shared=model.classes.shared)
    if isinstance(classes, data.ClassTable):
        return table, named
    seen = {name for name, is_seen in zip(model.classes.names, model.classes.is_seen) if is_seen}
    return dataclasses.replace(table, is_seen=np.array([named and name in seen for name in table.names])), named


def _in_order(model: trained.Trained) -> tuple[data.ClassTable, bool]:
    described = model.record["dataset"]
    rows = described.get("rows")
    own = dataclasses.replace(model.classes, trained=None)
    return (own if rows is None else own[np.argsort(rows)]), described.get("named", True)


def _named(model: trained.Trained, names: Sequence[str]) -> data.ClassTable:
    try:
        return candidates_lib.named(model, names)
    except errors.UserError as error:
        unknown = next(name for name in names if name not in set(model.classes.names))
        raise errors.UserError(f"{errors.unknown('class', unknown, model.classes.names)}; {error}") from error


def _decided(model: trained.Trained, inputs: Any, table: data.ClassTable, *, top: int, gamma) -> tuple[Any, Any]:
    """Rows of the best classes `[N, top]` and their scores."""
    if gamma is not None and not (np.ndim(gamma) == 0 and np.asarray(gamma).dtype.kind in "fiu" and np.isfinite(gamma)):
        raise errors.UserError(f"gamma={gamma!r} is not a finite number")
    found = list(predicting.decided(model, table, [_block(model, inputs)], top=top, gamma=gamma))
    return tuple(np.concatenate([part[place][: len(names)] for names, _, part in found]) for place in (1, 0))


def _block(model: trained.Trained, inputs: Any) -> input_files.Block:
    """The inputs with names of theirs."""
    if model.kind == "texts" and not hasattr(inputs, "dtype"):
        rows = model.stage().function(list(inputs))
    else:
        rows = in_memory.rows_of(inputs)
    return input_files.Block([f"row {number}" for number in range(inputs_lib.count(rows))], rows)
