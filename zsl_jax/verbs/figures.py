"""The figures that a run leaves in its workdir, and what each of them shows."""

import collections
import pathlib

import jax
import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax import errors, explain, metrics, plots
from zsl_jax.data import inputs as inputs_lib
from zsl_jax.training import logs, predicting, protocols, run, trained
from zsl_jax.training.protocols import pairs as pairs_protocol
from zsl_jax.verbs.captions import CAPTIONS

_WORST, _STRIPS, _EXAMPLES = 6, 6, 24
_MOST_PARTS = 24  # attributes, and objects, of a matrix
_BLOCK, _IMAGES = 256, 4000  # images explained at a time, and in all


def draw(result: run.Result, workdir: pathlib.Path) -> list[str]:
    """Writes the figures of a run into its workdir; returns the names of the files."""
    drawn = figures(result, workdir)
    for name, figure in drawn.items():
        plots.save(figure, workdir / name)
    return list(drawn)


def figures(result: run.Result, workdir: pathlib.Path) -> dict[str, mpl_figure.Figure]:
    """Returns the figures that a run has the data for, by the names in `CAPTIONS` and in their order.

    Args:
      result: of `run.run` or `run.evaluate`.
      workdir: of the run.
    """
    found = {}
    entries = [entry for entry in logs.entries(workdir / "metrics.jsonl") if "loss" in entry]
    if entries:
        scores = protocols.find(result.record["protocol"]).choices()
        labels = {name: metric.curve for name, metric in scores.items() if metric.curve}
        found["curves.png"] = plots.training_curves(entries, result.record["selection"], labels)
    if result.record["protocol"] in _OF_PROTOCOL:
        found |= _OF_PROTOCOL[result.record["protocol"]](result, workdir)
    return {name: found[name] for name in CAPTIONS if name in found}


def _of_gzsl(result: run.Result, workdir: pathlib.Path) -> dict[str, mpl_figure.Figure]:
    record, scored, task = result.record, result.evaluated, result.task
    names, is_seen = task.classes.names, np.asarray(task.classes.is_seen)
    answers, labels = plots.answers(scored), scored.rows["gzsl"].label
    found = {
        "story.png": plots.story(record, answers, task, result.unseen_images),
        "confusion.png": plots.confusion_matrix(labels, answers.gzsl, names=names, is_seen=is_seen),
        **_explained(workdir, task, labels, answers.gzsl),
    }
    if result.unseen_images is not None:
        unseen = np.flatnonzero(~is_seen)
        rows = unseen[np.linspace(0, len(unseen) - 1, min(_STRIPS, len(unseen))).astype(int)]
        looked = scored.rows["zsl"]
        if looked.scores is not None:
            found["retrieval.png"] = plots.retrieval(
                result.unseen_images, looked.scores, looked.label, names=names, rows=rows
            )
    if result.pairs is not None:
        found["pairs.png"] = _pair_matrix(result, scored.counts["gzsl_correct"])
    return found


def _of_pairs(result: run.Result, workdir: pathlib.Path) -> dict[str, mpl_figure.Figure]:
    del workdir
    scored, is_seen = result.evaluated, np.asarray(result.task.classes.is_seen)
    curves = {}
    for world, rows in pairs_protocol.worlds(scored.rows, scored.knobs).items():
        unseen, seen, _ = metrics.curve_of_rows(rows, is_seen, per_image=True)
        curves[world] = (np.asarray(unseen), np.asarray(seen))
    found = {
        "bias.png": plots.bias_curves(curves, result.record["metrics"]["pairs"]),
        "pairs.png": _pair_matrix(result, scored.counts["closed_correct"]),
    }
    if result.unseen_images is not None:
        closed = scored.rows["closed"]
        predictions = np.asarray(pairs_protocol.predicted(closed, scored.knobs.get("gamma", 0.0)))
        unseen = np.flatnonzero(~is_seen[closed.label])
        shown = np.linspace(0, len(unseen) - 1, min(_EXAMPLES, len(unseen))).astype(int)
        found["examples.png"] = plots.pair_examples(
            inputs_lib.decoded(result.unseen_images[shown]),
            [result.pairs[row] for row in closed.label[unseen[shown]]],
            [result.pairs[row] for row in predictions[unseen[shown]]],
        )
    return found


