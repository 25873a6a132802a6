"""The one place that scores: inputs embedded, classes described, compared, and folded to the rows of each look.

    a state --describe--> classes in padded blocks, once          --scores, a block by a chunk--> fold --join--> Rows
            --embed-----> the inputs of a set, block by block

Without "other candidates" the looks share one description of the task's classes, and candidates are taken a chunk at a
time where their scores would not fit. With it every look has its own table, described whole. With `together` the
embedded inputs of a look are gathered first.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import errors, metrics
from zsl_jax.data import dataset
from zsl_jax.methods import base
from zsl_jax.training import blocks as blocks_lib
from zsl_jax.training import parallel, processes, protocols

_CHUNK = 4096  # candidates that are compared at a time

Score = Callable[..., dict[str, metrics.Rows]]


def make_score(
    method: base.Method,
    task: dataset.Task,
    looks: Mapping[str, protocols.Look],
    mesh,
    *,
    chunk: int = _CHUNK,
    should_stop: Callable[[], bool] = lambda: False,
) -> Score:
    """Returns `score(finished_state, temperatures=()) -> {look: Rows}`, NumPy arrays; compiled once.

    Inputs are scored a block of rows at a time, each device its share; rows that fill up the last block do not count.
    Any number of inputs on any number of devices gives the same answers.

    Args:
      method: what scores.
      task: its sets and classes.
      looks: of a protocol.
      mesh: from `parallel.make_mesh`.
      chunk: candidates that are compared at a time.
      should_stop: asked before each block, on every process.

    Raises:
      Diverged: (when called) a score is not finite.
      Stopped: (when called) `should_stop` said so on any process.
    """
    names = list(dict.fromkeys(name for look in looks.values() for name in look.sets))
    width = min(len(task.classes), chunk)
    size = blocks_lib.size_of([task.sets[name] for name in names], mesh, width)
    blocks = {name: blocks_lib.Blocks(task.sets[name], mesh, size) for name in names}

    def each(name: str):
        for block in blocks[name]:
            stop, _ = processes.agreed(should_stop(), 1)
            if stop:
                raise errors.Stopped("stopped while test inputs were scored")
            yield block

    scored = _score_by_look if needs_own_table(method) else _score_in_chunks
    describe = _Describe(method, mesh)

    def score(state, temperatures: Sequence[float] = ()) -> dict[str, metrics.Rows]:
        found = scored(method, state, task, looks, mesh, each, np.asarray(temperatures, np.float32), width, describe)
        for name, rows in found.items():
            if not rows.finite.all():
                raise errors.Diverged(f"a score of a test input is not finite (look {name})")
        return found

    return score


def score_arrays(method: base.Method, state, sets: Mapping[str, dataset.Examples], classes, looks) -> dict[str, Any]:
    """Returns the `Rows` of each look, all in one go; pure, for states side by side.

    Args:
      method: what scores.
      state: what its `finish` left.
      sets: examples by name.
      classes: the task's table.
      looks: of a protocol.
    """
    shared = None if needs_own_table(method) else method.describe(state, classes)
    embedded = {name: method.embed(state, examples.inputs) for name, examples in sets.items()}

    def rows_of(look):
        labels = jnp.concatenate([sets[name].labels for name in look.sets])
        if shared is not None:
            scores = jnp.concatenate([method.scores(state, embedded[name], shared) for name in look.sets])
            return _fold(scores, look.groups, labels, look=_kept(look))
        images = jax.tree.map(lambda *parts: jnp.concatenate(parts), *(embedded[name] for name in look.sets))
        described = method.describe(state, dataset.take(classes, look.candidates))
        scores = _compare(method, state, images, jnp.ones(len(labels), bool), described)
        rows = _fold(scores, look.groups[look.candidates], _among(labels, _places(look)), look=_kept(look))
        of = jnp.where(rows.of >= 0, jnp.asarray(look.candidates, jnp.int32)[rows.of], -1)
        return rows._replace(label=labels, of=of)

    return {name: rows_of(look) for name, look in looks.items()}


def needs_own_table(method: base.Method) -> bool:
    """Whether a look at a method's scores takes a table of its own candidates and no others."""
    return method.together is not None or "other candidates" in method.sees


