"""Writes the figures of docs/pairs.md: pairs never seen in training, over splits and seeds.

    python docs/make_pairs.py --clothes=FILE.npz --emoji=FILE.npz    # runs what docs/pairs.json lacks
    python docs/make_pairs.py                                        # only writes the table

The first file holds `features` and `files`, COLOUR_KIND/NAME, of seven pairs; the second `images`, `gender` and `role`.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
from scipy import stats

DOCS = pathlib.Path(__file__).resolve().parent
RECORD, PAGE = DOCS / "pairs.json", DOCS / "pairs.md"
SETS = {
    "clothes": {"data.unseen_count": "2"},
    "emoji": {"data.unseen_count": "24", "data.attribute": "gender", "data.object": "role"},
}
METHODS = ("two_heads", "ideal_words", "label_embed_plus")
SPLITS, SEEDS = 5, 3
SCORES = ("seen", "unseen", "harmonic", "auc")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def run(name: str, file: str, found: dict) -> None:
    """Adds to `found` the scores of every method, split and seed that it lacks, and writes them."""
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    for method in METHODS:
        for split in range(SPLITS):
            problem = None
            for seed in range(SEEDS):
                key = f"{name}/{method}/{split}/{seed}"
                if key in found:
                    continue
                overrides = SETS[name] | {"data.file": file, "data.seed": str(split), "seed": str(seed)}
                config = command_line.recipe(f"{DOCS.parent / 'configs' / method}.py:pairs", overrides)
                problem = problems.make_problem(config) if problem is None else problem
                with tempfile.TemporaryDirectory() as workdir:
                    result = running.run(config, pathlib.Path(workdir) / "run", problem=problem, say=lambda line: None)
                worlds = result.record["metrics"]["pairs"]
                found[key] = {
                    world: {score: round(each[score], 4) for score in SCORES} for world, each in worlds.items()
                }
                found[key]["calibrated"] = round(worlds["closed"]["calibrated"]["harmonic"], 4)
                RECORD.write_text(json.dumps(found, indent=0) + "\n")
                print(key, found[key]["closed"], flush=True)


def table(found: dict) -> str:
    """Returns the table: means over splits and seeds, with the 95 % interval of a mean over the splits."""
    lines = ["| set, world | method | S | U | H | AUC | H at the chosen gamma |", "|---|---|---|---|---|---|---|"]
    for name in SETS:
        for world in ("closed", "open"):
            for method in METHODS:
                keys = [[f"{name}/{method}/{s}/{seed}" for seed in range(SEEDS)] for s in range(SPLITS)]
                if not all(key in found and world in found[key] for row in keys for key in row):
                    continue
                cells = [_cell([[found[key][world][score] for key in row] for row in keys]) for score in SCORES]
                chosen = _cell([[found[key]["calibrated"] for key in row] for row in keys]) if world == "closed" else ""
                lines.append(f"| {name}, {world} | {method} | {' | '.join(cells)} | {chosen} |")
    return "\n".join(lines)


def _cell(values: list[list[float]]) -> str:
    """The mean, and half the width of its interval by Student's t over the means of the splits."""
    of_split = 100 * np.mean(values, axis=1)
    half = stats.t.ppf(0.975, len(of_split) - 1) * np.std(of_split, ddof=1) / np.sqrt(len(of_split))
    return f"{np.mean(of_split):.1f} ± {half:.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in SETS:
        parser.add_argument(f"--{name}", help="the archive")
    arguments = vars(parser.parse_args())
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, file in arguments.items():
        if file is not None:
            run(name, file, found)
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(found)}\n\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
