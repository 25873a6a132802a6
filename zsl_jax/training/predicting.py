"""Inputs of any number through a trained method, a block at a time: the best classes, how sure, and why."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, errors, explain, methods, metrics
from zsl_jax.data import input_files
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.methods import normalization
from zsl_jax.training import asking, problems, trained


class Candidate(NamedTuple):
    """A class with its score (calibrated) and its probability among the candidates."""

    name: str
    score: float
    probability: float


class Reasons(NamedTuple):
    """Why the best class and not the next: `margin`, the difference of their scores, is the sum of all the rest.

    Fields:
      runner_up: the second best class, which the best one is compared with.
      attributes: the largest contributions by name, the largest first; an attribute that is not there may speak for a
        class, too.
      others: the sum of all other attributes' contributions.
      calibration: what gamma adds, where one of the two classes is seen and the other is not.
    """

    runner_up: str
    margin: float
    attributes: dict[str, float]
    others: float
    calibration: float


class Prediction(NamedTuple):
    """The best candidates of an input, best first, and, where asked, the reasons."""

    name: str
    candidates: list[Candidate]
    reasons: Reasons | None


def predict(
    model: trained.Trained,
    classes: data.ClassTable,
    inputs: Iterable[input_files.Block],
    *,
    top: int = 1,
    gamma: float | None = None,
    num_reasons: int = 0,
) -> Iterator[Prediction]:
    """Yields one prediction per input, in their order.

    Args:
      model: from `trained.load`.
      classes: the candidates.
      inputs: blocks of what the model was trained on, or of images where it knows how to make inputs of them.
      top: how many candidates, at most all classes.
      gamma: subtracted from the scores of seen classes; None for the one chosen on validation classes.
      num_reasons: how many attributes to name; 0 for no reasons.

    Raises:
      UserError: inputs of another shape or without any number but 0, or reasons asked of a method that has none.
    """
    if num_reasons and model.method.together is not None:
        raise errors.UserError(
            f"{model.record['method']} decides on all inputs together, so that no attributes of one input explain its "
            "answer: leave --explain out"
        )
    gamma = model.gamma if gamma is None else gamma
    top = min(top, len(classes))
    why = _reasons(model, classes, gamma, num_reasons) if num_reasons else None
    for names, rows, (scores, best, probabilities) in decided(model, classes, inputs, top=top, gamma=gamma):
        reasons = why(rows)[: len(names)] if why else [None] * len(names)
        for i in range(len(names)):
            candidates = [
                Candidate(classes.names[row], float(score), float(probability))
                for row, score, probability in zip(best[i], scores[i], probabilities[i])
            ]
            yield Prediction(names[i], candidates, reasons[i])


def decided(
    model: trained.Trained,
    classes: data.ClassTable,
    inputs: Iterable[input_files.Block],
    *,
    top: int,
    gamma: float | None = None,
) -> Iterator[tuple[Sequence[str], Any, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Yields names and inputs of a part with scores, rows of the classes and probabilities, `[n, top]`, best first.

    The arrays may have more rows than there are names: the others only fill up.

    Raises:
      Diverged: a score is not finite.
    """
    gamma = model.gamma if gamma is None else gamma
    given = (trained.described(model, classes), jnp.asarray(classes.is_seen), gamma, model.temperature)
    decide = _decided if model.method.together is None else _decided_together
    for names, rows, found in decide(model, _parts(model, inputs), *given, top=top):
        if not np.isfinite(found[0][: len(names)]).all():
            raise errors.Diverged(f"a score is not finite at or after {names[0]}")
        yield names, rows, found


