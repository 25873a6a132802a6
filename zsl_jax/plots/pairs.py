"""Classes that are pairs of attribute and object: bias curves, matrices of accuracies, images with their answers."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patches

from zsl_jax.plots.style import SEEN, UNSEEN, WRONG, colour, readable


def pair_matrix(pairs: Sequence[tuple[str, str]], accuracies, is_seen) -> mpl_figure.Figure:
    """Returns the matrix attribute x object of accuracies, unseen pairs framed in orange, pairs without images empty.

    Args:
      pairs: (attribute, object) of each class.
      accuracies: `[C]` fractions, NaN for a class without test images.
      is_seen: `[C]` bool.
    """
    attributes, objects = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    matrix = np.full((len(attributes), len(objects)), np.nan)
    width = max(6.0, 2.4 + 0.62 * len(objects))  # the title is as wide
    figure = mpl_figure.Figure(figsize=(width, 1.6 + 0.5 * len(attributes)), layout="constrained")
    axes = figure.add_subplot()
    for (attribute, thing), accuracy in zip(pairs, accuracies):
        matrix[attributes.index(attribute), objects.index(thing)] = accuracy
    image = axes.imshow(matrix, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for (attribute, thing), accuracy, seen in zip(pairs, accuracies, is_seen):
        y, x = attributes.index(attribute), objects.index(thing)
        axes.add_patch(
            patches.Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, fill=False, edgecolor=colour(seen), linewidth=2)
        )
        if np.isfinite(accuracy):
            axes.text(
                x,
                y,
                f"{100 * accuracy:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if accuracy > 0.55 else "black",
            )
    axes.set_xticks(range(len(objects)), [readable(name) for name in objects], rotation=45, ha="right")
    axes.set_yticks(range(len(attributes)), [readable(name) for name in attributes])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("accuracy among all classes, %: seen pairs blue, unseen pairs orange", fontsize=10)
    bar = figure.colorbar(image, ax=axes, shrink=0.7)
    bar.ax.tick_params(labelsize=8)
    bar.set_label("share of images named right", fontsize=8)
    return figure


_LINES = {"closed": ("black", "-"), "open": (WRONG, "--"), "feasible": (SEEN, "-.")}


def bias_curves(curves: Mapping[str, tuple], reported: Mapping[str, Mapping]) -> mpl_figure.Figure:
    """Returns accuracy on seen against unseen pairs in each world, with the constant that validation chose.

    Args:
      curves: `(unseen [M], seen [M])` by world.
      reported: what a record's `metrics["pairs"]` says of each world.
    """
    figure = mpl_figure.Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for world, (unseen, seen) in curves.items():
        paint, style = _LINES[world]
        found = reported[world]
        label = f"{world} world: AUC {100 * found['auc']:.1f}, H {100 * found['harmonic']:.1f}"
        axes.plot(unseen, seen, style, color=paint, label=label)
        chosen = found["calibrated"]
        axes.plot(chosen["unseen"], chosen["seen"], "o", color=paint, markersize=6, clip_on=False)
    axes.plot([], [], "o", color="black", label="gamma chosen on validation")
    axes.set(xlabel="accuracy on unseen pairs", ylabel="accuracy on seen pairs", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle("seen against unseen pairs, as gamma grows", fontsize=10)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center")
    return figure


def pair_examples(images, pairs: Sequence[tuple[str, str]], predicted: Sequence[tuple[str, str]]) -> mpl_figure.Figure:
    """Returns images with the attribute and the object that they were taken for; a wrong part is grey, the right below.

    Args:
      images: `[N, H, W, 3]` uint8.
      pairs: (attribute, object) of each.
      predicted: the same, as predicted.
    """
    columns = min(8, max(len(images), 1))
    rows = -(-len(images) // columns)
    figure = mpl_figure.Figure(figsize=(1.5 * columns, 2.1 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, image, right, found in zip(grid, images, pairs, predicted):
        axes.imshow(image, interpolation="nearest")
        for side, height in ((0, -0.1), (1, -0.24)):
            hit = right[side] == found[side]
            text = readable(found[side]) if hit else f"{readable(found[side])} ({readable(right[side])})"
            axes.text(
                0.5, height, text, transform=axes.transAxes, ha="center", fontsize=7, color=UNSEEN if hit else WRONG
            )
    figure.suptitle("images of unseen pairs: right parts orange, wrong ones grey with the right one beside", fontsize=9)
    return figure
