"""Draws docs/concepts.png and writes docs/three_shapes.npy, three images of unseen classes to try `predict` on.

python docs/make_figures.py
"""

import pathlib

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patches

from zsl_jax import data, plots

DOCS = pathlib.Path(__file__).parent
CLASSES = ("small yellow striped cross", "large cyan dotted star", "large orange checked heart")
POINTS = {
    "small orange striped circle": (3.95, 1.3),
    "large cyan dotted star": (5.85, 2.45),
    "large orange checked heart": (4.4, 2.7),
}


def concepts(images: np.ndarray) -> mpl_figure.Figure:
    """An image and three descriptions meet in one space."""
    figure = mpl_figure.Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 10), ylim=(0, 3.6), aspect="equal")
    axes.axis("off")
    axes.imshow(images[1], extent=(0.1, 1.5, 1.1, 2.5), interpolation="nearest", zorder=2)
    axes.text(0.8, 0.85, "image x", ha="center", va="top", fontsize=10)
    _box(axes, 2.0, "image\nencoder", "black")
    _box(axes, 6.9, "class\nencoder", "black")
    axes.add_patch(
        patches.FancyBboxPatch((3.75, 0.5), 2.5, 2.7, boxstyle="round,pad=0.05", fill=False, color="#999999")
    )
    axes.text(5.0, 3.4, "space of attributes", ha="center", fontsize=10)
    here = (5.5, 2.1)
    for row, (name, spot) in enumerate(POINTS.items()):
        colour = plots.SEEN if row == 0 else plots.UNSEEN
        y = 2.75 - 0.95 * row
        axes.text(8.45, y, name.replace(" ", ", "), fontsize=8.5, va="center", color=colour)
        axes.plot(*zip(here, spot), color="#999999", linewidth=1.0, linestyle="-" if row == 1 else ":")
        axes.plot(*spot, "*", color=colour, markersize=15)
        axes.text(spot[0], spot[1] + 0.16, name.split()[-1], ha="center", fontsize=8.5, color=colour)
        _arrow(axes, (8.35, y), (7.95, 1.85 + 0.3 * (1 - row)))
    axes.plot(*here, "o", color="black", markersize=7)
    axes.text(here[0], here[1] - 0.25, "x", ha="center", fontsize=9)
    axes.text(9.2, 3.4, "descriptions phi", ha="center", fontsize=10)
    axes.text(9.2, 0.2, "blue: seen in training\norange: described only", ha="center", fontsize=8.5)
    axes.text(5.0, 0.2, "answer: the class whose point fits best", ha="center", fontsize=9)
    _arrow(axes, (1.55, 1.8), (1.95, 1.8))
    _arrow(axes, (3.1, 1.8), (3.65, 1.8))
    _arrow(axes, (6.85, 1.8), (6.35, 1.8))
    return figure


def _box(axes, x: float, text: str, colour: str) -> None:
    axes.add_patch(patches.FancyBboxPatch((x, 1.4), 1.0, 0.8, boxstyle="round,pad=0.05", fill=False, color=colour))
    axes.text(x + 0.5, 1.8, text, ha="center", va="center", fontsize=10)


def _arrow(axes, start, end) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "black"})


if __name__ == "__main__":
    shapes = data.load("shapes", num_per_class=2)
    rows = [int(np.flatnonzero(shapes.labels == shapes.classes.names.index(name))[-1]) for name in CLASSES]
    np.save(DOCS / "three_shapes.npy", shapes.images[rows])
    plots.save(concepts(shapes.images[rows]), DOCS / "concepts.png")
    print("wrote concepts.png and three_shapes.npy")
