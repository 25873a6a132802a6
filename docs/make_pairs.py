"""Writes the figures of docs/pairs.md: pairs never seen in training, over splits and seeds.

    python docs/make_pairs.py --clothes=FILE.npz --text=TOWER --tie=TIE.npz    # runs what docs/pairs.json lacks
    python docs/make_pairs.py --clothes=FILE.npz --photos=FOLDER --weights=MOBILENET.npz
    python docs/make_pairs.py --clothes=FILE.npz --words=GLOVE.npz
    python docs/make_pairs.py --emoji=FILE.npz
    python docs/make_pairs.py                                                  # only writes the tables

The first file holds `features` and `files`, COLOUR_KIND/NAME, of seven pairs, and the folder their photos; the other
file `images`, `gender` and `role`.
"""

import argparse
import json
import pathlib
import runpy
import sys
import tempfile
import types

import numpy as np

DOCS = pathlib.Path(__file__).resolve().parent
MEASURING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "measuring.py")))
RECORD, PAGE = DOCS / "pairs.json", DOCS / "pairs.md"
SETS = {
    "clothes": {"data.unseen_count": "2"},
    "emoji": {
        "data.unseen_count": "24",
        "data.attribute": "gender",
        "data.object": "role",
        "normalize.inputs": "none",
    },
}
METHODS = {
    "clothes": (
        "zero_shot",
        "coop",
        "csp",
        "nearest_pair",
        "two_heads",
        "ideal_words",
        "label_embed_plus",
        "symnet",
        "cot",
    ),
    "emoji": ("two_heads", "ideal_words", "label_embed_plus", "symnet", "cot"),
}
NEEDS = {
    **{f"clothes/{method}": "towers" for method in ("zero_shot", "coop", "csp")},
    "clothes/nearest_pair": "words",
    "clothes/cot": "photos",
}
# What cot reads. The photos are smaller than the 224 pixels of the features, and their encoder is frozen.
COT = {
    "clothes": {
        "data.file": "",
        "data.size": "128",
        "data.fit": "stretch",
        "data.cache": "memory",
        "encoder.name": "mobilenet_v2",
        "encoder.padding": "same",
        "encoder.scaling": "symmetric",
        "optimizer.encoder_rate": "0",
        "train.epochs": "6",
        "select.folds": "1",
    },
    "emoji": {"train.epochs": "10", "select.on": "nothing"},  # gamma alone would be chosen, for as long a training
}
# Draws that nothing was settled on: the step sizes saw figures of 0 to 5.
SPLITS, SEEDS = range(6, 11), range(3)
ONE_SEED = ("zero_shot", "nearest_pair", "ideal_words", "symnet", "cot")  # nothing random, or minutes per run
COMPARED = (
    ("csp", "zero_shot"),
    ("csp", "coop"),
    ("csp", "two_heads"),
    ("nearest_pair", "two_heads"),
    ("ideal_words", "two_heads"),
    ("label_embed_plus", "two_heads"),
    ("symnet", "two_heads"),
    ("cot", "two_heads"),
)
SCORES = ("seen", "unseen", "harmonic", "auc")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def run(name: str, file: str, given: dict[str, dict[str, str]], found: dict, only: str) -> None:
    """Adds to `found` the scores of every method, split and seed that it lacks, and writes them."""
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    for split in SPLITS:
        for method in METHODS[name]:
            needs = given[NEEDS.get(f"{name}/{method}", "nothing")]
            if not all(needs.values()):
                continue
            problem = None
            for seed in seeds(method):
                key = f"{name}/{method}/{split}/{seed}"
                # What a tower or word vectors say of the names, they say of feasibility, too.
                has_all = key in found and (
                    "feasible" in found[key] or not {"towers.text", "data.words"} & needs.keys()
                )
                if has_all or only not in key:
                    continue
                overrides = SETS[name] | {"data.file": file, "data.seed": str(split), "seed": str(seed)}
                overrides |= needs | (COT[name] if method == "cot" else {})
                config = command_line.recipe(f"{DOCS.parent / 'configs' / method}.py:pairs", overrides)
                problem = problems.make_problem(config) if problem is None else problem
                with tempfile.TemporaryDirectory() as workdir:
                    result = running.run(config, pathlib.Path(workdir) / "run", problem=problem, say=lambda line: None)
                worlds = result.record["metrics"]["pairs"]
                found[key] = {
                    world: {score: round(each[score], 4) for score in SCORES} for world, each in worlds.items()
                }
                if config.select.on != "nothing":
                    found[key]["calibrated"] = round(worlds["closed"]["calibrated"]["harmonic"], 4)
                RECORD.write_text(json.dumps(found, indent=0) + "\n")
                print(key, found[key]["closed"], flush=True)


