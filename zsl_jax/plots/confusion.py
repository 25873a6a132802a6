"""What is taken for what: the confusion matrix in its seen | unseen blocks, and the worst confusions with reasons."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax.plots import attributes as attributes_lib
from zsl_jax.plots.style import UNSEEN, colour, paint_labels, readable

_ALL_NAMES = 24  # more do not fit at a size that can be read
_CIRCLES = 12
_SIDE, _LINE = 430, 12  # of the matrix and of a line of text, points


class Pair(NamedTuple):
    """A confusion: images of class `label` that were given to class `predicted`, and which share of it they are."""

    label: int
    predicted: int
    share: float


def confusion_matrix(labels, predictions, *, names: Sequence[str], is_seen) -> mpl_figure.Figure:
    """Returns the confusion matrix, one row per class and each row a distribution, seen classes first.

    Of more than 24 classes the largest confusions are circled, and their classes named where a name has room.

    Args:
      labels: `[N]` rows of the class table.
      predictions: `[N]`, rows too.
      names: of the classes.
      is_seen: `[C]` bool, the seen classes first.
    """
    is_seen = np.asarray(is_seen, bool)
    counts = _counts(labels, predictions, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = mpl_figure.Figure(figsize=(9, 8), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(np.sqrt(shares), cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    num_seen = int(is_seen.sum())
    for draw in (axes.axhline, axes.axvline):
        draw(num_seen - 0.5, color="black", linewidth=1)
    rows = columns = list(range(len(names)))
    says = ""
    if len(names) > _ALL_NAMES:
        worst = worst_pairs(labels, predictions, len(names), _CIRCLES)
        rows, columns = (_apart([pair[side] for pair in worst], len(names)) for side in (0, 1))
        says = f"; circled: the {len(worst)} largest confusions, named where a name has room"
        circles = [pair.predicted for pair in worst], [pair.label for pair in worst]
        axes.plot(*circles, "o", markerfacecolor="none", color=UNSEEN, markersize=11)
    for axis, ticks, turned in ((axes.yaxis, rows, {}), (axes.xaxis, columns, {"rotation": 90})):
        axis.set_ticks(ticks, [_short(names[row]) for row in ticks], fontsize=9, **turned)
        paint_labels(axis.get_ticklabels(), is_seen[ticks])
    axes.set(xlabel=f"predicted{says}", ylabel="class of the image")
    for first, last, side in ((0, num_seen, "seen"), (num_seen, len(names), "unseen")):
        if last > first:
            text, middle = f"{last - first} {side}", (first + last - 1) / 2
            shared = {"color": colour(side == "seen"), "fontsize": 10, "ha": "center", "va": "center"}
            axes.text(middle, 1.02, text, transform=axes.get_xaxis_transform(), **shared)
            axes.text(1.02, middle, text, transform=axes.get_yaxis_transform(), rotation=270, **shared)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, ticks=np.sqrt([0, 0.05, 0.25, 0.5, 1]))
    bar.ax.set_yticklabels(["0", "5 %", "25 %", "50 %", "100 %"], fontsize=9)
    bar.set_label("share of a class's test images", fontsize=9)
    lost = _crossing(labels, predictions, is_seen)
    figure.suptitle(
        f"{100 * lost[0]:.0f} % of the images of unseen classes go to seen ones, "
        f"{100 * lost[1]:.0f} % of those of seen classes to unseen ones",
        fontsize=11,
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
    figure = mpl_figure.Figure(figsize=(3.3 * columns, 2.6 * rows + 0.5), layout="constrained")
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


def _apart(places: Sequence[int], num_classes: int) -> list[int]:
    """Those places whose names do not touch each other, the first before the others; in order."""
    gap = int(np.ceil(num_classes * _LINE / _SIDE))
    kept: list[int] = []
    for place in places:
        if all(abs(place - other) >= gap for other in kept):
            kept.append(place)
    return sorted(kept)


def _short(name: str) -> str:
    return textwrap.shorten(readable(name), 32, placeholder=" …")


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
