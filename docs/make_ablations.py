"""Trains what some methods add to others with and without it, and writes docs/ablations.md.

    python docs/make_ablations.py --folder=FOLDER           # trains what has no record yet, all seeds side by side
    python docs/make_ablations.py                           # only writes the page from the records

FOLDER is CUB127 in the xlsa17 layout. Knobs and epochs are those of the recipes, fixed beforehand on validation
classes; nothing is chosen here. docs/ablations/NAME.json holds the test scores of every seed and setting.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
import scipy.stats

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ROOT / "docs" / "ablations"
PAGE = RECORDS.with_suffix(".md")
SEEDS = 5
# For each method the knobs that say how much of each of its terms there is, without and with it.
TERMS = {
    "f_clswgan": {"class_weight": (0.0, 0.01)},
    "lsrgan": {"relation_weight": (0.0, 20.0), "unseen_class_weight": (0.0, 0.03)},
    "cizsl": {"creativity_weight": (0.0, 0.1)},
}
BASE = ("f_clswgan", {"class_weight": 0.01})
SCORES = {"zsl": "ZSL", "uncalibrated": "H", "ausuc": "AUSUC"}

INTRODUCTION = """\
# Ablations

What the terms of LsrGAN and CIZSL add to f-CLSWGAN, on CUB127 with attributes: {seeds} seeds of each setting on
the test classes, in percent, mean ± standard deviation. Knobs and the number of epochs ({epochs}) are those of the
recipe of f-CLSWGAN, chosen for it on validation classes, and the same in all rows, which favours it. H is that of
the scores as they come, without calibration. The difference is that from f-CLSWGAN, seed by seed, with its 95 %
interval (Student's t): where the interval holds 0, the term adds nothing that {seeds} seeds could show. LsrGAN
without both terms still trains its softmax, which then teaches nothing; CIZSL without the divergence still asks
for believable features of classes that do not exist.

Written by `python docs/make_ablations.py` from the records in docs/ablations, which `--folder=FOLDER` makes; these were
made on {device}.
"""


def settings(name: str) -> list[dict[str, float]]:
    """Returns the settings of a method's terms, all combinations of without and with."""
    terms = TERMS[name]
    return [dict(zip(terms, values)) for values in itertools.product(*terms.values())]


def train(name: str, folder: str) -> dict:
    """Returns the record of a method: its settings and the test scores `[seed][setting]` by name."""
    import jax

    from zsl_jax.training import sweeps
    from zsl_jax.verbs import command_line

    recipe = str(ROOT / "configs" / f"{name}.py") + ":xlsa17"
    config = command_line.recipe(recipe, {"data.dir": folder, "select.on": "test", "select.seeds": str(SEEDS)})
    config = sweeps.overridden(config, {"select.every": config.train.epochs})
    points = [{f"method.{term}": value for term, value in setting.items()} for setting in settings(name)]
    trainer = sweeps.Trainer(config, list(points[0]), sweeps.selection_tasks(config))
    epochs, history = trainer.history(points, len(points))
    scores = {score: np.asarray(history[score][0, 0], float).round(6).tolist() for score in SCORES}
    device = jax.devices()[0]
    return {
        "settings": settings(name),
        "epochs": epochs[0],
        "scores": scores,
        "device": device.device_kind,
        "jax": jax.__version__,
    }


def difference(values: Sequence[float], base: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Returns the mean difference of pairs and the ends of its interval by Student's t."""
    pairs = np.asarray(values) - np.asarray(base)
    mean, error = float(np.mean(pairs)), float(scipy.stats.sem(pairs))
    half = float(scipy.stats.t.ppf((1 + confidence) / 2, len(pairs) - 1)) * error
    return mean, mean - half, mean + half


def page(records: dict[str, dict]) -> str:
    """Returns the text of docs/ablations.md."""

    def column(name, setting, score):
        record = records[name]
        return 100 * np.asarray(record["scores"][score])[:, record["settings"].index(setting)]

    head = ["method", *TERMS["f_clswgan"], *TERMS["lsrgan"], *TERMS["cizsl"]]
    knobs = head[1:]
    head += [f"{words}{what}" for words in SCORES.values() for what in ("", ", difference")]
    lines = ["| " + " | ".join(head) + " |", "|:--|" + "--:|" * (len(head) - 1)]
    for name, record in records.items():
        for setting in record["settings"]:
            cells = [name, *(f"{setting[knob]:g}" if knob in setting else "" for knob in knobs)]
            for score in SCORES:
                values = column(name, setting, score)
                cells.append(f"{values.mean():.1f} ± {values.std(ddof=1):.1f}")
                mean, low, high = difference(values, column(*BASE, score))
                cells.append("" if (name, setting) == BASE else f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]")
            lines.append("| " + " | ".join(cells) + " |")
    told = {key: sorted({str(record[key]) for record in records.values()}) for key in ("epochs", "device")}
    seeds = len(next(iter(records.values()))["scores"]["zsl"])
    text = INTRODUCTION.format(seeds=seeds, epochs=", ".join(told["epochs"]), device=", ".join(told["device"]))
    return "\n".join([text, *lines]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout")
    arguments = parser.parse_args()
    records = {}
    for name in TERMS:
        path = RECORDS / f"{name}.json"
        if not path.exists():
            if arguments.folder is None:
                print(f"{path.relative_to(ROOT)} is not there: name --folder=FOLDER to make it", file=sys.stderr)
                return 2
            RECORDS.mkdir(exist_ok=True)
            path.write_text(json.dumps(train(name, arguments.folder)) + "\n")
        records[name] = json.loads(path.read_text())
    PAGE.write_text(page(records))
    return 0


if __name__ == "__main__":
    sys.exit(main())