def seeds(method: str) -> range:
    """The seeds of a method."""
    return SEEDS[:1] if method in ONE_SEED else SEEDS


def scores(found: dict, name: str, world: str, method: str, score: str) -> np.ndarray | None:
    """The means over seeds, one per split, in percent; None where a run is missing."""
    keys = [[f"{name}/{method}/{split}/{seed}" for seed in seeds(method)] for split in SPLITS]
    if not all(world in found.get(key, {}) for row in keys for key in row):
        return None
    return 100 * np.mean([[found[key][world][score] for key in row] for row in keys], axis=1)


def table(found: dict) -> str:
    """Returns the table: means over splits and seeds, with the 95 % interval of a mean over the splits."""
    lines = ["| set, world | method | S | U | H | AUC | H at the chosen gamma |", "|---|---|---|---|---|---|---|"]
    found = {key: {"chosen": {"harmonic": run.get("calibrated", np.nan)}, **run} for key, run in found.items()}
    for name, methods in METHODS.items():
        for world in ("closed", "open", "feasible"):
            for method in methods:
                cells = [scores(found, name, world, method, score) for score in SCORES]
                if cells[0] is None:
                    continue
                chosen = cell(scores(found, name, "chosen", method, "harmonic")) if world == "closed" else ""
                lines.append(f"| {name}, {world} | {method} | {' | '.join(map(cell, cells))} | {chosen} |")
    return "\n".join(lines)


def differences(found: dict) -> str:
    """Returns the differences in AUC that the same splits give, closed world."""
    lines = ["| set | AUC, closed world: of | minus that of | difference |", "|---|---|---|---|"]
    for name in METHODS:
        for one, other in COMPARED:
            pair = [scores(found, name, "closed", method, "auc") for method in (one, other)]
            if not any(values is None for values in pair):
                lines.append(f"| {name} | {one} | {other} | {cell(pair[0] - pair[1])} |")
    return "\n".join(lines)


def cell(of_split: np.ndarray) -> str:
    """The mean, and half the width of its interval by Student's t over the splits; empty where it was not measured."""
    if np.any(np.isnan(of_split)):
        return ""
    return MEASURING.cell(of_split)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in SETS:
        parser.add_argument(f"--{name}", help="the archive")
    options = {
        "text": "the folder of a text tower",
        "tie": "what ties its texts to the features",
        "photos": "the folder of the photos of the clothes",
        "weights": "of a MobileNetV2 from Keras",
        "words": "word vectors, as GloVe writes them or an archive",
    }
    for name, what in options.items():
        parser.add_argument(f"--{name}", default="", help=what)
    parser.add_argument("--only", default="", help="runs whose key (emoji/two_heads/6/0) has this in it")
    given = parser.parse_args()
    needed = {
        "nothing": {},
        "towers": {"towers.text": given.text, "towers.tie": given.tie},
        "photos": {"data.dir": given.photos, "encoder.weights": given.weights},
        "words": {"data.words": given.words},
    }
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name in SETS:
        if file := getattr(given, name):
            run(name, file, needed, found, given.only)
    head, _, rest = PAGE.read_text().partition(BEGIN)
    tables = f"{table(found)}\n\n{differences(found)}"
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
