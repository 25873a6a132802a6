"""What is taken for what: the confusion matrix in its seen | unseen blocks, and the worst confusions with reasons."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax.plots import attributes as attributes_lib
from zsl_jax.plots.style import colour, paint_labels, readable

_MAX_LABELS = 70


class Pair(NamedTuple):
    """A confusion: images of class `label` that were given to class `predicted`, and which share of it they are."""

    label: int
    predicted: int
    share: float


def confusion_matrix(labels, predictions, *, names: Sequence[str], is_seen) -> mpl_figure.Figure:
    """Returns the confusion matrix, one row per class and each row a distribution, seen classes first.

    Args:
      labels: `[N]` rows of the class table.
      predictions: `[N]`, rows too.
      names: of the classes.
      is_seen: `[C]` bool, the seen classes first.
    """
    is_seen = np.asarray(is_seen, bool)
    counts = _counts(labels, predictions, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # A label of 8 points takes 0.15 inches.
    side = max(8.0, 2.0 + 0.15 * len(names)) if len(names) <= _MAX_LABELS else 8.0
    figure = mpl_figure.Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(np.sqrt(shares), cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    num_seen = int(is_seen.sum())
    for draw in (axes.axhline, axes.axvline):
        draw(num_seen - 0.5, color="black", linewidth=1)
    if len(names) <= _MAX_LABELS:
        texts = [readable(name) for name in names]
        axes.set_xticks(range(len(names)), texts, rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), texts, fontsize=8)
        paint_labels(axes.get_xticklabels(), is_seen)
        paint_labels(axes.get_yticklabels(), is_seen)
    else:
        sides = [(0, num_seen, "seen"), (num_seen, len(names), "unseen")]
        ticks = [(first + last) / 2 for first, last, _ in sides]
        axes.set_xticks(ticks, [f"{last - first} {side}" for first, last, side in sides])
        axes.set_yticks(ticks, [f"{last - first} {side}" for first, last, side in sides], rotation=90, va="center")
        paint_labels(axes.get_xticklabels(), (True, False))
        paint_labels(axes.get_yticklabels(), (True, False))
    axes.set(xlabel="predicted", ylabel="class of the image")
    bar = figure.colorbar(image, ax=axes, shrink=0.5, ticks=np.sqrt([0, 0.05, 0.25, 0.5, 1]))
    bar.ax.set_yticklabels(["0", "5 %", "25 %", "50 %", "100 %"], fontsize=8)
    bar.set_label("share of a class's test images", fontsize=8)
    lost = _crossing(labels, predictions, is_seen)
    axes.set_title(
        f"{100 * lost[0]:.0f} % of the images of unseen classes go to seen ones, "
        f"{100 * lost[1]:.0f} % of those of seen classes to unseen ones",
        fontsize=10,
    )
    return figure


def worst_pairs(labels, predictions, num_classes: int, count: int) -> list[Pair]:
    """Returns the confusions that take the largest share of a class's images, worst first."""
    counts = _counts(labels, predictions, num_classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    worst = np.argsort(-shares, axis=None, kind="stable")[:count]
    pairs = [Pair(*map(int, divmod(int(place), num_classes)), float(shares.flat[place])) for place in worst]
    return [pair for pair in pairs if pair.share > 0]


def confusions(
    pairs: Sequence[Pair], contributions, *, names: Sequence[str], attributes: Sequence[str], is_seen
) -> mpl_figure.Figure:
    """Returns the attributes behind each confusion: what spoke for the predicted class and against the right one.

    Args:
      pairs: from `worst_pairs`.
      contributions: `[P, A]`, for each pair the mean over its images of the contributions to the margin of the
        predicted class over the right one.
      names: of the classes.
      attributes: names `[A]`.
      is_seen: `[C]` bool.
    """
    columns = min(3, max(len(pairs), 1))
    rows = -(-len(pairs) // columns)
    figure = mpl_figure.Figure(figsize=(4 * columns, 2.9 * rows + 0.5), layout="constrained")
    figure.suptitle(
        "the worst confusions, and what spoke for the wrong class (black) and for the right one (grey)", fontsize=11
    )
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, pair, values in zip(panels, pairs, contributions):
        attributes_lib.reasons(axes, attributes, values)
        lines = (
            (1.13, f"{100 * pair.share:.0f} % of {_short(names[pair.label])}", pair.label),
            (1.03, f"taken for {_short(names[pair.predicted])}", pair.predicted),
        )
        for height, text, row in lines:
            axes.text(0.5, height, text, transform=axes.transAxes, ha="center", fontsize=9, color=colour(is_seen[row]))
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    return figure


def _short(name: str) -> str:
    return textwrap.shorten(readable(name), 40, placeholder=" …")


def _counts(labels, predictions, num_classes: int) -> np.ndarray:
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (np.asarray(labels), np.asarray(predictions)), 1)
    return counts


def _crossing(labels, predictions, is_seen) -> tuple[float, float]:
    """The share of unseen classes' images that are given to seen classes, and the reverse."""
    of_seen, to_seen = is_seen[np.asarray(labels)], is_seen[np.asarray(predictions)]
    return (
        float(np.mean(to_seen[~of_seen])) if (~of_seen).any() else 0.0,
        float(np.mean(~to_seen[of_seen])) if of_seen.any() else 0.0,
    )
