"""Writes the table of rare pairs in docs/pairs.md: what mixing images of rare attributes does to CoT, pair by pair.

    python docs/make_rare_pairs.py --emoji=FILE.npz    # runs what docs/rare_pairs.json lacks
    python docs/make_rare_pairs.py                     # only writes the table

The file holds `images`, `gender` and `role`. Every pair has as many images there; of each role with both genders in
training one gender keeps 1, 2 or 4 of them, drawn by the seed of the unseen pairs, and the other gender all.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import tempfile

import numpy as np
from scipy import stats

DOCS = pathlib.Path(__file__).resolve().parent
RECORD, PAGE = DOCS / "rare_pairs.json", DOCS / "pairs.md"
OPTIONS = {
    "data.unseen_count": "24",
    "data.attribute": "gender",
    "data.object": "role",
    "select.on": "nothing",
}
WAYS = {
    "two heads": ("two_heads", {"normalize.inputs": "none"}),
    "CoT without mixing": ("cot", {"train.epochs": "10", "method.mixing": "0.0"}),
    "CoT with mixing": ("cot", {"train.epochs": "10"}),
}
KEPT, SPLITS = (1, 2, 4), range(6, 11)
BEGIN, END = "<!-- rare pairs -->", "<!-- end of rare pairs -->"


def thinned(dataset, seed: int):
    """Returns the dataset with fewer training images of one gender of each role that has both in training."""
    rng, train, parts = np.random.default_rng(seed), dataset.splits["train"], dataset.classes.parts
    labels, kept = dataset.labels[train], np.ones(len(train), bool)
    for role in np.unique(parts[:, 1]):
        pairs = np.flatnonzero((parts[:, 1] == role) & dataset.classes.is_seen)
        pair, count = rng.choice(pairs), rng.choice(KEPT)
        if len(pairs) > 1:
            kept[rng.permutation(np.flatnonzero(labels == pair))[count:]] = False
    return dataclasses.replace(dataset, splits=dataset.splits | {"train": train[kept]})


def run(file: str, found: dict) -> None:
    """Adds to `found` the answers to the test images of every seen pair, for every way and draw that it lacks."""
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    for split in SPLITS:
        for way, (method, more) in WAYS.items():
            key = f"{way}/{split}"
            if key in found:
                continue
            overrides = OPTIONS | {"data.file": file, "data.seed": str(split)} | more
            config = command_line.recipe(f"{DOCS.parent / 'configs' / method}.py:pairs", overrides)
            problem = problems.make_problem(config)
            dataset = thinned(problem.dataset, split)
            with tempfile.TemporaryDirectory() as workdir:
                problem = problem._replace(dataset=dataset)
                result = running.run(config, pathlib.Path(workdir) / "run", problem=problem, say=lambda line: None)
            counts = np.bincount(dataset.labels[dataset.splits["train"]], minlength=len(dataset.classes))
            trained = dict(zip(dataset.classes.names, counts.tolist()))
            per_class = result.record["per_class"]
            found[key] = {
                name: [trained[name], each["closed_correct"], each["images"]]
                for name, each in per_class.items()
                if each["seen"]
            }
            RECORD.write_text(json.dumps(found, indent=0).replace(",\n", ",").replace("[\n", "[") + "\n")
            print(key, accuracy(found[key], KEPT), flush=True)


def accuracy(pairs: dict[str, list[int]], counts: tuple[int, ...]) -> float:
    """Returns the mean accuracy over the pairs with so many training images, in percent."""
    return 100 * float(np.mean([right / images for count, right, images in pairs.values() if count in counts]))


def table(found: dict) -> str:
    """Returns the accuracies by the number of training images of a pair, and what mixing changes."""
    splits = [split for split in SPLITS if all(f"{way}/{split}" in found for way in WAYS)]
    lines = [
        f"| training images of the pair | pairs | {' | '.join(WAYS)} | mixing changes |",
        "|---" * (3 + len(WAYS)) + "|",
    ]
    every = sorted({count for key in found for count, _, _ in found[key].values()})
    others = tuple(count for count in every if count > max(KEPT))
    for counts in (*((count,) for count in KEPT), others):
        of_way = {way: np.array([accuracy(found[f"{way}/{split}"], counts) for split in splits]) for way in WAYS}
        pairs = np.mean(
            [sum(count in counts for count, _, _ in found[f"two heads/{split}"].values()) for split in splits]
        )
        name = str(counts[0]) if counts != others else f"{others[0]} to {others[-1]}"
        cells = [cell(values) for values in of_way.values()]
        change = cell(of_way["CoT with mixing"] - of_way["CoT without mixing"])
        lines.append(f"| {name} | {pairs:.0f} | {' | '.join(cells)} | {change} |")
    return "\n".join(lines)


def cell(of_split: np.ndarray) -> str:
    """The mean, and half the width of its 95 % interval by Student's t over the draws."""
    half = stats.t.ppf(0.975, len(of_split) - 1) * np.std(of_split, ddof=1) / np.sqrt(len(of_split))
    return f"{np.mean(of_split):.1f} ± {half:.1f}"


def page(text: str, found: dict) -> str:
    """Returns the text of docs/pairs.md with the table of these figures."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table(found)}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emoji", help="the archive")
    given = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if given.emoji:
        run(given.emoji, found)
    PAGE.write_text(page(PAGE.read_text(), found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
