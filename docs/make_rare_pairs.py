"""Writes the table of rare pairs in docs/pairs.md: what mixing images of rare attributes does to CoT, pair by pair.

    python docs/make_rare_pairs.py --emoji=FILE.npz    # runs what docs/rare_pairs.json lacks
    python docs/make_rare_pairs.py                     # only writes the table

The file holds `images`, `gender` and `role`; images are halved, so that a run takes a minute. Every pair has as many
images there; of each role with both genders in training one gender keeps 1, 2 or 4 of them, drawn by the seed of the
unseen pairs, and the other gender all.
"""

import argparse
import dataclasses
import itertools
import json
import pathlib
import runpy
import sys
import tempfile
import types

import numpy as np

DOCS = pathlib.Path(__file__).resolve().parent
MEASURING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "measuring.py")))
RECORD, PAGE = DOCS / "rare_pairs.json", DOCS / "pairs.md"
OPTIONS = {
    "data.unseen_count": "24",
    "data.attribute": "gender",
    "data.object": "role",
    "select.on": "nothing",
}
# A half of 40 pixels is no multiple of the 8 that the recipe's encoder takes together.
SMALL = {"train.epochs": "10", "encoder.merges": "(2, 2, 1)"}
WAYS = {
    "two heads": ("two_heads", {"normalize.inputs": "none"}),
    "CoT without mixing": ("cot", SMALL | {"method.mixing": "0.0"}),
    "CoT with mixing": ("cot", SMALL),
}
SCORES = {"seen": "S", "unseen": "U", "harmonic": "H", "auc": "AUC"}
KEPT, SPLITS = (1, 2, 4), range(6, 11)
BEGIN, END = "<!-- rare pairs -->", "<!-- end of rare pairs -->"


def halved(file: str, folder: str) -> str:
    """Returns a new archive with images of half the width and height, means of four pixels."""
    held = dict(np.load(file))
    count, height, width, channels = held["images"].shape
    blocks = held["images"].reshape(count, height // 2, 2, width // 2, 2, channels)
    held["images"] = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
    path = pathlib.Path(folder) / "halved.npz"
    np.savez(path, **held)
    return str(path)


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

    with tempfile.TemporaryDirectory() as folder:
        small = halved(file, folder)
        for split, (way, (method, more)) in itertools.product(SPLITS, WAYS.items()):
            key = f"{way}/{split}"
            if key in found:
                continue
            overrides = OPTIONS | {"data.file": small, "data.seed": str(split)} | more
            config = command_line.recipe(f"{DOCS.parent / 'configs' / method}.py:pairs", overrides)
            problem = problems.make_problem(config)
            dataset = thinned(problem.dataset, split)
            problem = problem._replace(dataset=dataset)
            result = running.run(
                config, pathlib.Path(folder) / f"{way} {split}", problem=problem, say=lambda line: None
            )
            counts = np.bincount(dataset.labels[dataset.splits["train"]], minlength=len(dataset.classes))
            trained = dict(zip(dataset.classes.names, counts.tolist()))
            answers = {name: each for name, each in result.record["per_class"].items() if each["seen"]}
            found[key] = {name: round(result.record["metrics"]["pairs"]["closed"][name], 4) for name in SCORES}
            found[key]["pairs"] = [
                [name, trained[name], each["closed_correct"], each["images"]] for name, each in answers.items()
            ]
            RECORD.write_text(json.dumps(found) + "\n")
            print(key, {name: found[key][name] for name in SCORES}, accuracy(found[key], KEPT), flush=True)


def accuracy(run: dict, counts: tuple[int, ...]) -> float:
    """Returns the mean accuracy over the seen pairs with so many training images, in percent."""
    return 100 * float(np.mean([right / images for _, count, right, images in run["pairs"] if count in counts]))


def complete(found: dict) -> list[int]:
    """Returns the draws that every way was run on."""
    return [split for split in SPLITS if all(f"{way}/{split}" in found for way in WAYS)]


def table(found: dict) -> str:
    """Returns the accuracies by the number of training images of a pair, and what mixing changes."""
    splits = complete(found)
    lines = [
        f"| training images of the pair | pairs | {' | '.join(WAYS)} | mixing changes |",
        "|---" * (3 + len(WAYS)) + "|",
    ]
    every = sorted({count for run in found.values() for _, count, _, _ in run["pairs"]})
    others = tuple(count for count in every if count > max(KEPT))
    for counts in (*((count,) for count in KEPT), others):
        of_way = {way: np.array([accuracy(found[f"{way}/{split}"], counts) for split in splits]) for way in WAYS}
        pairs = [sum(pair[1] in counts for pair in found[f"two heads/{split}"]["pairs"]) for split in splits]
        name = f"{counts[0]} to {counts[-1]}" if counts[0] < counts[-1] else str(counts[0])
        cells = [MEASURING.cell(values) for values in of_way.values()]
        change = MEASURING.cell(of_way["CoT with mixing"] - of_way["CoT without mixing"])
        lines.append(f"| {name} | {np.mean(pairs):.0f} | {' | '.join(cells)} | {change} |")
    return "\n".join(lines)


def curves(found: dict) -> str:
    """Returns the scores of the closed world, and below them what CoT is above two heads."""
    lines = [f"| draws: {len(complete(found))} | {' | '.join(SCORES.values())} |", "|---" * (1 + len(SCORES)) + "|"]
    values = {
        way: [np.array([100 * found[f"{way}/{split}"][name] for split in complete(found)]) for name in SCORES]
        for way in WAYS
    }
    lines += [f"| {way} | {' | '.join(map(MEASURING.cell, of_way))} |" for way, of_way in values.items()]
    apart = [MEASURING.cell(a - b) for a, b in zip(values["CoT with mixing"], values["two heads"])]
    lines.append(f"| CoT with mixing minus two heads | {' | '.join(apart)} |")
    return "\n".join(lines)


def page(text: str, found: dict) -> str:
    """Returns the text of docs/pairs.md with the table of these figures."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{curves(found)}\n\n{table(found)}\n\n{END}{rest.partition(END)[2]}"


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
