"""Images and class prototypes in one plane: a projection of the space in which they are compared."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax import errors
from zsl_jax.plots.style import SEEN, UNSEEN, readable

_MAX_NAMES = 40


def embeddings(
    points, labels, prototypes, *, names: Sequence[str], is_seen, projection: str = "pca"
) -> mpl_figure.Figure:
    """Returns a scatter of images (dots) and of class prototypes, seen blue and unseen orange.

    Prototypes of seen classes are stars. Those of unseen ones are discs, whose numbers stand with the names beside the
    plot, from top to bottom; of more than 40 unseen classes none is named.

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
    unseen = np.flatnonzero(~is_seen)
    unseen = unseen[np.argsort(-stars[unseen, 1], kind="stable")]
    is_named = 0 < len(unseen) <= _MAX_NAMES
    figure = mpl_figure.Figure(figsize=(9, 7), layout="constrained")
    axes, *beside = figure.subplots(1, 1 + is_named, width_ratios=(3.4, 1)[: 1 + is_named], squeeze=False)[0]
    for seen, colour, name in ((True, SEEN, "seen"), (False, UNSEEN, "unseen")):
        of_side = is_seen[labels] == seen
        axes.plot(*flat[of_side].T, ".", color=colour, alpha=0.25, markersize=4, label=f"images of {name} classes")
    says = "from the mean of a class's images to its description"
    for row in unseen:
        if np.any(labels == row):
            ends = zip(flat[labels == row].mean(axis=0), stars[row])
            axes.plot(*ends, color=UNSEEN, linewidth=1, alpha=0.8, label=says)
            says = None
    edges = {"markeredgecolor": "white", "markeredgewidth": 0.8}
    axes.plot(*stars[is_seen].T, "*", color=SEEN, markersize=9, label="descriptions of seen classes", **edges)
    size = 14 if is_named else 8
    axes.plot(*stars[unseen].T, "o", color=UNSEEN, markersize=size, label="descriptions of unseen classes", **edges)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#bbbbbb")
    figure.suptitle(f"images and descriptions of classes: {title}", fontsize=12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    for side in beside:
        _name(axes, side, stars[unseen], [names[row] for row in unseen])
    return figure


def _name(axes, beside, places: np.ndarray, names: Sequence[str]) -> None:
    """Numbers the discs, and lists the names beside the plot."""
    middle = {"ha": "center", "va": "center_baseline"}
    for number, (place, name) in enumerate(zip(places, names), 1):
        axes.annotate(number, place, fontsize=8, fontweight="bold", color="white", **middle)
        height = 1 - (number - 0.5) / max(len(names), 20)
        beside.text(0.1, height, number, fontsize=9, fontweight="bold", color=UNSEEN, ha="right", va="center")
        beside.text(0.16, height, textwrap.shorten(readable(name), 30, placeholder=" …"), fontsize=9, va="center")
    beside.set(xlim=(0, 1), ylim=(0, 1))
    beside.axis("off")


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
