"""Classes by attributes: as described and as read off the images; and the attributes behind a decision."""

from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax.plots.style import WRONG, paint_labels, readable

_MAX_CLASSES, _MAX_ATTRIBUTES = 64, 60
_REACH = 3  # deviations, where the colours end


def attribute_maps(
    described, predicted, *, names: Sequence[str], attributes: Sequence[str], is_seen
) -> mpl_figure.Figure:
    """Returns two heat maps, class x attribute: the table, and what the model reads off the images of each class.

    Every attribute has mean 0 and deviation 1 over the classes in either map, so that its unit does not count. With
    more than 60 attributes, those are shown that differ most between the classes; of more than 64 classes, some of
    either side.

    Args:
      described: `[C, A]`.
      predicted: `[C, A]`, in any unit.
      names: of the classes.
      attributes: their names.
      is_seen: `[C]` bool.
    """
    is_seen = np.asarray(is_seen, bool)
    seen, unseen = np.flatnonzero(is_seen), np.flatnonzero(~is_seen)
    seen = _spread(seen, max(_MAX_CLASSES // 2, _MAX_CLASSES - len(unseen)))
    rows = np.concatenate([seen, _spread(unseen, _MAX_CLASSES - len(seen))])
    columns = np.sort(np.argsort(-np.var(described, axis=0), kind="stable")[:_MAX_ATTRIBUTES])
    maps = [_standardized(np.asarray(x)[rows][:, columns]) for x in (described, predicted)]
    correlation = float(np.mean(maps[0] * maps[1]))
    num_seen = int(is_seen[rows].sum())
    height = 1.6 + 0.145 * len(rows)
    figure = mpl_figure.Figure(figsize=(9.5, max(height, 3.5)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, values, title in ((left, maps[0], "as described"), (right, maps[1], "as read off the test images")):
        image = axes.imshow(values, cmap="PuOr_r", vmin=-_REACH, vmax=_REACH, aspect="auto", interpolation="nearest")
        size = 8 if len(columns) <= 24 else 5
        axes.set_xticks(range(len(columns)), [readable(attributes[c]) for c in columns], rotation=90, fontsize=size)
        axes.set_title(title, fontsize=10)
        axes.axhline(num_seen - 0.5, color="black", linewidth=1.2)
    left.set_yticks(range(len(rows)), [readable(names[row]) for row in rows], fontsize=8)
    paint_labels(left.get_yticklabels(), is_seen[rows])
    bar = figure.colorbar(image, ax=(left, right), shrink=0.6, aspect=30, extend="both")
    bar.set_label("standard deviations from the attribute's mean", fontsize=9)
    shown = ((num_seen, is_seen.sum()), (len(rows) - num_seen, (~is_seen).sum()))
    some = [f"{part}" if part == whole else f"{part} of {whole}" for part, whole in shown]
    sides = f"{some[0]} seen (blue) and {some[1]} unseen (orange) classes"
    figure.suptitle(f"attributes of {sides}; correlation of the two maps {correlation:.2f}", fontsize=11)
    return figure


def reasons(axes, attributes: Sequence[str], contributions, *, count: int = 8) -> None:
    """Draws the largest contributions to a margin as bars, and the sum of the others; black speaks for, grey against.

    Args:
      axes: to draw on.
      attributes: names `[A]`.
      contributions: `[A]`, their sum is the margin.
      count: of bars.
    """
    values = np.asarray(contributions, float)
    order = np.argsort(-np.abs(values), kind="stable")
    shown = [row for row in order[:count] if values[row]]
    rest = values.sum() - values[shown].sum()
    labels = [readable(attributes[row]) for row in shown]
    heights = [*values[shown]]
    if len(shown) < np.count_nonzero(values):
        labels.append(f"{np.count_nonzero(values) - len(shown)} others")
        heights.append(rest)
    positions = np.arange(len(labels))
    axes.barh(positions, heights, color=["black" if value > 0 else WRONG for value in heights], height=0.7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(positions, labels, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel(f"contribution; sum {values.sum():+.3g}", fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.locator_params(axis="x", nbins=5)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    """As many of the rows as asked for, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]


def _standardized(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=0, keepdims=True)
    return (values - values.mean(axis=0, keepdims=True)) / np.where(deviation > 0, deviation, 1)
