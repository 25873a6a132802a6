"""Writes the table of matching in docs/pairs.md: is "a A and b B" told from "b A and a B"?

    python docs/make_matching.py                    # runs what docs/matching.json lacks: three towers trained on scenes
    python docs/make_matching.py --text=TOWER --tie=TIE.npz --weights=MOBILENET.npz       # and a pair that was not

Percent, one seed each, some minutes a run on two cores.
"""

import argparse
import json
import pathlib
import sys
import tempfile

DOCS = pathlib.Path(__file__).resolve().parent
RECORD, PAGE = DOCS / "matching.json", DOCS / "pairs.md"
BEGIN, END = "<!-- matching -->", "<!-- end of matching -->"
PAIRS_OF_WORDS, ALL_SCENES = {"class_encoder.ngrams": "2"}, {"method.loss": "info_nce"}
SCENES = {"data.size": "224", "data.num_couples": "40", "data.num_per_class": "10"}
RUNS = {
    "words, against all scenes": ("clip_words:scenes", ALL_SCENES),
    "words and pairs of words, against all scenes": ("clip_words:scenes", PAIRS_OF_WORDS | ALL_SCENES),
    "words and pairs of words, against the batch": ("clip_words:scenes", PAIRS_OF_WORDS),
    "MiniLM, tied to MobileNetV2": ("zero_shot:scenes", SCENES),
}
SCORES = ("text", "image", "group", "swap")
CHANCE = {"text": 1 / 4, "image": 1 / 4, "group": 1 / 6, "swap": 1 / 2}


def run(towers: dict[str, str], found: dict) -> None:
    """Adds to `found` what is lacking, and writes it."""
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    for name, (recipe, overrides) in RUNS.items():
        needs = towers if recipe.startswith("zero_shot") else {}
        if name in found or not all(needs.values()):
            continue
        config = command_line.recipe(f"{DOCS.parent / 'configs'}/{recipe.replace(':', '.py:')}", overrides | needs)
        problem = problems.make_problem(config)
        with tempfile.TemporaryDirectory() as workdir:
            result = running.run(config, pathlib.Path(workdir) / "run", problem=problem, say=lambda line: None)
        found[name] = rounded(result.record)
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
        print(name, found[name], flush=True)


def rounded(record: dict) -> dict:
    """What is kept of a record."""
    sides = record["metrics"]["matching"]
    return {side: {score: round(sides[side][score], 4) for score in SCORES} for side in ("unseen", "seen")}


def table(found: dict) -> str:
    """Returns the table: unseen scenes, and beside the group score that of seen ones."""
    lines = ["| tower | text | image | group | swap | group, seen scenes |", "|---|---|---|---|---|---|"]
    for name, sides in {"chance": {"unseen": CHANCE, "seen": CHANCE}, **found}.items():
        cells = [*(sides["unseen"][score] for score in SCORES), sides["seen"]["group"]]
        lines.append(f"| {name} | {' | '.join(f'{100 * cell:.1f}' for cell in cells)} |")
    return "\n".join(lines)


def page(text: str, found: dict) -> str:
    """Returns docs/pairs.md with the table in its place."""
    head, _, rest = text.partition(BEGIN)
    ordered = {name: found[name] for name in RUNS if name in found}
    return f"{head}{BEGIN}\n\n{table(ordered)}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("text", "tie", "weights"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    run({"towers.text": given.text, "towers.tie": given.tie, "towers.image": given.weights}, found)
    PAGE.write_text(page(PAGE.read_text(), found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