def _parts(model: trained.Trained, inputs: Iterable[input_files.Block]) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    """Names, and inputs filled up to a shape of few: one shape, one program."""
    for names, rows in inputs:
        rows = asking.as_inputs(model, rows, names[0])
        asking.check_directions(rows, names)
        for first in range(0, len(names), asking.BLOCK):
            part = inputs_lib.take(rows, slice(first, first + asking.BLOCK))
            padding = _padding(inputs_lib.count(part))
            filled = jax.tree.map(
                lambda x, n=padding: np.concatenate([x, np.broadcast_to(x[:1], (n, *x.shape[1:]))]), part
            )
            yield names[first : first + asking.BLOCK], filled


def _decided(model: trained.Trained, parts, *given, top: int):
    """Each part with what its inputs come to, one by one."""
    for names, rows in parts:
        yield names, rows, jax.device_get(_best(model.state, rows, *given, method=model.method, top=top))


def _decided_together(model: trained.Trained, parts, *given, top: int):
    """All inputs gathered, and decided upon at once: an answer depends on the other inputs."""
    gathered = list(parts)
    embed = jax.jit(model.method.embed)
    embedded = [(embed(model.state, rows), len(names)) for names, rows in gathered]
    cut = [jax.tree.map(lambda x, count=count: x[:count], images) for images, count in embedded]
    images = jax.tree.map(lambda *x: jnp.concatenate(x), *cut)
    names = [name for part, _ in gathered for name in part]
    found = _best_together(model.state, images, *given, method=model.method, top=top)
    yield names, None, jax.device_get(found)


def _padding(count: int) -> int:
    """Rows that fill a block up to the next power of two, so that few programs are compiled."""
    return min(asking.BLOCK, 1 << (count - 1).bit_length()) - count


@functools.partial(jax.jit, static_argnames=("method", "top"))
def _best(state, inputs, described, is_seen, gamma, temperature, *, method: methods.Method, top: int):
    """Returns scores, rows of the table and probabilities `[B, top]` of the best classes."""
    scores = trained.calibrated_scores(method, state, inputs, described, is_seen, gamma)
    return _top(scores, temperature, top)


@functools.partial(jax.jit, static_argnames=("method", "top"))
def _best_together(state, images, described, is_seen, gamma, temperature, *, method: methods.Method, top: int):
    """The same of embedded inputs, by the method's joint decision."""
    where = jnp.ones(len(jax.tree.leaves(images)[0]), bool)
    scores = method.together(state, images, where, described, jax.random.key(0))
    return _top(metrics.calibrated_stacking(scores, is_seen, gamma), temperature, top)


def _top(scores, temperature, top: int):
    best, rows = jax.lax.top_k(scores, top)
    return best, rows, jnp.take_along_axis(jax.nn.softmax(scores / temperature), rows, axis=1)


def _reasons(
    model: trained.Trained, classes: data.ClassTable, gamma: float, count: int
) -> Callable[[np.ndarray], list[Reasons]]:
    method, scaled = explainable(model, classes)
    offsets = -gamma * np.asarray(classes.is_seen, np.float32)

    def of(inputs: np.ndarray) -> list[Reasons]:
        found = jax.device_get(explain.margin(method, model.state, inputs, scaled, offsets=offsets))
        result = []
        for first, second, margin, contributions in zip(*found):
            calibration = float(offsets[first] - offsets[second])
            rows, others = explain.largest(contributions, count)
            named = {model.attributes[row]: float(contributions[row]) for row in rows if contributions[row]}
            result.append(Reasons(classes.names[second], float(margin) + calibration, named, others, calibration))
        return result

    return of


def explainable(model: trained.Trained, classes: data.ClassTable) -> tuple[methods.Method, data.ClassTable]:
    """Returns the method without its scaling of classes, and the table scaled: what `explain` takes."""
    scaling = dict(model.config.normalize)
    if scaling["classes"] == "none":
        return model.method, classes
    method = problems.make_method(model.config, scaling=scaling | {"classes": "none"})
    scaled = jax.jit(normalization.scaled, static_argnames="how")(classes.embedding, how=scaling["classes"])
    return method, dataclasses.replace(classes, embedding=jax.tree.map(np.asarray, scaled))
