"""Writes docs/any_shot.md and its picture: accuracy on the unseen classes as labelled images of them join training.

    python docs/make_any_shot.py                     # digits
    python docs/make_any_shot.py --folder=FOLDER     # and a benchmark in the xlsa17 layout

Runs stay in runs/any_shot and are resumed.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

from zsl_jax.training import run, sweeps
from zsl_jax.verbs import command_line

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "any_shot.md"
INTRODUCTION = """\
Zero-shot, few-shot and, with many images, ordinary learning are one curve of the same method. A point is the accuracy
among the unseen classes, in percent, of

    python -m zsl_jax train --config=configs/METHOD.py:DATASET --config.few_shot.shots=K --config.few_shot.reserve=20

mean ± standard deviation of five seeds, which draw the labelled images. All points of a dataset are scored on the same
number of test images. The knobs are those of the recipes, chosen for no image at all. Written by
`python docs/make_any_shot.py`."""
METHODS = ("eszsl", "ale", "ale_learned")
SHOTS = (0, 1, 2, 5, 10, 20)
SEEDS = 5


def accuracies(recipe: str, overrides: dict[str, str], name: str) -> np.ndarray:
    """Returns accuracy among the unseen classes, `[shots, seeds]`."""
    base, problem = command_line.recipe(str(ROOT / recipe), overrides), None
    found = np.zeros((len(SHOTS), SEEDS))
    for row, shots in enumerate(SHOTS):
        for seed in range(SEEDS):
            workdir = ROOT / "runs" / "any_shot" / name / f"{shots}_{seed}"
            if not (workdir / "record.json").exists():
                problem = run.make_problem(base) if problem is None else problem
                changes = {"few_shot.shots": shots, "few_shot.reserve": max(SHOTS), "seed": seed}
                run.run(sweeps.overridden(base, changes), workdir, problem=problem, say=lambda line: None)
            found[row, seed] = json.loads((workdir / "record.json").read_text())["metrics"]["zsl"]["top1"]
    return found


def table(title: str, found: dict[str, np.ndarray]) -> str:
    lines = [f"## {title}", "", f"| images a class | {' | '.join(found)} |", f"|--:{'|--:' * len(found)}|"]
    for row, shots in enumerate(SHOTS):
        cells = (f"{100 * values[row].mean():.1f} ± {100 * values[row].std(ddof=1):.1f}" for values in found.values())
        lines.append(f"| {shots} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def draw(curves: dict[str, dict[str, np.ndarray]]) -> None:
    from matplotlib import figure

    picture = figure.Figure(figsize=(4.5 * len(curves), 3.6), layout="constrained")
    for axes, (title, found) in zip(picture.subplots(1, len(curves), squeeze=False)[0], curves.items()):
        for (method, values), marker in zip(found.items(), "osD"):
            mean, deviation = 100 * values.mean(axis=1), 100 * values.std(axis=1, ddof=1)
            axes.errorbar(range(len(SHOTS)), mean, deviation, marker=marker, capsize=3, label=method)
        axes.set_xticks(range(len(SHOTS)), map(str, SHOTS))
        axes.set(title=title, xlabel="labelled images of each unseen class", ylabel="accuracy among them, %")
        axes.legend(frameon=False)
    picture.savefig(PAGE.with_suffix(".png"), dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="benchmark in the xlsa17 layout")
    arguments = parser.parse_args()
    sources = {"digits": ("digits", {})}
    if arguments.folder:
        sources[pathlib.Path(arguments.folder).resolve().name] = ("xlsa17", {"data.dir": arguments.folder})
    curves = {
        title: {
            method: accuracies(f"configs/{method}.py:{source}", overrides, f"{title}/{method}") for method in METHODS
        }
        for title, (source, overrides) in sources.items()
    }
    head = ["# Any-shot learning", "", INTRODUCTION, ""]
    head += [f"![Accuracy over the number of labelled images]({PAGE.stem}.png)", ""]
    PAGE.write_text("\n".join([*head, *(table(title, found) for title, found in curves.items())]))
    draw(curves)
    return 0


if __name__ == "__main__":
    sys.exit(main())
