"""The picture of a bound: how the guarantee grows with the attributes, and which classes look alike."""

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax import plots

_MOST_CLASSES = 40


def story(record: dict, alike: np.ndarray) -> mpl_figure.Figure:
    """Returns the picture of a bound.

    Args:
      record: as `bound` writes it.
      alike: `[C, C]`, the share of the images of two classes that the adversary makes alike.
    """
    rows = record["selection"]
    figure = mpl_figure.Figure(figsize=(12.0 if rows else 7.0, 5.6), layout="constrained")
    lower, upper = record["guarantee"], record["upper"]
    value = f"{100 * lower:.1f} %" if record["exact"] else f"{100 * lower:.1f} to {100 * upper:.1f} %"
    figure.suptitle(
        f"{record['table']}: {len(record['classes'])} classes, {len(record['attributes'])} attributes; "
        f"the best guarantee is {value}",
        fontsize=12,
    )
    axes = np.ravel(figure.subplots(1, 2 if rows else 1, width_ratios=(1, 1.15) if rows else (1,)))
    if rows:
        curve(axes[0], record)
    heat(figure, axes[-1], alike, record["classes"])
    return figure


def curve(axes, record: dict) -> None:
    """Draws the guarantee of the first 1, 2, ... selected attributes, beside that of all of them."""
    rows, num_classes = record["selection"], len(record["classes"])
    sizes = [row["attributes"] for row in rows]
    axes.axhspan(record["guarantee"], record["upper"], color=plots.UNSEEN, alpha=0.25, linewidth=0)
    axes.axhline(record["guarantee"], color=plots.UNSEEN, linewidth=1.2)
    axes.annotate(
        f"all {len(record['attributes'])} attributes",
        (0.02, record["upper"]),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=plots.UNSEEN,
        fontsize=9,
    )
    axes.axhline(1 / num_classes, color="black", linewidth=0.8, linestyle=":")
    axes.annotate(
        "chance",
        (0.98, 1 / num_classes),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    guarantees = [row["guarantee"] for row in rows]
    axes.plot(sizes, guarantees, "o-", color=plots.SEEN)
    for row in rows:
        axes.annotate(
            f"+ {plots.readable(row['added'])}",
            (row["attributes"], row["guarantee"]),
            (5, -11),
            textcoords="offset points",
            fontsize=7.5,
            annotation_clip=False,
        )
    if record["exchanged"]:
        last = record["exchanged"]
        axes.plot([len(last["attributes"])], [last["guarantee"]], "D", color="black", markersize=7, label="exchanged")
        axes.legend(loc="lower right", frameon=False)
    axes.set(ylim=(0, 1), xlabel="attributes, added one by one", ylabel="accuracy that can be guaranteed")
    axes.set_xticks(sizes)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def heat(figure, axes, alike: np.ndarray, classes: list[str]) -> None:
    """Draws which classes the worst distribution makes alike; neighbours are classes that are confused."""
    order = _order(alike)[:_MOST_CLASSES]
    shown = np.array(alike)[np.ix_(order, order)]
    np.fill_diagonal(shown, np.nan)
    image = axes.imshow(shown, cmap="cividis", vmin=0, vmax=max(float(np.nanmax(shown)), 1e-3))
    axes.set_facecolor("#dddddd")
    size = 9 if len(order) <= 16 else 5.5
    names = [plots.readable(classes[i]) for i in order]
    axes.set_xticks(range(len(order)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(order)), names, fontsize=size)
    axes.spines[:].set_visible(False)
    title = "images of both classes that no map can tell apart"
    axes.set_title(
        title if len(order) == len(classes) else f"{title}\n({len(order)} of {len(classes)} classes)", fontsize=10
    )
    figure.colorbar(image, ax=axes, shrink=0.75, label="share of a class's images, worst case")


def _order(alike: np.ndarray) -> list[int]:
    """The classes in an order in which alike ones are neighbours; those that are most confused come first."""
    weights = np.array(alike, np.float64)
    np.fill_diagonal(weights, 0)
    left = list(np.argsort(-weights.sum(axis=1), kind="stable"))
    order = [int(left.pop(0))]
    while left:
        nearest = max(left, key=lambda c: (weights[order[-1], c], weights[order, c].max()))
        left.remove(nearest)
        order.append(int(nearest))
    return order
