"""How a run or a sweep went: losses and validation scores by epoch, and the score of every setting."""

import numpy as np
from matplotlib import figure as mpl_figure
from matplotlib import ticker

from zsl_jax.plots.style import SEEN, UNSEEN, WRONG

_LINES = {"select": ("choosing, on part of the seen classes", "--"), "train": ("training, on all seen classes", "-")}
# By the names that `config.select.metric` has.
_LOOKS = {
    "zsl": (UNSEEN, "-"),
    "harmonic": ("black", "-"),
    "uncalibrated": ("black", ":"),
    "ausuc": (WRONG, "--"),
}
# What every line of metrics.jsonl says; the rest is the method's own.
_COMMON = ("phase", "epoch", "step", "loss", "steps_per_s", "examples_per_s", "flops_per_s", "share_of_peak")


def training_curves(entries: list[dict], selection: dict, labels: dict[str, str]) -> mpl_figure.Figure:
    """Returns the losses of both phases by epoch and, beside them, the validation scores with the chosen epoch.

    What a method says of its steps beside the loss, as the critic's estimate and the length of the gradient, has a
    panel of its own.

    Args:
      entries: the lines of metrics.jsonl: `phase`, `epoch`, `loss` and what the method adds.
      selection: as `record["selection"]` holds it, with the `history` of validation scores.
      labels: of the validation scores that are drawn besides the one that chose, by their names in the history.
    """
    own = sorted({name for entry in entries for name in entry if name not in _COMMON})
    figure = mpl_figure.Figure(figsize=(10.5 if own else 8, 3.4), layout="constrained")
    left, *middle, right = figure.subplots(1, 3 if own else 2)
    for phase, (label, style) in _LINES.items():
        points = [(entry["epoch"], entry["loss"]) for entry in entries if entry["phase"] == phase]
        if points:
            left.plot(*zip(*points), style, color=SEEN, label=label, marker="." if len(points) < 3 else None)
    left.set(xlabel="epoch", ylabel="mean loss of the steps", title="training loss")
    left.legend(frameon=False, fontsize=8)
    for axes in middle:
        _draw_own(axes, entries, own)
    _draw_history(right, selection, labels)
    for axes in (left, *middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        if len(axes.get_xticks()):
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))  # there is no epoch 2.5
    return figure


def _draw_history(right, selection: dict, labels: dict[str, str]) -> None:
    """Draws the validation scores by epoch; where nothing was chosen, says so."""
    history = selection["history"]
    if not history:
        right.set(xticks=[], yticks=[], title="nothing is chosen")
        return
    epochs = [entry["epochs"] for entry in history]
    shown = {name: labels[name] for name in _LOOKS if name in labels and name in history[0]}
    shown.setdefault(selection["metric"], selection["metric"])
    for name, label in shown.items():
        colour, style = _LOOKS.get(name, (WRONG, "-"))
        right.plot(
            epochs,
            [entry[name] for entry in history],
            style,
            color=colour,
            label=label,
            marker="." if len(epochs) < 3 else None,
        )
    right.axvline(selection["epochs"], color="black", linewidth=0.8, linestyle=":")
    right.annotate(
        f" chosen: {selection['epochs']}",
        (selection["epochs"], 0.94),
        fontsize=8,
        ha="right" if selection["epochs"] > (epochs[0] + epochs[-1]) / 2 else "left",
    )
    right.set(
        xlabel="epoch", ylabel="accuracy", ylim=(0, 1), title=f"on {len(selection['classes'])} validation classes"
    )
    right.legend(frameon=False, fontsize=8)


def _draw_own(axes, entries: list[dict], names: list[str]) -> None:
    """Draws the method's own metrics in the last phase on an axis for all magnitudes."""
    phase = entries[-1]["phase"]
    for name in names:
        points = [(entry["epoch"], entry[name]) for entry in entries if entry["phase"] == phase and name in entry]
        axes.plot(*zip(*points), label=name.replace("_", " "), marker="." if len(points) < 3 else None)
    axes.set_yscale("symlog", linthresh=1e-2)
    low, high = axes.get_ylim()
    if low > 0 and high < 10 * low:  # less than a decade holds no tick of a logarithmic axis
        axes.set_yscale("linear")
    axes.set(xlabel="epoch", ylabel="mean of the steps", title="what the steps say")
    axes.legend(frameon=False, fontsize=8)


def landscape(trials: list[dict], metric: str, where: str = "validation classes") -> mpl_figure.Figure:
    """Returns the score that a sweep chooses by against each of its keys; the winner is marked.

    A bar is the standard deviation over seeds and folds, where there are several.

    Args:
      trials: dicts with `setting` (values by key) and scores, as sweep.json holds them.
      metric: the score that chose the winner.
      where: what it was measured on.
    """
    keys = list(trials[0]["setting"])
    scores = np.array([trial[metric] for trial in trials])
    spread = np.array([trial.get("deviation", {}).get(metric, 0.0) for trial in trials])
    best = int(np.argmax(scores))
    figure = mpl_figure.Figure(figsize=(4.2 * len(keys), 3.6), layout="constrained")
    for axes, key in zip(np.ravel(figure.subplots(1, len(keys), sharey=True)), keys):
        # A tuple is a name on the axis, as a word is, and not several coordinates.
        values = [str(x) if isinstance(x := trial["setting"][key], (tuple, list)) else x for trial in trials]
        axes.plot(values, scores, "o", color=SEEN, alpha=0.6)
        if spread.any():
            axes.errorbar(values, scores, spread, fmt="none", ecolor=SEEN, alpha=0.3)
        axes.plot(values[best], scores[best], "D", color="black", markersize=8)
        axes.annotate(f"{scores[best]:.3f}", (values[best], scores[best]), (6, 6), textcoords="offset points")
        numbers = [value for value in values if isinstance(value, (int, float))]
        if numbers and min(numbers) > 0 and max(numbers) >= 10 * min(numbers):
            axes.set_xscale("log")
        elif numbers:
            axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(key)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel(f"{metric} on {where}")
    figure.axes[0].set_ylim(0, 1.1 * max(np.max(scores + spread), 0.01))
    return figure
