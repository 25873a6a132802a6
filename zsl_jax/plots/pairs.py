"""Accuracy where a class is a pair: attribute by object."""

from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patches

from zsl_jax.plots.style import colour, readable


def pair_matrix(pairs: Sequence[tuple[str, str]], accuracies, is_seen) -> mpl_figure.Figure:
    """Returns the matrix attribute x object of accuracies, unseen pairs framed in orange, pairs without images empty.

    Args:
      pairs: (attribute, object) of each class.
      accuracies: `[C]` fractions, NaN for a class without test images.
      is_seen: `[C]` bool.
    """
    attributes, objects = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
    matrix = np.full((len(attributes), len(objects)), np.nan)
    figure = mpl_figure.Figure(figsize=(2.4 + 0.62 * len(objects), 1.6 + 0.5 * len(attributes)), layout="constrained")
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
    figure.colorbar(image, ax=axes, shrink=0.7).ax.tick_params(labelsize=8)
    return figure
