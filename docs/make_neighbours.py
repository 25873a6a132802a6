"""Writes docs/neighbours.md: class means, votes of stored images and a learned metric, zero-shot and few-shot.

    python docs/make_neighbours.py --folder=FOLDER    # runs what docs/neighbours.json lacks, then writes
    python docs/make_neighbours.py                    # only writes the page

FOLDER is CUB127 in the xlsa17 layout. Draws of unseen classes are those of make_transduction.py; everything is chosen
on validation classes, for a number of shots on validation classes with as many.
"""

import argparse
import json
import pathlib
import runpy
import sys
import types

DOCS = pathlib.Path(__file__).resolve().parent
RECORD, PAGE = DOCS / "neighbours.json", DOCS / "neighbours.md"
MAKING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "make_transduction.py")))
DRAWS, SEEDS, SHOTS = 5, 3, (0, 1, 5, 20)
TEN = {"method.neighbours": "10"}
# Of a row: the recipe, and what is changed in it.
WAYS = {
    "class means": ("class_means", {}),
    "class means, of images alone": ("class_means", {"method.prior": "0.0"}),
    "Nadaraya-Watson, all images": ("nadaraya_watson", {}),
    "Nadaraya-Watson, 10 nearest": ("nadaraya_watson", TEN),
    "class means, metric learned": ("nca", {"scorer.name": "class_means"}),
    "Nadaraya-Watson, metric learned": ("nca", {}),
    "10 nearest, metric learned": ("nca", {"scorer.neighbours": "10"}),
    "ESZSL": ("eszsl", {}),
    "ESZSL, metric learned": ("nca", {"scorer.name": "eszsl"}),
}
SHOT_WAYS = ("class means", "class means, of images alone", "Nadaraya-Watson, all images", "ESZSL")
TEXT = """\
# Neighbours and class means

The oldest classifiers keep the images, or their means. Here they are zero-shot methods too, because a class without
any labelled image has a *described prototype*: a map from descriptions to class means is learned by ridge regression
on the classes with images, and says where the images of a new class would be on average.

    zsl-jax train --config=class_means:xlsa17 --config.data.dir=FOLDER --workdir=runs/class_means
    zsl-jax train --config=nadaraya_watson:xlsa17 --config.data.dir=FOLDER --config.method.neighbours=10 \\
        --workdir=runs/ten_nearest
    zsl-jax train --config=nca:xlsa17 --config.data.dir=FOLDER --workdir=runs/nca

| recipe | what a class is | where it has no image |
|---|---|---|
| [`class_means`](methods.md#class_means) | one vector, the mean of its images | the described prototype |
| [`nadaraya_watson`](methods.md#nadaraya_watson) | its images, which vote by nearness | that prototype votes alone |
| [`nca`](methods.md#nca) | what the method behind the learned metric says | the same |

- **Class means** are the mean classifier, the nearest class mean and prototypes from few shots: one formula, from no
  image to many. The description counts as `prior` images in the mean of every class; with `prior=0` it says something
  of classes without images alone.
- **Nadaraya-Watson** is kernel regression of the labels on all training images. `neighbours=10` lets only the ten
  nearest of them vote. All images are kept in the state, so the run's folder is as large as the training set.
- **NCA** learns a linear map, the metric, by the probability that a neighbour has the same class, on labelled training
  images alone; any method may stand behind it. Its default is the vote of stored images, which makes it k nearest
  neighbours with a learned metric.

## Figures

CUB127 (CUB restricted to 127 classes, MobileNet features) with attributes, per-class top-1, %. First the benchmark's
own split; in brackets mean and standard deviation over it and further draws of as many unseen classes. `cal.` is with
the constant gamma chosen on validation classes. All of them are inductive.

{table}

A row is the recipe with what is named: {commands}.

A learned metric helps class means and neighbours, which compare inputs as they come. It does not help ESZSL, which
learns a map of its own.

## From no image to many

{shots}

CUB127 with attributes, means and standard deviations over the seeds, each with other images as shots; the test images
are the same whatever their number. One point, as a run of its own:

    zsl-jax train --config=class_means:xlsa17 --config.data.dir=FOLDER --config.few_shot.shots=5 \\
        --config.few_shot.reserve=20 --workdir=runs/class_means_five_shots

Made by

    python docs/make_neighbours.py --folder=FOLDER

which keeps the figures in docs/neighbours.json.
"""


def run(folder: str, keep) -> None:
    """Adds the metrics of every way and draw, and of every number of shots and seed."""
    for draw in range(DRAWS):
        for way, (name, more) in WAYS.items():
            made = MAKING.of_recipe(name, "xlsa17", **{"data.dir": folder} | more)
            keep(f"{way}/{draw}", made, draw=draw, kind="att")
    for seed in range(SEEDS):
        for shots in SHOTS:
            for way in SHOT_WAYS:
                name, more = WAYS[way]
                few = {"few_shot.shots": str(shots), "few_shot.reserve": str(max(SHOTS)), "seed": str(seed)}
                made = MAKING.of_recipe(name, "xlsa17", **{"data.dir": folder} | more | few)
                keep(f"shots/{way}/{shots}/{seed}", made, kind="att")


def table(found: dict) -> str:
    """Returns the rows that were run, means over their draws."""
    lines = [f"| method | draws | {' | '.join(MAKING.METRICS)} |", "|---" * (2 + len(MAKING.METRICS)) + "|"]
    for way in WAYS:
        runs = [found[key] for draw in range(DRAWS) if (key := f"{way}/{draw}") in found]
        if runs:
            cells = [MAKING.cell([100 * each[name] for each in runs]) for name in MAKING.METRICS]
            lines.append(f"| {way} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shots(found: dict) -> str:
    """Returns ZSL and calibrated H by the number of labelled images of each unseen class."""
    lines = [
        f"| labelled images of each unseen class | {' | '.join(map(str, SHOTS))} |",
        "|---" * (1 + len(SHOTS)) + "|",
    ]
    for score in ("ZSL", "cal. H"):
        for way in SHOT_WAYS:
            runs = [
                [100 * found[key][score] for seed in range(SEEDS) if (key := f"shots/{way}/{count}/{seed}") in found]
                for count in SHOTS
            ]
            if all(runs):
                lines.append(f"| {score}, {way} | {' | '.join(map(MAKING.spread, runs))} |")
    return "\n".join(lines) if len(lines) > 2 else "Not run yet."


def commands() -> str:
    """Returns what each row changes in a recipe."""
    said = []
    for way, (name, more) in WAYS.items():
        flags = "".join(f" `--config.{key}={value}`" for key, value in more.items())
        said.append(f"{way}: `{name}`{' with' * bool(flags)}{flags}")
    return "; ".join(said)


def page(found: dict) -> str:
    """Returns the text of docs/neighbours.md."""
    text = TEXT.replace("{table}", table(found)).replace("{shots}", shots(found))
    return text.replace("{commands}", commands())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout")
    parser.add_argument("--only", default="", help="runs whose key (class means/0) has this in it")
    arguments = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if arguments.folder is not None:
        run(arguments.folder, MAKING.Keeper(found, arguments.only, RECORD))
    if not found:
        print("docs/neighbours.json is not there: name --folder=FOLDER to make it", file=sys.stderr)
        return 2
    PAGE.write_text(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
