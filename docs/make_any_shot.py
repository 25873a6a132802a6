"""Draws docs/any_shot.png: from zero-shot to few-shot, the accuracy on classes by their labelled images in training.

    python docs/make_any_shot.py --folder=FOLDER    # runs what docs/any_shot.json lacks
    python docs/make_any_shot.py                    # only draws

FOLDER is CUB127 in the xlsa17 layout. Every number of shots is scored on the same test images, knobs are those of the
recipes, epochs and gamma are chosen on validation classes with as many shots.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
from matplotlib import figure as mpl_figure

DOCS = pathlib.Path(__file__).resolve().parent
RECORD = DOCS / "any_shot.json"
FIGURE = RECORD.with_suffix(".png")
METHODS = ("ale", "ale_learned", "eszsl")
SHOTS = (0, 1, 5, 20)
SEEDS = 3
SCORES = {"zsl": "top-1 among the unseen classes, %", "harmonic": "H among all classes, calibrated, %"}
COLOURS = ("#0072B2", "#767676", "#D55E00")


def run(folder: str, found: dict) -> None:
    """Adds to `found` the scores of every method, number of shots and seed that it lacks, and writes them."""
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    for name in METHODS:
        problem = None
        for shots in SHOTS:
            for seed in range(SEEDS):
                key = f"{name}/{shots}/{seed}"
                if key in found:
                    continue
                overrides = {"data.dir": folder, "seed": str(seed)}
                overrides |= {"few_shot.shots": str(shots), "few_shot.reserve": str(max(SHOTS))}
                config = command_line.recipe(f"{DOCS.parent / 'configs' / name}.py:xlsa17", overrides)
                problem = running.make_problem(config) if problem is None else problem
                with tempfile.TemporaryDirectory() as workdir:
                    result = running.run(config, pathlib.Path(workdir) / "run", problem=problem, say=lambda line: None)
                scores = result.record["metrics"]
                found[key] = {
                    "zsl": round(scores["zsl"]["top1"], 4),
                    "harmonic": round(scores["gzsl"]["calibrated"]["harmonic"], 4),
                }
                RECORD.write_text(json.dumps(found, indent=0) + "\n")
                print(key, found[key], flush=True)


def draw(found: dict) -> mpl_figure.Figure:
    """Returns a curve per method and score, with the standard deviation over seeds as a band."""
    figure = mpl_figure.Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(f"from zero-shot to few-shot on birds; bands: standard deviation over {SEEDS} seeds", fontsize=11)
    for axes, (score, words) in zip(figure.subplots(1, 2), SCORES.items()):
        for name, colour in zip(METHODS, COLOURS):
            values = [[100 * found[f"{name}/{k}/{seed}"][score] for seed in range(SEEDS)] for k in SHOTS]
            mean, spread = np.mean(values, axis=1), np.std(values, axis=1, ddof=1)
            axes.plot(range(len(SHOTS)), mean, marker=".", color=colour, label=name)
            axes.fill_between(range(len(SHOTS)), mean - spread, mean + spread, color=colour, alpha=0.2)
        axes.set_xticks(range(len(SHOTS)), [str(k) for k in SHOTS])
        axes.set(xlabel="labelled images of each unseen class in training", ylabel=words, ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout")
    arguments = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if arguments.folder is not None:
        run(arguments.folder, found)
    if not found:
        print("docs/any_shot.json is not there: name --folder=FOLDER to make it", file=sys.stderr)
        return 2
    draw(found).savefig(FIGURE, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