_OF_PROTOCOL = {"gzsl": _of_gzsl, "pairs": _of_pairs}


def _pair_matrix(result: run.Result, correct: np.ndarray) -> mpl_figure.Figure:
    """The matrix of the attributes and objects with the most test images, and of these the pairs that are there."""
    images, is_seen = result.evaluated.counts["images"], np.asarray(result.task.classes.is_seen)
    kept = np.flatnonzero(is_seen | (images > 0))
    for side in (0, 1):
        totals = collections.Counter()
        for row in kept:
            totals[result.pairs[row][side]] += int(images[row])
        shown = {name for name, _ in totals.most_common(_MOST_PARTS)}
        kept = np.array([row for row in kept if result.pairs[row][side] in shown])
    accuracies = np.where(images[kept] > 0, correct[kept] / np.maximum(images[kept], 1), np.nan)
    return plots.pair_matrix([result.pairs[row] for row in kept], accuracies, is_seen[kept])


def _explained(workdir: pathlib.Path, task, labels, predictions) -> dict:
    """The figures in the space of attributes, for methods whose score is a sum over them; none for the others."""
    inputs = inputs_lib.joined(task.sets["test_unseen"].inputs, task.sets["test_seen"].inputs)
    pairs = plots.worst_pairs(labels, predictions, len(task.classes), _WORST)
    try:
        model = trained.load(workdir, say=lambda line: None)
        method, classes = predicting.explainable(model, task.classes)
        contributions = _contributions(method, model.state, inputs, classes, labels, predictions, pairs)
        chosen = np.unique(np.linspace(0, len(inputs) - 1, _IMAGES).astype(int))
        count = -(-len(chosen) // _BLOCK)
        chosen = chosen[: len(chosen) // count * count]  # equal parts share a program
        labels = labels[chosen]
        blocks = (inputs_lib.decoded(inputs[part]) for part in np.split(chosen, count))
        directions = np.concatenate([explain.directions(method, model.state, block, classes) for block in blocks])
    except errors.UserError:
        return {}
    shared = {"names": classes.names, "is_seen": np.asarray(classes.is_seen)}
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    unit = directions / np.where(lengths > 0, lengths, 1)
    means = np.stack([directions[labels == row].mean(axis=0) for row in range(len(classes)) if (labels == row).any()])
    present = [row for row in range(len(classes)) if (labels == row).any()]
    figures = {
        "attributes.png": plots.attribute_maps(
            np.asarray(task.classes.embedding)[present],
            means,
            names=[classes.names[row] for row in present],
            attributes=model.attributes,
            is_seen=shared["is_seen"][present],
        ),
        "embeddings.png": plots.embeddings(unit, labels, _unit(classes.embedding), **shared),
    }
    if pairs:
        figures["confusions.png"] = plots.confusions(pairs, contributions, attributes=model.attributes, **shared)
    return figures


def _contributions(method, state, inputs, classes, labels, predictions, pairs) -> list[np.ndarray]:
    """For each confusion the mean contributions `[A]` to the margin of the predicted class over the right one."""
    if not pairs:
        return []
    of_pair = [np.flatnonzero((labels == pair.label) & (predictions == pair.predicted))[:_BLOCK] for pair in pairs]
    rows = np.concatenate(of_pair)
    found = jax.device_get(
        explain.margin(
            method, state, inputs_lib.decoded(inputs[rows]), classes, first=predictions[rows], second=labels[rows]
        )
    )
    ends = np.cumsum([len(part) for part in of_pair])[:-1]
    parts = zip(*(np.split(field, ends) for field in found))
    return [np.asarray(explain.average(explain.Explanation(*part)).contributions[0]) for part in parts]


def _unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
