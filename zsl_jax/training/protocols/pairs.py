"""Compositional zero-shot learning: a class is a pair of attribute and object; some pairs were never seen together.

    closed world   candidates are the pairs of training and of the phase; choices are made here, on validation pairs
    open world     candidates are all pairs of an attribute and an object
    feasible       those of the open world whose feasibility, by word vectors or by the vectors that a text tower has of
                   the names, reaches a threshold chosen on validation
    curve          accuracies per image on seen (S) and unseen (U) pairs as gamma is subtracted from seen scores: its
                   area (AUC), the best S and U on it, and the best H = 2US/(U+S)

Reference: Purushwalkam, Nickel, Gupta, Ranzato, "Task-Driven Modular Networks for Zero-Shot Compositional Learning",
ICCV 2019; Mancini, Naeem, Xian, Akata, "Open World Compositional Zero-Shot Learning", CVPR 2021.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import data, errors, metrics
from zsl_jax.data import arrays, dataset, few_shot, pair_splits
from zsl_jax.data import tasks as tasks_lib
from zsl_jax.training.protocols import base

_UNSEEN, _SEEN = 0, 1
# Thresholds of feasibility. Unseen pairs below the first one are the group 0, those from edge k on the group 2 + k.
_EDGES = np.arange(0.2, 0.71, 0.05).astype(np.float32)
_NAME_BYTES = 128  # of a pair's name as a Python string


def tasks(source: dataset.Dataset, config) -> tuple[tuple[dataset.Task, ...], dataset.Task]:
    """Returns the tasks of the validation pairs, and that of the test pairs with all pairs in its table.

    The splits are `train`, `test` and, where the benchmark has one, `validation`; the table's `is_seen` marks the pairs
    of training. Without `validation`, each draw (see `base.folds`) holds out `class_fraction` of the training
    pairs, such that every attribute and object stays in another one, and `image_fraction` of the inputs of the others.
    Where no pair can be held out, nothing is chosen.

    Raises:
      UserError: classes that are no pairs, a split without inputs, or more pairs than memory holds.
    """
    if source.parts is None:
        raise errors.UserError(f"{source.name} has no pairs of attribute and object, which protocol=pairs asks for")
    for name in ("train", "validation", "test"):
        if not len(source.splits.get(name, ())) and (name != "validation" or name in source.splits):
            raise errors.UserError(
                f"{source.name} has no {source.kind} in its split {name}, which protocol=pairs asks for"
            )
    source = few_shot.limited(source, config.few_shot.of_seen, seed=config.seed)
    final = _task(source, "test")
    if config.select.on == "nothing":
        choosing = []
    elif config.select.on == "test":
        choosing = [final]
    elif "validation" in source.splits:
        choosing = [_task(source, "validation")]
    else:
        choosing = _drawn(source, config)
    sides = _compared_names(source)
    if not sides:
        return tuple(choosing), _opened(final, source)
    # The threshold of feasibility is chosen in the open world, too.
    *choosing, final = (_with_feasibility(_opened(task, source), sides) for task in (*choosing, final))
    return tuple(choosing), final


def _task(source: dataset.Dataset, split: str) -> dataset.Task:
    """The closed world of a phase: the pairs of training, then the others that the phase has."""
    seen = np.flatnonzero(source.classes.is_seen)
    unseen = np.setdiff1d(source.labels[source.splits[split]], seen)
    splits = {"train": source.splits["train"], "test": source.splits[split]}
    return tasks_lib.make_task(source, np.concatenate([seen, unseen]), len(seen), splits, sets=("test",))


def _drawn(source: dataset.Dataset, config) -> list[dataset.Task]:
    """Tasks inside the training part, in which some of its pairs play the unseen ones."""
    training, share = data.training_part(source), config.select.split
    parts, rng = np.asarray(training.classes.parts), np.random.default_rng(config.seed)
    count, found = max(1, round(share.class_fraction * len(parts))), []
    for _ in range(base.folds(config, len(parts))):
        held_out = pair_splits.draw(parts, count, rng)
        if not len(held_out):
            return []
        count = len(held_out)
        tested = np.isin(training.labels, held_out)
        for row in np.setdiff1d(np.arange(len(parts)), held_out):
            mine = rng.permutation(np.flatnonzero(training.labels == row))
            cut = min(len(mine) - 1, max(1, round(share.image_fraction * len(mine))))
            tested[mine[:cut]] = True
        splits = {"train": np.flatnonzero(~tested), "test": np.flatnonzero(tested)}
        order = np.concatenate([np.setdiff1d(np.arange(len(parts)), held_out), held_out])
        found.append(tasks_lib.make_task(training, order, len(parts) - count, splits, sets=("test",)))
    return tasks_lib.of_one_size(found, rng) if len(found) > 1 else found


def _opened(task: dataset.Task, source: dataset.Dataset) -> dataset.Task:
    """The task with every other pair at the end of its table, where those can be described."""
    if source.describe is None:
        return task
    (attributes, objects), table = source.parts, task.classes
    count = len(attributes) * len(objects)
    row_bytes = table.parts[:1].nbytes + sum(x[:1].nbytes for x in jax.tree.leaves(table.embedding)) + _NAME_BYTES
    if count * row_bytes > arrays.memory():
        raise errors.UserError(
            f"{source.name}: the {count} pairs of {len(attributes)} attributes and {len(objects)} objects need "
            f"{count * row_bytes / 2**30:.1f} GiB as candidates, where this machine has {arrays.memory() / 2**30:.1f}: "
            "data.semantics=parts describes a pair in 8 bytes"
        )
    known = table.parts[:, 0] * len(objects) + table.parts[:, 1]
    rows = np.setdiff1d(np.arange(count), known)
    if not len(rows):
        return task
    parts = np.stack(np.divmod(rows, len(objects)), axis=1).astype(table.parts.dtype)
    others = dataset.ClassTable(
        embedding=None,
        is_seen=np.zeros(len(rows), bool),
        names=tuple(f"{attributes[a]} {objects[o]}" for a, o in parts),
        parts=parts,
        shared=table.shared,
    )
    others = dataclasses.replace(others, embedding=source.describe(others))
    opened = dataclasses.replace(dataset.joined(table, others), trained=table.trained)
    return dataclasses.replace(task, classes=opened)


def _compared_names(source: dataset.Dataset) -> tuple[str, ...]:
    """What classes share that says how near the names of attributes, and of objects, are to each other; or nothing.

    Word vectors that were asked for come before those of a tower.
    """
    of_tower = ("attributes_by_tower", "objects_by_tower")
    if source.info.get("words"):
        return ("attributes", "objects")
    shared = source.classes.shared
    return of_tower if isinstance(shared, dict) and set(of_tower) <= shared.keys() else ()


def _with_feasibility(task: dataset.Task, sides: tuple[str, ...]) -> dataset.Task:
    """The task with the feasibility of each attribute with each object, `[A, O]`, among what its classes share."""
    table = task.classes
    vectors = [table.shared[side] for side in sides]
    cosines = [x @ x.T for x in (x / np.linalg.norm(x, axis=1, keepdims=True) for x in vectors)]
    is_seen = np.zeros([len(x) for x in vectors], bool)
    is_seen[tuple(table.parts[table.is_seen].T)] = True
    feasibility = np.asarray(metrics.pair_feasibility(*cosines, is_seen))
    return dataclasses.replace(
        task, classes=dataclasses.replace(table, shared=table.shared | {"feasibility": feasibility})
    )


def looks(task: dataset.Task, keep: bool = False) -> dict[str, base.Look]:
    """Returns the closed world and, where the table has more pairs than that, the open one."""
    del keep
    table, num_groups = task.classes, 2
    is_seen, num_classes = np.asarray(table.is_seen), len(table)
    groups = np.where(is_seen, _SEEN, _UNSEEN)
    in_closed = is_seen | np.isin(np.arange(num_classes), task.sets["test"].labels)
    found = {"closed": base.Look(("test",), np.where(in_closed, groups, -1), num_groups=2)}
    if isinstance(table.shared, dict) and "feasibility" in table.shared:
        above = np.searchsorted(_EDGES, table.shared["feasibility"][tuple(table.parts.T)], side="right")
        groups = np.where(is_seen | (above == 0), groups, 1 + above)
        num_groups = 2 + len(_EDGES)
    if not in_closed.all():
        found["open"] = base.Look(("test",), groups, num_groups=num_groups)
    return found


def facts(classes: dataset.ClassTable) -> dict[str, Any]:
    return {"is_seen": jnp.asarray(classes.is_seen), "parts": jnp.asarray(classes.parts)}


def choose(rows: dict[str, metrics.Rows], facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the constant gamma with the best harmonic mean in the closed world, the mean over draws.

    Where feasibility is known, also its threshold with the largest area in the open world.
    """

    def best(rows, is_seen):
        unseen, seen, gamma = metrics.curve_of_rows(rows, is_seen, per_image=True)
        return gamma[jnp.argmax(metrics.harmonic_mean(unseen, seen))]

    found = {"gamma": jnp.mean(jax.vmap(best)(rows["closed"], facts["is_seen"]))}
    if "open" in rows and rows["open"].best.shape[2] > 2:

        def area(rows, is_seen, edge):
            unseen, seen, _ = metrics.curve_of_rows(_from_edge(rows, edge), is_seen, per_image=True)
            return metrics.ausuc(unseen, seen)

        # The first one keeps all pairs.
        edges = jnp.concatenate([jnp.full(1, -1.0), _EDGES])
        areas = jax.lax.map(
            lambda edge: jnp.mean(jax.vmap(area, (0, 0, None))(rows["open"], facts["is_seen"], edge)), edges
        )
        found["feasibility"] = edges[jnp.argmax(areas)]
    return found


