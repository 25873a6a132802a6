"""The figure of a run: the seen-unseen trade-off, the accuracy of each unseen class, and images with their answers."""

import textwrap
from typing import NamedTuple

import jax
import numpy as np
from matplotlib import figure as mpl_figure

from zsl_jax import metrics
from zsl_jax.plots.style import SEEN, UNSEEN, WRONG, readable

_MAX_BARS = 60


class Answers(NamedTuple):
    """What an evaluation under generalized zero-shot learning answers, for figures.

    Fields:
      zsl: `[N]` the predicted classes of the unseen test images, among the unseen classes.
      gzsl: `[N]` those of all test images, among all classes.
      curve: the seen-unseen trade-off, `unseen`, `seen` and `gamma`, arrays `[N + 1]`.
    """

    zsl: np.ndarray
    gzsl: np.ndarray
    curve: dict[str, np.ndarray]


def answers(evaluated) -> Answers:
    """Returns the answers of a `training.evaluation.Evaluated`."""
    rows = {name: rows._replace(id=None, scores=None) for name, rows in evaluated.rows.items()}
    zsl, gzsl, curve = jax.device_get(_answers(rows, evaluated.facts["is_seen"]))
    return Answers(zsl, gzsl, dict(zip(("unseen", "seen", "gamma"), curve)))


@jax.jit
def _answers(rows, is_seen):
    predicted = (metrics.predicted_class(rows[name]) for name in ("zsl", "gzsl"))
    return *predicted, metrics.curve_of_rows(rows["gzsl"], is_seen)


def story(record: dict, answers: Answers, task, images=None) -> mpl_figure.Figure:
    """Returns the figure of a run: the seen-unseen trade-off, the unseen classes' accuracies and, where the data has
    images, some of unseen classes with what the model calls them.

    Args:
      record: as `record.json` holds it.
      answers: of the test task.
      task: the test task.
      images: `[N, H, W, 3]` uint8 of the unseen test images, or None.
    """
    width, rows = 11.0, 2 if images is not None else 1
    figure = mpl_figure.Figure(figsize=(width, 4.8 + (5.2 if rows == 2 else 0)), layout="constrained")
    grid = figure.add_gridspec(rows, 2, width_ratios=(1, 1.35), height_ratios=(4.8, 5.2)[:rows])
    zsl = record["metrics"]["zsl"]["top1"]
    shown = "shown a few times" if record["setting"] == "few-shot" else "never seen"
    figure.suptitle(
        f"{record['method'].upper()} on {record['dataset']['name']}: {100 * zsl:.1f} % of the images of classes "
        f"{shown} are named right (chance {100 / len(task.unseen_classes):.1f} %)",
        fontsize=12,
    )
    trade_off(figure.add_subplot(grid[0, 0]), answers.curve, record["metrics"]["gzsl"])
    class_bars(figure.add_subplot(grid[0, 1]), record["per_class"])
    if rows == 2:
        image_strip(figure.add_subfigure(grid[1, :]), images, answers.zsl, task)
    return figure


def trade_off(axes, curve: dict, gzsl: dict) -> None:
    """Draws seen against unseen accuracy over all gammas, with the point as scored and the calibrated one."""
    axes.fill_between(curve["unseen"], curve["seen"], step=None, color="#bbbbbb", alpha=0.3, linewidth=0)
    axes.plot(curve["unseen"], curve["seen"], color="black", linewidth=1.2)
    calibrated = gzsl["calibrated"]
    for point, marker, name in ((gzsl, "o", "as scored"), (calibrated, "D", "calibrated")):
        label = f"{name}: H = {100 * point['harmonic']:.1f} %"
        axes.plot(point["unseen"], point["seen"], marker, color="black", markersize=7, label=label, clip_on=False)
        axes.lines[-1].set_markerfacecolor("white" if marker == "o" else "black")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=f"trade-off, area {100 * gzsl['ausuc']:.1f} %")
    axes.set_xlabel("accuracy on unseen classes", color=UNSEEN)
    axes.set_ylabel("accuracy on seen classes", color=SEEN)
    axes.legend(loc="lower left", frameon=False)


def class_bars(axes, per_class: dict) -> None:
    """Draws the accuracy of each unseen class among the unseen ones, best first."""
    bars = sorted(
        ((c["zsl_correct"] / c["images"], name) for name, c in per_class.items() if not c["seen"]), reverse=True
    )
    shown = bars if len(bars) <= _MAX_BARS else bars[: _MAX_BARS // 2] + bars[-_MAX_BARS // 2 :]
    positions = np.arange(len(shown))
    axes.bar(positions, [accuracy for accuracy, _ in shown], color=UNSEEN)
    axes.axhline(1 / len(bars), color="black", linewidth=0.8, linestyle=":")
    # Beside the bars: over the last one it would be read as its name.
    axes.annotate(" chance", (1, 1 / len(bars)), xycoords=axes.get_yaxis_transform(), va="center", fontsize=8)
    size = 9 if len(shown) <= 20 else 6.5
    axes.set_xticks(
        positions, [textwrap.shorten(readable(name), 28) for _, name in shown], rotation=60, ha="right", fontsize=size
    )
    axes.set_xticks(positions, labels=axes.get_xticklabels(), rotation_mode="anchor")
    title = "each unseen class" if len(shown) == len(bars) else f"the best and the worst of {len(bars)} unseen classes"
    axes.set(ylim=(0, 1), xlim=(-0.6, len(shown) - 0.4), title=title, ylabel="accuracy among unseen classes")
    axes.spines[["top", "right"]].set_visible(False)


def image_strip(figure, images, predictions, task, *, columns: int = 8) -> None:
    """Draws test images of unseen classes, one column per class, with the predicted name; wrong ones are grey."""
    labels = np.asarray(task.sets["test_unseen"].labels)
    classes = np.unique(labels)
    chosen = classes[np.linspace(0, len(classes) - 1, min(columns, len(classes))).astype(int)]
    figure.suptitle("unseen classes and what the model calls their images", fontsize=12)
    axes = figure.subplots(2, len(chosen), squeeze=False)
    for column, label in enumerate(chosen):
        rows = np.flatnonzero(labels == label)[:2]
        for axis, row in zip(axes[:, column], rows):
            right = predictions[row] == label
            axis.imshow(images[row], interpolation="nearest")
            name = task.classes.names[predictions[row]]
            axis.set_xlabel(
                ("✓ " if right else "✗ ") + textwrap.fill(readable(name), 16),
                color=UNSEEN if right else WRONG,
                fontsize=9.5,
            )
        for axis in axes[:, column]:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[0, column].set_title(textwrap.fill(readable(task.classes.names[label]), 16), fontsize=9.5)
