"""Images and class prototypes in one plane: a projection of the space in which they are compared."""

from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import patheffects

from zsl_jax import errors
from zsl_jax.plots.style import SEEN, UNSEEN, readable

_MAX_NAMES = 40
_NAME_POINTS = 110.0  # width of a long name


def embeddings(
    points, labels, prototypes, *, names: Sequence[str], is_seen, projection: str = "pca"
) -> mpl_figure.Figure:
    """Returns a scatter of images (dots) and of class prototypes (stars with names), seen blue and unseen orange.

    Images and prototypes are centred and scaled to the same size each, since a linear map is trained to rank classes
    and not to reproduce their descriptions. A thin line leads from the mean of each unseen class's images to its
    prototype: the shorter, the better a class is known from its description alone.

    Args:
      points: `[N, D]`, images in the space in which they meet classes.
      labels: `[N]` rows of the class table.
      prototypes: `[C, D]`.
      names: of the classes.
      is_seen: `[C]` bool.
      projection: `pca`, at once; or `tsne` (scikit-learn), which takes seconds and keeps neighbours only.

    Raises:
      UserError: an unknown projection.
    """
    if projection not in PROJECTIONS:
        raise errors.unknown("projection", projection, PROJECTIONS)
    points, prototypes, labels = np.asarray(points, float), np.asarray(prototypes, float), np.asarray(labels)
    is_seen = np.asarray(is_seen, bool)
    both, title = PROJECTIONS[projection](np.concatenate([_centred(points), _centred(prototypes)]))
    flat, stars = both[: len(points)], both[len(points) :]
    figure = mpl_figure.Figure(figsize=(8.5, 7), layout="constrained")
    axes = figure.add_subplot()
    for seen, colour, name in ((True, SEEN, "seen"), (False, UNSEEN, "unseen")):
        of_side = is_seen[labels] == seen
        axes.plot(*flat[of_side].T, ".", color=colour, alpha=0.25, markersize=4, label=f"images of {name} classes")
    is_named = False
    for row in np.flatnonzero(~is_seen):
        if np.any(labels == row):
            ends = zip(flat[labels == row].mean(axis=0), stars[row])
            says = None if is_named else "from the mean of a class's images to its description"
            axes.plot(*ends, color=UNSEEN, linewidth=0.8, alpha=0.7, label=says)
            is_named = True
    for seen, colour, name in ((True, SEEN, "seen"), (False, UNSEEN, "unseen")):
        axes.plot(
            *stars[is_seen == seen].T,
            "*",
            color=colour,
            markersize=11 if not seen else 8,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=2 if seen else 4,  # the stars with names are above these
            label=f"descriptions of {name} classes",
        )
    unseen = np.flatnonzero(~is_seen)
    if len(unseen) <= _MAX_NAMES:
        for row, lift in zip(unseen, _lifts(axes, stars[unseen])):
            text = axes.annotate(readable(names[row]), stars[row], (5, lift), textcoords="offset points", fontsize=7)
            text.set_path_effects([patheffects.withStroke(linewidth=2, foreground="white")])
    axes.set(xticks=[], yticks=[], title=f"images and descriptions of classes: {title}")
    axes.legend(frameon=False, fontsize=8, loc="best")
    axes.spines[:].set_color("#bbbbbb")
    return figure


def _lifts(axes, places: np.ndarray, apart: float = 9.0) -> np.ndarray:
    """How many points above its star each name stands, so that names side by side keep `apart` points between them."""
    axes.figure.draw_without_rendering()  # limits and layout are settled by drawing
    points = 72 / axes.figure.dpi * axes.transData.transform(places)
    heights = np.zeros(len(points))
    taken: list[tuple[float, float]] = []
    for row in np.argsort(points[:, 1]):
        x, y = points[row, 0], points[row, 1] + 3
        for other_x, other_y in sorted(taken, key=lambda place: place[1]):
            if abs(other_x - x) < _NAME_POINTS and abs(other_y - y) < apart:
                y = other_y + apart
        taken.append((x, y))
        heights[row] = y - points[row, 1]
    return heights


def _centred(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=0)
    return x / max(np.sqrt(np.mean(x**2)), np.finfo(float).tiny)


def _pca(x: np.ndarray) -> tuple[np.ndarray, str]:
    centred = x - x.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    share = np.sum(values[:2] ** 2) / max(np.sum(values**2), np.finfo(float).tiny)
    return centred @ axes[:2].T, f"two principal components, {100 * share:.0f} % of the variance"


def _tsne(x: np.ndarray) -> tuple[np.ndarray, str]:
    from sklearn import manifold  # a second to import, only where it is asked for

    perplexity = min(30.0, (len(x) - 1) / 3)
    placed = manifold.TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(x)
    return placed, "t-SNE: near means alike, far means nothing"


PROJECTIONS = {"pca": _pca, "tsne": _tsne}