def _from_edge(rows: metrics.Rows, edge) -> metrics.Rows:
    """The rows of seen and unseen pairs, of these only the groups at or above a threshold of feasibility."""
    kept = jnp.concatenate([jnp.array([edge < _EDGES[0]]), jnp.zeros(1, bool), edge - 1e-6 <= _EDGES])
    best = jnp.where(kept[None, :, None], rows.best, -jnp.inf)
    unseen = jnp.max(best, axis=1, keepdims=True)
    # Of equal scores the lower pair wins, whatever its group.
    last = jnp.iinfo(jnp.int32).max
    of = jnp.min(jnp.where((best == unseen) & jnp.isfinite(best), rows.of, last), axis=1, keepdims=True)
    of = jnp.where(of == last, -1, of)
    seen = slice(_SEEN, _SEEN + 1)
    return rows._replace(
        best=jnp.concatenate([unseen, rows.best[:, seen]], axis=1), of=jnp.concatenate([of, rows.of[:, seen]], axis=1)
    )


def report(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns `{"pairs": {"closed": {...}, "open": {...}, "feasible": {...}}}`; gamma is 0 where nothing is chosen."""
    gamma = knobs.get("gamma", 0.0)
    found = {world: _world(each, facts, gamma) for world, each in worlds(rows, knobs).items()}
    if "feasible" in found:
        found["feasible"]["threshold"] = jnp.asarray(knobs["feasibility"], jnp.float32)
    return {"pairs": found}


def worlds(rows: dict[str, metrics.Rows], knobs: dict[str, Any]) -> dict[str, metrics.Rows]:
    """Returns the rows of each world, in the groups 0, unseen pairs, and 1, seen ones."""
    found = {"closed": rows["closed"]}
    if "open" in rows:
        has_bins = rows["open"].best.shape[1] > 2
        found["open"] = _from_edge(rows["open"], -1.0) if has_bins else rows["open"]
        if has_bins and "feasibility" in knobs:
            found["feasible"] = _from_edge(rows["open"], knobs["feasibility"])
    return found


def _world(rows: metrics.Rows, facts: dict[str, Any], gamma) -> dict[str, Any]:
    is_seen, parts = facts["is_seen"], facts["parts"]
    unseen, seen, _ = metrics.curve_of_rows(rows, is_seen, per_image=True)
    found = metrics.curve_summary(unseen, seen)
    binned = metrics.curve_summary(*metrics.binned_curve_of_rows(rows, is_seen)[:2])
    predictions = predicted(rows, gamma)
    # An image without a finite score has no predicted pair, and neither part of it.
    right = (parts[predictions] == parts[rows.label]) & (predictions >= 0)[:, None]
    of_unseen = ~is_seen[rows.label]
    hit = predictions == rows.label

    def mean(values, where):
        return jnp.sum(values & where) / jnp.maximum(jnp.sum(where), 1)

    u, s = mean(hit, of_unseen), mean(hit, ~of_unseen)
    return {
        "auc": found.auc,
        "harmonic": found.harmonic,
        "seen": found.seen,
        "unseen": found.unseen,
        "attribute": jnp.mean(right[:, 0]),
        "object": jnp.mean(right[:, 1]),
        "binned": binned._asdict(),
        "calibrated": {
            "gamma": jnp.asarray(gamma, jnp.float32),
            "unseen": u,
            "seen": s,
            "harmonic": metrics.harmonic_mean(u, s),
        },
    }


def predicted(rows: metrics.Rows, gamma) -> jax.Array:
    """Returns `[N]` the predicted pairs, with gamma subtracted from the scores of seen ones."""
    return metrics.predicted_class(rows, jnp.stack([jnp.zeros(()), -jnp.asarray(gamma, jnp.float32)]))


def counts(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any]) -> dict[str, Any]:
    """Returns test images and right answers of each pair, `[C]`, in every world with gamma subtracted."""
    num_classes, result = len(facts["is_seen"]), {}
    for world, found in worlds(rows, knobs).items():
        correct, images = metrics.per_class_counts(
            predicted(found, knobs.get("gamma", 0.0)), found.label, num_classes=num_classes
        )
        result |= {"images": images, f"{world}_correct": correct}
    return result


def probabilities(rows: dict[str, metrics.Rows], facts: dict[str, Any], knobs: dict[str, Any], temperatures) -> Any:
    """Returns those of the calibrated scores in the closed world."""
    return base.calibrated_probabilities(rows["closed"], facts["is_seen"], knobs["gamma"], temperatures)


def _metrics(world: str, *, chooses: bool = False) -> tuple[base.Metric, ...]:
    titles = {"auc": "AUC", "harmonic": "H", "seen": "S", "unseen": "U", "attribute": "attr.", "object": "obj."}
    curves = {"harmonic": "H, calibrated"}
    return tuple(
        base.Metric(
            f"{world}_{name}",
            ("pairs", world, name),
            f"{world} {title}",
            choice=name if chooses else None,
            curve=curves.get(name, ""),
        )
        for name, title in titles.items()
    )


PAIRS = base.Protocol(
    name="pairs",
    tasks=tasks,
    looks=looks,
    facts=facts,
    choose=choose,
    report=report,
    counts=counts,
    probabilities=probabilities,
    unchosen=(("gamma", 0.0),),
    best="closed_auc",
    schema=(*_metrics("closed", chooses=True), *_metrics("open"), *_metrics("feasible")),
)