def _score_in_chunks(method, state, task, looks, mesh, each, temperatures, width, describe):
    """Every chunk of classes is described once and met by every block of inputs; looks differ in their candidates."""
    count, chunks = len(task.classes), []
    # Every set is asked every look, so that all share a program; what nobody asks for is left where it is.
    asked = tuple((name, _kept(look)) for name, look in looks.items())
    firsts = range(0, count, width)
    embedded: dict[str, list] = {}
    for first in firsts:
        rows = np.arange(first, first + width)
        is_real, rows = rows < count, np.minimum(rows, count - 1)
        described = describe(state, dataset.take(task.classes, rows), first, keep=len(firsts) == 1)
        groups = {name: np.where(is_real, look.groups[rows], -1) for name, look in looks.items()}
        found: dict[str, list] = {name: [] for name in looks}
        for set_name in dict.fromkeys(name for look in looks.values() for name in look.sets):
            # Inputs that several chunks meet are embedded once.
            if len(firsts) > 1 and set_name not in embedded:
                embedded[set_name] = [
                    dataclasses.replace(block, inputs=_embed(state, block.inputs, method=method, mesh=mesh))
                    for block in each(set_name)
                ]
            for block in embedded.get(set_name) or each(set_name):
                scores = _scores(state, block.inputs, described, method=method, is_embedded=set_name in embedded)
                folded = _folded(scores, block.labels, groups, first, temperatures, mesh=mesh, looks=asked)
                for name, part in folded.items():
                    if set_name in looks[name].sets:
                        found[name].append((set_name, part, block.count))
        # In the order of each look's sets, whatever the order in which they were scored.
        chunks.append(
            {
                name: _stacked([p for s in look.sets for owner, *p in found[name] if owner == s])
                for name, look in looks.items()
            }
        )
    joined = {name: functools.reduce(_joined, [chunk[name] for chunk in chunks]) for name in looks}
    return {name: _identified(rows, task, looks[name]) for name, rows in joined.items()}


def _score_by_look(method, state, task, looks, mesh, each, temperatures, width, describe):
    """Every look has its own table; with `together` all of its inputs are embedded before they are scored."""
    del width
    found = {}
    for name, look in looks.items():
        candidates, place = look.candidates.astype(np.int32), _places(look)
        described = describe(state, dataset.take(task.classes, candidates), name)
        groups, given = look.groups[candidates], {"mesh": mesh, "look": _kept(look)}
        blocks = [block for set_name in look.sets for block in each(set_name)]
        if method.together is None:
            parts = []
            for block in blocks:
                scores = _scores(state, block.inputs, described, method=method)
                parts.append((_folded_look(scores, block.labels, place, groups, temperatures, **given), block.count))
        else:
            images = _gathered([(_embed(state, b.inputs, method=method, mesh=mesh), b.count) for b in blocks])
            labels = np.concatenate([np.asarray(task.sets[set_name].labels) for set_name in look.sets])
            images, labels = parallel.replicate((images, labels), mesh)
            decided = _decide(state, images, labels, place, described, groups, temperatures, method=method, **given)
            parts = [(decided, len(labels))]
        rows = _stacked(parts)
        rows = rows._replace(of=np.where(rows.of >= 0, candidates[rows.of], -1))
        if rows.scores is not None:
            scores = np.full((len(rows.own), len(task.classes)), -np.inf, np.float32)
            scores[:, candidates] = rows.scores
            rows = rows._replace(scores=scores)
        found[name] = _identified(rows, task, look)
    return found


class _Describe:
    """Describes tables, each once for as long as the same state is scored: a temperature takes several passes."""

    def __init__(self, method: base.Method, mesh):
        self._method, self._mesh = method, mesh
        self._state, self._found = None, {}

    def __call__(self, state, classes: dataset.ClassTable, name: Any, *, keep: bool = True):
        if self._state is not state:
            self._state, self._found = state, {}
        if name in self._found:
            return self._found[name]
        described = _describe(state, parallel.place_state(classes, self._mesh), method=self._method)
        if keep:
            self._found[name] = described
        return described


class _Kept(NamedTuple):
    """What of a look a compiled program depends on."""

    num_groups: int
    top: int
    keep: bool


def _kept(look: protocols.Look) -> _Kept:
    return _Kept(look.num_groups, look.top, look.keep)


