"""The images that a class's description finds."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax.plots.style import UNSEEN, WRONG, readable


def retrieval(
    images, scores, labels, *, names: Sequence[str], rows: Sequence[int], columns: int = 8
) -> mpl_figure.Figure:
    """Returns a strip a class: its nearest images, best first; a wrong one is framed in grey and named.

    Args:
      images: `[N, H, W, 3]` uint8.
      scores: `[N, C]`.
      labels: `[N]` rows of the class table.
      names: of the classes.
      rows: the classes to show.
      columns: images a class.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    figure = mpl_figure.Figure(figsize=(1.15 * columns + 1.6, 1.35 * len(rows) + 0.5), layout="constrained")
    hits = [np.mean(labels[np.argsort(-scores[:, row], kind="stable")[:columns]] == row) for row in rows]
    figure.suptitle(
        f"nearest images of unseen classes: {100 * np.mean(hits):.0f} % of the first {columns} are right", fontsize=10
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for strip, row in zip(grid, rows):
        found = np.argsort(-scores[:, row], kind="stable")[:columns]
        for axes, image in zip(strip, found):
            right = labels[image] == row
            axes.imshow(images[image], interpolation="nearest")
            for spine in axes.spines.values():
                spine.set(color=UNSEEN if right else WRONG, linewidth=2.5, linestyle="-" if right else ":")
            if not right:
                axes.set_xlabel(textwrap.shorten(readable(names[labels[image]]), 26), fontsize=5.5, color=WRONG)
        for axes in strip:
            axes.set(xticks=[], yticks=[])
        strip[0].set_ylabel(
            textwrap.fill(readable(names[row]), 14), rotation=0, ha="right", va="center", fontsize=8, color=UNSEEN
        )
    return figure
