"""The figure of a bound: how the guarantee grows with attributes, which classes look alike, what would help."""

import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax import plots

_MOST_CLASSES = 40


def story(record: dict, alike: np.ndarray) -> mpl_figure.Figure:
    """Returns the figure of a bound.

    Args:
      record: as `bound` writes it.
      alike: `[C, C]`, the share of the images of two classes that the adversary makes alike.
    """
    panels = [heat]
    if record["selection"]:
        panels.insert(0, curve)
    if record["pair"]["attributes"]:
        panels.append(next_attribute)
    if record["observed"]:
        panels.insert(panels.index(heat) + 1, observed)
    columns = len(panels) if len(panels) < 4 else 2
    rows = -(-len(panels) // columns)
    figure = mpl_figure.Figure(figsize=(1.0 + 5.6 * columns, 5.6 * rows), layout="constrained")
    lower, upper = record["guarantee"], record["upper"]
    value = f"{100 * lower:.1f} %" if record["exact"] else f"{100 * lower:.1f} to {100 * upper:.1f} %"
    detectors = "" if record["error_rates"] is None else " with detectors that err"
    figure.suptitle(
        f"{record['table']}: {len(record['classes'])} classes, {len(record['attributes'])} attributes; "
        f"the best guarantee{detectors} is {value}",
        fontsize=12,
    )
    for axes, panel in zip(np.ravel(figure.subplots(rows, columns)), panels):
        panel(figure, axes, record, alike)
    return figure


def curve(figure, axes, record: dict, alike: np.ndarray) -> None:
    """Draws the guarantee of the first 1, 2, ... selected attributes, beside that of all of them."""
    del figure, alike
    rows, num_classes = record["selection"], len(record["classes"])
    errs = "" if record["error_rates"] is None else ", detectors that err"
    sizes = [row["attributes"] for row in rows]
    axes.axhspan(record["guarantee"], record["upper"], color=plots.UNSEEN, alpha=0.25, linewidth=0)
    axes.axhline(record["guarantee"], color=plots.UNSEEN, linewidth=1.2)
    axes.annotate(
        f"all {len(record['attributes'])} attributes{errs}",
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
        axes.legend(loc="upper left", frameon=False)
    axes.set(ylim=(0, 1.04), xlabel="attributes, added one by one", ylabel="accuracy that can be guaranteed")
    axes.set_xticks(sizes)
    axes.margins(x=0.12)
    if errs:
        axes.set_title("attributes one by one, with perfect detectors", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def heat(figure, axes, record: dict, alike: np.ndarray) -> None:
    """Draws which classes the worst distribution makes alike; neighbours are classes that are confused."""
    title = "images of both classes that no map can tell apart"
    _matrix(figure, axes, record, alike, alike, title, "share of a class's images, worst case")


def observed(figure, axes, record: dict, alike: np.ndarray) -> None:
    """Draws what the run confuses, with the classes in the same order."""
    seen = record["observed"]
    value = seen["rank_correlation"]["alike"]
    title = f"what the run ({seen['method']}) confuses" + ("" if value is None else f"; rank correlation {value:.2f}")
    confusion = np.array(seen["confusion"])
    _matrix(figure, axes, record, alike, confusion, title, "share of the images of the class of the row")


def next_attribute(figure, axes, record: dict, alike: np.ndarray) -> None:
    """Draws which attribute tells two classes apart best."""
    del figure, alike
    pair = record["pair"]
    names = [plots.readable(row["attribute"]) for row in pair["attributes"]]
    bars = axes.barh(range(len(names)), [row["error"] for row in pair["attributes"]], color=plots.SEEN)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    if not pair["all_annotated"]:
        axes.axvline(pair["now"], color=plots.UNSEEN, linewidth=1.2, label="without it")
        axes.legend(loc="lower right", frameon=False)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 0.56), xlabel="least error between the two (chance is 0.5)")
    first, second = map(plots.readable, pair["classes"])
    what = "attributes that tell apart" if pair["all_annotated"] else "attributes to annotate next, to tell apart"
    axes.set_title(f"{what}\n{first} and {second}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _matrix(figure, axes, record: dict, alike: np.ndarray, values: np.ndarray, title: str, label: str) -> None:
    classes = record["classes"]
    order = _order(alike)[:_MOST_CLASSES]
    shown = np.array(values, np.float64)[np.ix_(order, order)]
    np.fill_diagonal(shown, np.nan)
    image = axes.imshow(shown, cmap="cividis", vmin=0, vmax=max(float(np.nanmax(shown)), 1e-3))
    axes.set_facecolor("#dddddd")
    size = 9 if len(order) <= 16 else 5.5
    names = [plots.readable(classes[i]) for i in order]
    axes.set_xticks(range(len(order)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(order)), names, fontsize=size)
    axes.spines[:].set_visible(False)
    if len(order) < len(classes):
        title = f"{title}\n({len(order)} of {len(classes)} classes)"
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.75, label=label)


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
