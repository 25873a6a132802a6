"""Images with their names: those that a class's description finds, and what new ones were taken for."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patches

from zsl_jax.plots.style import SEEN, UNSEEN, WRONG, colour, readable


def retrieval(
    images, scores, labels, *, names: Sequence[str], rows: Sequence[int], columns: int = 8
) -> mpl_figure.Figure:
    """Returns one strip per class: its nearest images, best first; a wrong one is framed in grey and named.

    Args:
      images: `[N, H, W, 3]` uint8.
      scores: `[N, C]`.
      labels: `[N]` rows of the class table.
      names: of the classes.
      rows: the classes to show.
      columns: images per class.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    figure = mpl_figure.Figure(figsize=(1.15 * columns + 1.6, 1.35 * len(rows) + 0.5), layout="constrained")
    hits = [np.mean(labels[np.argsort(-scores[:, row], kind="stable")[:columns]] == row) for row in rows]
    figure.suptitle(
        f"nearest images of unseen classes: {100 * np.mean(hits):.0f} % of the first {columns} are right, "
        "the others are dotted, with their own class below",
        fontsize=10,
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
                axes.set_xlabel(textwrap.fill(readable(names[labels[image]]), 17), fontsize=8, color=WRONG)
        for axes in strip:
            axes.set(xticks=[], yticks=[])
        strip[0].set_ylabel(
            textwrap.fill(readable(names[row]), 14), rotation=0, ha="right", va="center", fontsize=9.5, color=UNSEEN
        )
    return figure


def named_images(
    images: Sequence,
    names: Sequence[str | None],
    *,
    is_seen: Sequence[bool],
    probabilities: Sequence[float] | None = None,
    columns: int = 6,
) -> mpl_figure.Figure:
    """Returns images with the class that each was taken for: seen classes blue, unseen ones orange, no answer grey.

    Args:
      images: `[H, W, 3]` uint8 each.
      names: of the predicted classes; None for no answer.
      is_seen: whether these are seen classes.
      probabilities: of the predicted classes, in [0, 1].
      columns: images side by side, at most.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = mpl_figure.Figure(figsize=(max(1.6 * columns, 4.4), 2.1 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for number, (axes, image, name) in enumerate(zip(grid, images, names)):
        axes.imshow(image, interpolation="nearest")
        text = "no answer" if name is None else textwrap.fill(readable(name), 16)
        if probabilities is not None:
            text += f"\n{100 * probabilities[number]:.0f} %"
        axes.set_xlabel(text, fontsize=8, color=WRONG if name is None else colour(is_seen[number]))
    figure.suptitle("what the images were taken for", fontsize=10)
    handles = [
        patches.Patch(color=SEEN, label="class seen in training"),
        patches.Patch(color=UNSEEN, label="unseen class"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