def _places(look: protocols.Look) -> np.ndarray:
    """Returns `[C + 1]` the place of each class among a look's candidates; -1, also at the end, for the others."""
    place = np.full(len(look.groups) + 1, -1, np.int32)
    place[look.candidates] = np.arange(len(look.candidates))
    return place


@functools.partial(jax.jit, static_argnames="method")
def _describe(state, classes, *, method: base.Method):
    return method.describe(state, classes)


@functools.partial(jax.jit, static_argnames=("method", "mesh"))
def _embed(state, inputs, *, method: base.Method, mesh):
    return parallel.keep_whole(method.embed(state, inputs), mesh)


# Scores are a program of their own: in one with what folds them, XLA on a CPU makes scores that are sums of gathered
# parts anew in each pass over them, ten times the work (`benchmarks/bench_pairs.py`).
@functools.partial(jax.jit, static_argnames=("method", "is_embedded"))
def _scores(state, inputs, described, *, method, is_embedded=False):
    return method.scores(state, inputs if is_embedded else method.embed(state, inputs), described)


@functools.partial(jax.jit, static_argnames=("mesh", "looks"))
def _folded(scores, labels, groups, first, temperatures, *, mesh, looks):
    folded = {name: _fold(scores, groups[name], labels, temperatures, first, look=look) for name, look in looks}
    return parallel.keep_whole(folded, mesh)


@functools.partial(jax.jit, static_argnames=("mesh", "look"))
def _folded_look(scores, labels, place, groups, temperatures, *, mesh, look):
    return parallel.keep_whole(_fold(scores, groups, _among(labels, place), temperatures, look=look), mesh)


@functools.partial(jax.jit, static_argnames=("method", "mesh", "look"))
def _decide(state, images, labels, place, described, groups, temperatures, *, method, mesh, look):
    scores = _compare(method, state, images, jnp.ones(len(labels), bool), described)
    return parallel.keep_whole(_fold(scores, groups, _among(labels, place), temperatures, look=look), mesh)


def _among(labels, place):
    """Labels as places among the candidates; those of inputs with several classes stay."""
    return jnp.asarray(place)[labels] if jnp.ndim(labels) == 1 else labels


def _compare(method, state, images, where, described):
    """Scores of embedded inputs, by a joint decision where the method makes one."""
    if method.together is None:
        return method.scores(state, images, described)
    return method.together(state, images, where, described, jax.random.key(0))


def _fold(scores, groups, labels, temperatures=(), first=0, *, look):
    # Several labels per input have no score of their own.
    single = labels if jnp.ndim(labels) == 1 else jnp.full(len(labels), -1)
    kept = {"num_groups": look.num_groups, "top": look.top, "keep": look.keep}
    return metrics.fold(scores, groups, single, first=first, temperatures=temperatures, **kept)._replace(label=labels)


def _gathered(parts: Sequence[tuple[Any, int]]) -> Any:
    """The real rows of embedded blocks, one after another."""
    cut = [jax.tree.map(lambda x, count=count: x[:count], parallel.to_host(images)) for images, count in parts]
    return jax.tree.map(lambda *x: np.concatenate(x), *cut)


def _stacked(parts: Sequence[tuple[metrics.Rows, int]]) -> metrics.Rows:
    """The real rows of blocks, on the host, one after another."""
    on_host = jax.device_get([rows for rows, _ in parts])
    cut = [jax.tree.map(lambda x, count=count: x[:count], rows) for rows, (_, count) in zip(on_host, parts)]
    return jax.tree.map(lambda *x: np.concatenate(x), *cut)


def _joined(a: metrics.Rows, b: metrics.Rows) -> metrics.Rows:
    return jax.device_get(metrics.join(a, b))


def _identified(rows: metrics.Rows, task: dataset.Task, look: protocols.Look) -> metrics.Rows:
    """The rows with the dataset's ids and the task's labels, and kept scores without what filled up a chunk."""
    examples = [task.sets[name] for name in look.sets]
    ids = None if any(x.ids is None for x in examples) else np.concatenate([x.ids for x in examples])
    labels = np.concatenate([np.asarray(x.labels) for x in examples])
    scores = None if rows.scores is None else rows.scores[:, : len(task.classes)]
    return rows._replace(id=ids, label=labels, scores=scores)
