"""From the text of a config to what training asks: one loss, a weighted sum of several, or a function of your own.

circle                          its knobs are `scale`, `margin`
warp+0.1*self_calibration       knobs are `warp.margin`, `warp.weight`, `self_calibration.bias`, ...
package.module:function         keyword arguments with a number as default are its knobs
"""

import dataclasses
import functools
import importlib
import inspect
import math
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from zsl_jax import errors, rules, similarity
from zsl_jax.methods.objectives import compared as compared_lib
from zsl_jax.methods.objectives import kinds, table
from zsl_jax.methods.objectives import memory as memory_lib

_TERM = re.compile(r"(?:(?P<weight>[0-9][0-9.]*(?:e-?[0-9]+)?)\*)?(?P<name>[A-Za-z_][\w.]*(?::\w+)?)")
_WEIGHT = rules.Knob("weight in the sum", rules.number(0, ends="[)"))


class Objective(NamedTuple):
    """What training asks of images and classes.

    Fields:
      loss: `(compared, **learned) -> [B]`.
      unit: whether scores are cosines; inner products otherwise. The first loss of a sum says it for all terms.
      from_zero: whether a linear map may start at 0: only scores are looked at, as they are.
      divides: see `base.Method`.
      sees: see `base.Method`.
      learned: values at the start of the knobs that a method may train.
      joins: whether images of earlier batches may join the batch.
      swaps: whether a wrong description made for each image can join the classes.
      chooses: whether the classes that an image is compared with can be chosen.
      on_scores: whether all terms look at scores of classes alone, of any similarity.
      compare: `(images, described) -> [B, C]`; None for what `unit` says.
      axes: whether attributes are looked at one by one, so that they must be as they came.
      memory: of what `Compared.notes` holds; None for nothing.
      names: of the terms.
      parts: `(compared, **learned) -> [T]` of `[B]`, the terms times their weights.
      values: of all knobs, by their dotted names.
      weights: values at the start of weights that every method trains.
      raw: whether inputs are compared with descriptions as they came.
      margins: whether a term has a margin that may differ from pair to pair of classes.
      prefixes: lengths at which the first entries are trained as well.
      score_width: first entries that scores use; 0 for all.
    """

    loss: Callable[..., jax.Array]
    unit: bool
    from_zero: bool
    divides: bool
    sees: frozenset[str]
    learned: dict[str, Any]
    joins: bool = False
    chooses: bool = False
    swaps: bool = False
    on_scores: bool = False
    compare: Callable[[jax.Array, jax.Array], jax.Array] | None = None
    axes: bool = False
    memory: memory_lib.Memory | None = None
    names: tuple[str, ...] = ()
    parts: Callable[..., list[jax.Array]] | None = None
    values: Mapping[str, Any] = types.MappingProxyType({})
    weights: Mapping[str, Any] = types.MappingProxyType({})
    raw: bool = False
    margins: bool = False
    prefixes: tuple[int, ...] = ()
    score_width: int = 0

    def scores(self, images: jax.Array, described: jax.Array) -> jax.Array:
        """Returns `[B, C]`, images and classes compared as in training."""
        compare = self.compare or (similarity.cosine if self.unit else similarity.dot)
        used = self.score_width or images.shape[1]
        return compare(images[:, :used], described[:, :used])

    def free_weights(self) -> dict[str, jax.Array]:
        """Returns the weights that are trained as numbers that may be negative, their logarithms."""
        return {name: jnp.log(jnp.asarray(value, jnp.float32)) for name, value in self.weights.items()}

    def term_weights(self, free: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Returns the weights again, as `loss` takes them."""
        return {name: jnp.exp(value) for name, value in free.items()}


class Term(NamedTuple):
    """A part of a sum: its name in the config, its weight and its loss."""

    name: str
    weight: float
    loss: table.Loss


def terms(text: str) -> tuple[Term, ...]:
    """Returns the parts of a sum such as `warp+0.1*self_calibration`.

    Raises:
      UserError: what is no sum of losses, an unknown loss, or the same one twice.

    >>> [(term.name, term.weight) for term in terms("warp+0.1*uniformity")]
    [('warp', 1.0), ('uniformity', 0.1)]
    """
    found = []
    for part in text.replace(" ", "").split("+"):
        match = _TERM.fullmatch(part)
        if match is None:
            raise errors.UserError(
                f"loss={text!r}: {part!r} is no loss: write NAME, a sum such as warp+0.1*self_calibration, or "
                "package.module:function"
            )
        name = match["name"]
        loss = _own(name) if ":" in name else _named(name)
        found.append(Term(name.rpartition(":")[2], float(match["weight"] or 1), loss))
    names = [term.name for term in found]
    if len(set(names)) < len(names):
        raise errors.UserError(f"loss={text!r} names a loss twice: give it once, with the sum of the weights")
    if not any(term.loss.alone for term in found):
        raise errors.UserError(
            f"loss={text!r} trains nothing by itself: add it to a loss, such as softmax_cross_entropy+0.1*{names[0]}"
        )
    return tuple(found)


def section(text: str) -> dict[str, Any]:
    """Returns the knobs of a loss with their defaults; of a sum, those of each term by its name, and its weight.

    >>> section("cosface")
    {'margin': 0.35, 'scale': 64.0}
    """
    found = terms(text)
    if len(found) == 1:
        return found[0].loss.defaults
    return {term.name: {"weight": term.weight, **term.loss.defaults} for term in found}


def knobs(text: str) -> dict[str, rules.Knob]:
    """Returns what the knobs of a loss may be, by their dotted names."""
    found = terms(text)
    if len(found) == 1:
        return dict(found[0].loss.knobs)
    return {
        f"{term.name}.{name}": knob for term in found for name, knob in {"weight": _WEIGHT, **term.loss.knobs}.items()
    }


def make(loss: str | Callable | Objective, **given: Any) -> Objective:
    """Returns the objective of a loss.

    Args:
      loss: a text as a config has it, or a function that takes what one of `kinds.KINDS` says.
      **given: knobs by their dotted names; the others have their defaults. They may be traced.

    Raises:
      UserError: an unknown loss or knob.
    """
    if isinstance(loss, Objective):
        return loss
    parts = terms(loss) if isinstance(loss, str) else (Term(_name(loss), 1.0, _of_function(_name(loss), loss)),)
    known = {}
    for term in parts:
        prefix = f"{term.name}." if len(parts) > 1 else ""
        known |= {f"{prefix}weight": term.weight} if prefix else {}
        known |= {f"{prefix}{name}": value for name, value in term.loss.defaults.items()}
    for name in given:
        if name not in known:
            raise errors.unknown(f"knob of loss {loss}", name, known)
    values = known | given
    first = parts[0].loss

    sees = frozenset().union(*(term.loss.kind.sees for term in parts))

    def weighted(given: compared_lib.Compared, **learned: Any) -> list[jax.Array]:
        of_unit_length = given.of_unit_length() if any(term.loss.unit for term in parts) else given
        found = []
        for term in parts:
            prefix = f"{term.name}." if len(parts) > 1 else ""
            now = values | learned
            options = {name: now[prefix + name] for name in term.loss.defaults}
            if _has(term.loss.function, "axis_name"):
                options["axis_name"] = given.axis_name
            seen = of_unit_length if first.unit or term.loss.unit else given
            # Inputs without a label are there for the terms that ask for them.
            of_labelled = "test inputs" in sees and "test inputs" not in term.loss.kind.sees
            seen = seen.of_labelled() if of_labelled else seen
            seen = seen if term.loss.margins else dataclasses.replace(seen, apart=None)
            values_of_rows = compared_lib.per_row(term.loss.kind.call(term.loss.function, seen, options), given)
            values_of_rows = jnp.where(given.labels >= 0, values_of_rows, 0.0) if of_labelled else values_of_rows
            found.append(now[f"{prefix}weight"] * values_of_rows if prefix else values_of_rows)
        return found

    def total(given: compared_lib.Compared, **learned: Any) -> jax.Array:
        found = weighted(given, **learned)
        return sum(found[1:], found[0])

    return Objective(
        loss=total,
        unit=first.unit,
        from_zero=all(term.loss.kind.by_row and not term.loss.unit for term in parts),
        divides=all(_divides(term.loss) for term in parts),
        sees=sees,
        names=tuple(term.name for term in parts),
        parts=weighted,
        values=values,
        joins=any(term.loss.kind.joins for term in parts),
        on_scores=all(term.loss.kind.on_scores and not term.loss.unit for term in parts),
        axes=any(term.loss.axes for term in parts),
        chooses=any(term.loss.kind.chooses for term in parts),
        swaps=all(term.loss.kind.swaps for term in parts),
        raw=any(term.loss.kind.raw for term in parts),
        margins=any(term.loss.margins for term in parts),
        learned={
            name: values[name]
            for term in parts
            for name in ((f"{term.name}." if len(parts) > 1 else "") + knob for knob in term.loss.learned)
        },
    )


def is_sum(text: Any) -> bool:
    """Whether a text names a loss or a sum of losses."""
    try:
        return bool(terms(text)) if isinstance(text, str) else callable(text) or isinstance(text, Objective)
    except errors.UserError:
        return False


def is_evidential(text: str) -> bool:
    """Whether a term of a sum takes scores for evidence.

    >>> is_evidential("evidential_log"), is_evidential("warp")
    (True, False)
    """
    return any(kinds.positional(term.loss.function)[0] == "evidence" for term in terms(text))


KNOB = rules.Knob(
    "loss: a name, a weighted sum of names, or package.module:function",
    rules.Rule(is_sum, "the name of a loss, a sum such as warp+0.1*self_calibration, or package.module:function"),
)


def _divides(loss: table.Loss) -> bool:
    return loss.kind.by_row or (loss.kind.divides and _has(loss.function, "axis_name"))


def _has(function: Callable, name: str) -> bool:
    return name in inspect.signature(function).parameters


def _named(name: str) -> table.Loss:
    if name in table.ELSEWHERE:
        raise errors.UserError(f"loss {name!r} is no choice: it is {table.ELSEWHERE[name]}")
    if name not in table.LOSSES:
        raise errors.unknown("loss", name, table.LOSSES)
    return table.LOSSES[name]


def _own(name: str) -> table.Loss:
    """The function `package.module:function`."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise errors.UserError(f"loss {name!r}: {error}; Python finds modules in PYTHONPATH") from error
    if not callable(found):
        raise errors.UserError(f"loss {name!r}: the module {module} has no function {function}")
    return _of_function(name, found)


def _of_function(name: str, function: Callable) -> table.Loss:
    """A loss of somebody's own: its knobs are its keyword arguments with a number as default."""
    kind = kinds.kind_of(name, function)
    if not _has(function, "where"):
        if not kind.by_row:
            raise errors.UserError(
                f"loss {name!r} compares the rows of a batch: it takes where=[B], which rows count, as well"
            )
        function = _without_where(function)
    finite = rules.number(-math.inf)
    numbers = {
        parameter.name: rules.Knob("of your own loss", finite)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and isinstance(parameter.default, float)
    }
    unit = kinds.positional(function)[0] == "cosines"
    return table.Loss(function, numbers, unit=unit)


def _without_where(function: Callable) -> Callable:
    @functools.wraps(function)
    def loss(*args, where=None, **options):
        del where
        return function(*args, **options)

    return loss


def _name(function: Callable) -> str:
    return getattr(function, "__name__", "given")
