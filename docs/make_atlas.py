"""Trains a bilinear map by every loss on several datasets, and writes docs/atlas.md with its figure.

    python docs/make_atlas.py --folder=FOLDER [--only=DATASET]   # trains what docs/atlas.json lacks, then writes
    python docs/make_atlas.py --only="digits, drawn classes"     # other unseen classes in each of 5 draws
    python docs/make_atlas.py                                    # only writes the tables of the page, and the figure

FOLDER is CUB127 in the xlsa17 layout. Every loss has the same budget: 9 settings, 3 step sizes of Adam with 3 values of
its main knob, or 9 step sizes where it has none; setting, epochs and gamma are chosen on validation classes. The best
setting is trained on all seen classes with several seeds, once with the descriptions as they are and once with those of
all classes permuted. Of datasets in DRAWN the unseen classes are drawn anew for each seed, and setting, epochs and
gamma chosen for each draw, so that an interval speaks of classes; the split of CUB127 is its benchmark's. Terms that
train nothing by themselves are added to the softmax cross-entropy.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
import scipy.stats
from matplotlib import figure as mpl_figure

from zsl_jax.plots import style as plots

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "atlas.json"
PAGE, FIGURE = RESULTS.with_suffix(".md"), RESULTS.with_suffix(".png")
DATASETS = {
    "birds, attributes": ("xlsa17", {"train.epochs": "10", "select.every": "2"}),
    "shapes": ("shapes", {"train.epochs": "20", "select.every": "4"}),
    "digits": ("digits", {"train.epochs": "20", "select.every": "4"}),
    "birds, sentences": ("xlsa17,sent", {"train.epochs": "10", "select.every": "2"}),
    "shapes, drawn classes": ("shapes", {"train.epochs": "20", "select.every": "4"}),
    "digits, drawn classes": ("digits", {"train.epochs": "20", "select.every": "4"}),
}
DRAWN = ("shapes, drawn classes", "digits, drawn classes")
BEGIN = "## The tables\n"  # what stands before it is written by hand
BASE = "softmax_cross_entropy"
SEEDS = 5
RATES = (0.002, 0.01, 0.05)
SCORES = ("zsl", "ausuc", "harmonic")
# The main knob of a loss and its values; of a term, the weight of it beside the softmax cross-entropy.
KNOBS = {
    "scale": (8.0, 24.0, 72.0),
    "temperature": (0.03, 0.1, 0.3),
    "margin": (0.1, 0.3, 1.0),
    "weight": (0.001, 0.03, 1.0),
    "ridge": (0.01, 0.1, 1.0),
    "kl_weight": (0.0, 0.01, 0.1),
    "power": (1.0, 2.0, 4.0),
    "redundancy": (0.001, 0.005, 0.02),
    "invariance": (5.0, 25.0, 100.0),
    "penalty": (0.1, 1.0, 10.0),
    "negative_scale": (10.0, 25.0, 50.0),
}
# A factor of its scores is one of the step size.
NO_KNOB = ("softmax_cross_entropy",)


def texts() -> list[str]:
    """Returns what `config.method.loss` is for every row."""
    from zsl_jax import methods

    # One that learns from test inputs is compared with none that does not.
    there = {name: loss for name, loss in methods.LOSSES.items() if "test inputs" not in loss.kind.sees}
    return [name if loss.alone else f"{BASE}+0.1*{name}" for name, loss in there.items()]


def main_knob(text: str) -> str | None:
    """Returns the key of the knob that is chosen beside the step size, if the loss has one."""
    from zsl_jax import methods

    if "+" in text:
        return f"loss.{text.rpartition('*')[2]}.weight"
    names = [] if text in NO_KNOB else [name for name in KNOBS if name in methods.LOSSES[text].knobs]
    return f"loss.{names[0]}" if names else None


def settings(text: str) -> list[dict[str, float]]:
    """Returns the 9 settings that are compared on validation classes."""
    knob = main_knob(text)
    if knob is None:
        return [{"method.learning_rate": float(f"{rate:.3g}")} for rate in np.geomspace(RATES[0] / 2, 2 * RATES[-1], 9)]
    values = KNOBS[knob.rpartition(".")[2]]
    return [{"method.learning_rate": rate, knob: value} for rate in RATES for value in values]


def train(text: str, dataset: str, source, folder: str | None) -> dict:
    """Returns what was chosen, and test scores `[true and permuted][seed]` by name."""
    config = recipe(text, dataset, folder)
    if dataset not in DRAWN:
        return chosen_and_tested(text, config, source, SEEDS)
    rows = [chosen_and_tested(text, config, redrawn(source, draw), 1) for draw in range(SEEDS)]
    together = {name: [[row["scores"][name][i][0] for row in rows] for i in range(2)] for name in SCORES}
    means = {name: float(np.mean([row[name] for row in rows])) for name in ("validation", "epoch_seconds")}
    return {**{name: [row[name] for row in rows] for name in ("setting", "epochs")}, **means, "scores": together}


def redrawn(source, draw: int):
    """Returns the dataset with as many other unseen classes, drawn from all; of draw 0 too."""
    from zsl_jax.data import splits

    count = int(np.sum(~np.asarray(source.classes.is_seen)))
    names = np.random.default_rng(draw).permutation(source.classes.names)[:count]
    return splits.with_unseen(source, ",".join(names), seed=draw)


def chosen_and_tested(text: str, config, source, seeds: int) -> dict:
    """Returns what was chosen on validation classes, and test scores `[true and permuted][seed]` by name."""
    from zsl_jax.training import protocols, sweeps

    points = settings(text)
    with tempfile.TemporaryDirectory() as workdir:
        trials = sweeps.run_trials(config, points, pathlib.Path(workdir), source=source)
    best = max(trials, key=lambda trial: trial[config.select.metric])
    final = {"select.on": "test", "select.seeds": seeds, "train.epochs": best["epochs"], "select.every": best["epochs"]}
    tested = sweeps.overridden(config, final)
    (task,), _ = protocols.find("gzsl").tasks(source, tested)
    given = {**best["setting"], "gamma": best["gamma"]}
    trainer = sweeps.Trainer(tested, list(given), (task, permuted(task)))
    _, history = trainer.history([given], 1)
    scores = {name: np.asarray(history[name][0, :, :, 0], float).round(5).tolist() for name in SCORES}
    chosen = {"setting": best["setting"], "epochs": best["epochs"], "validation": best["harmonic"]}
    return chosen | {"epoch_seconds": round(epoch_seconds(trainer, given, 2 * seeds), 5), "scores": scores}


def epoch_seconds(trainer, given: dict[str, float], count: int) -> float:
    """Returns the processor time of an epoch of one training; `count` of them run side by side."""
    import jax

    moving, *rest = trainer.start([given], 1)
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        moving, _ = jax.block_until_ready(trainer.program.epoch(moving, *rest, 0))
        seconds.append(time.process_time() - begin)
    return min(seconds) / count


def permuted(task):
    """The same task, in which every class has the description of another."""
    order = np.random.default_rng(0).permutation(len(task.classes))
    classes = dataclasses.replace(task.classes, embedding=np.asarray(task.classes.embedding)[order])
    return dataclasses.replace(task, classes=classes)


def recipe(text: str, dataset: str, folder: str | None):
    """Returns the config of a row, and checks its settings."""
    from zsl_jax.verbs import command_line

    argument, overrides = DATASETS[dataset]
    where = {"data.dir": folder} if argument.startswith("xlsa17") else {}
    text_of = f"{ROOT / 'configs' / 'bilinear.py'}:{argument}"
    return command_line.recipe(text_of, {"method.loss": text, **overrides, **where})


def make(folder: str | None, only: str | None) -> None:
    """Trains what is not there yet; each row is written as it comes."""
    from zsl_jax.training import parallel, problems

    parallel.keep_compiled("auto")  # what scores a map is one program for all losses
    for dataset in [only] if only else DATASETS:
        source = problems.load_data(recipe(BASE, dataset, folder))
        for text in texts():
            results = read()
            if text not in results.get(dataset, {}):
                row = train(text, dataset, source, folder)
                results = read()
                results.setdefault(dataset, {})[text] = row
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                print(dataset, text, row["setting"], {k: np.mean(v[0]).round(3) for k, v in row["scores"].items()})


def read() -> dict:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table(results: dict) -> list[dict]:
    """Returns a row per loss: means and standard deviations over seeds, the difference from the base, by dataset."""
    rows = []
    for text in texts():
        row = {"loss": text}
        for dataset, found in results.items():
            if text in found:
                row[dataset] = {name: 100 * np.asarray(values[0]) for name, values in found[text]["scores"].items()}
                row[dataset]["control"] = 100 * np.asarray(found[text]["scores"]["zsl"][1])
                row[dataset] |= {name: found[text][name] for name in ("setting", "epoch_seconds")}
        rows.append(row)
    return rows


def differences(rows: list[np.ndarray], base: np.ndarray) -> list[str]:
    """Returns + or - where the mean over seeds is above or below that of the base, else nothing.

    By Student's t of the differences seed by seed, Holm's p < 0.05 over all rows: one mark in a column in twenty that
    have none to make.
    """
    from zsl_jax.training import comparisons

    found = []
    for values in rows:
        found.append(1.0 if np.ptp(values - base) == 0 else float(scipy.stats.ttest_rel(values, base).pvalue))
    adjusted = comparisons.holm(found)
    return ["" if p >= 0.05 else "+" if np.mean(x) > np.mean(base) else "-" for x, p in zip(rows, adjusted)]


def overall(rows: list[dict], names: list[str]) -> list[str]:
    """Returns the table of the AUSUC of each loss less that of the softmax, by dataset; the best in its worst first."""
    base = next(row for row in rows if row["loss"] == BASE)
    ahead = {
        row["loss"]: [np.mean(row[name]["ausuc"]) - np.mean(base[name]["ausuc"]) for name in names]
        for row in rows
        if all(name in row for name in names)
    }
    order = sorted(ahead, key=lambda loss: -min(ahead[loss]))
    return [
        "### Over all datasets: AUSUC less that of the softmax\n",
        f"| loss | {' | '.join(names)} | the least | the mean |",
        "|:--|" + "--:|" * (len(names) + 2),
        *(
            f"| `{loss}` | {' | '.join(f'{x:+.1f}' for x in [*ahead[loss], min(ahead[loss]), np.mean(ahead[loss])])} |"
            for loss in order
        ),
        "",
    ]


def page(results: dict) -> str:
    """Returns the tables of docs/atlas.md."""
    rows = table(results)
    lines = [BEGIN, *overall(rows, [name for name in DATASETS if name in results])]
    for dataset in (name for name in DATASETS if name in results):
        base = next(row for row in rows if row["loss"] == BASE)[dataset]
        there = sorted((row for row in rows if dataset in row), key=lambda row: -np.mean(row[dataset]["harmonic"]))
        lines += [
            f"### {dataset.capitalize()}: {len(there)} of {len(rows)} losses",
            "",
            "| loss | ZSL | AUSUC | calibrated H | ZSL, permuted | an epoch | chosen |",
            "|:--|--:|--:|--:|--:|--:|:--|",
        ]
        marks = {name: differences([row[dataset][name] for row in there], base[name]) for name in SCORES}
        for number, row in enumerate(there):
            found = row[dataset]
            cells = [
                f"{np.mean(found[name]):.1f} ± {np.std(found[name], ddof=1):.1f}{marks[name][number]}"
                for name in SCORES
            ]
            chosen = said_of(found["setting"])
            cells += [f"{np.mean(found['control']):.1f}", f"{1000 * found['epoch_seconds']:.0f} ms", chosen]
            lines.append(f"| `{row['loss']}` | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def said_of(setting: dict[str, float] | list[dict[str, float]]) -> str:
    """Returns a setting in words; of several, one per draw, the range of each knob.

    >>> said_of({"loss.margin": 0.1}), said_of([{"loss.margin": 0.1}, {"loss.margin": 1.0}])
    ('margin 0.1', 'margin 0.1 to 1')
    """
    given = setting if isinstance(setting, list) else [setting]
    ranges = {key: (min(x[key] for x in given), max(x[key] for x in given)) for key in given[0]}
    return ", ".join(
        f"{key.partition('.')[2]} {low:g}" + (f" to {high:g}" if high > low else "")
        for key, (low, high) in ranges.items()
    )


def draw(results: dict) -> mpl_figure.Figure:
    """Returns calibrated H of every loss, a panel for each dataset; the losses in the order of their mean place."""
    rows = table(results)
    names = [name for name in DATASETS if name in results]

    def place(row):
        """The mean over the datasets of how far above the base the loss is."""
        base = next(row for row in rows if row["loss"] == BASE)
        there = [name for name in names if name in row]
        return np.mean([np.mean(row[name]["harmonic"]) - np.mean(base[name]["harmonic"]) for name in there])

    order = sorted((row for row in rows if any(name in row for name in names)), key=place)
    figure = mpl_figure.Figure(figsize=(3.5 + 2.6 * len(names), 0.17 * len(order) + 1.4), layout="constrained")
    figure.suptitle(f"every loss, a dot per seed; orange: {BASE}, and its mean as a line", fontsize=12)
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names), sharey=True)), names):
        for height, row in enumerate(order):
            if name in row:
                values, is_base = row[name]["harmonic"], row["loss"] == BASE
                colour = plots.UNSEEN if is_base else plots.SEEN
                axes.plot(values, [height] * len(values), ".", color=colour, alpha=0.7)
                if is_base:
                    axes.axvline(np.mean(values), color=colour, linewidth=1)
        axes.set_yticks(range(len(order)), [row["loss"].removeprefix(f"{BASE}+0.1*") for row in order], fontsize=7)
        axes.set(title=name, xlabel="calibrated H, %", ylim=(-1, len(order)))
        axes.grid(axis="y", linewidth=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout; without it and --only nothing is trained")
    parser.add_argument("--only", choices=tuple(DATASETS), help="train on one dataset")
    arguments = parser.parse_args()
    if arguments.folder or arguments.only:
        make(arguments.folder, arguments.only)
    results = read()
    PAGE.write_text(PAGE.read_text().partition(BEGIN)[0] + page(results))
    draw(results).savefig(FIGURE, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
