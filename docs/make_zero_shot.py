"""Runs zero-shot from names on real images and writes docs/zero_shot.md: a row a way to describe the classes.

    python docs/make_zero_shot.py --text=FOLDER --tie=TIE.npz --groceries=FILE.npz --clothes=FILE.npz --birds=FOLDER \
        --bird_texts=FILE.json --bird_descriptors=FILE.json --bird_attributes=FILE.txt
    python docs/make_zero_shot.py --page      # writes the page again from docs/zero_shot.json

TEXT is a text tower, TIE a map from its space to MobileNetV2's features. GROCERIES and CLOTHES are archives for the
source npz with class_names, BIRDS a benchmark in the xlsa17 layout. Runs stay in runs/zero_shot and are not done again.
"""

import argparse
import json
import pathlib
import shlex

import numpy as np

from zsl_jax.training.protocols import base

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "zero_shot.json", ROOT / "docs" / "zero_shot.md"
RUNS = pathlib.Path("runs/zero_shot")

ENSEMBLE = "a photo of a {}.|a close-up photo of a {}.|a photo of the {}.|an image of a {}."
NAMES = {
    "names": ("its name: a photo of a {}.", {}),
    "bare": ("its bare name: {}", {"towers.template": "{}"}),
    "ensemble": ("its name in 4 templates", {"towers.template": ENSEMBLE}),
    "random": ("its name and random letters (control)", {"towers.by": "random"}),
}
BIRDS = {
    "names": NAMES["names"],
    "random": NAMES["random"],
    "texts": (
        "sentences of a language model (CuPL); its name where there are none",
        {"towers.by": "texts", "towers.texts": "BIRD_TEXTS", "towers.missing": "names"},
    ),
    "descriptors": (
        "short descriptors of a language model",
        {
            "towers.by": "texts",
            "towers.texts": "BIRD_DESCRIPTORS",
            "towers.template": "a photo of a {}, which has {text}.",
        },
    ),
    "attributes": (
        "a sentence on its 8 most telling attributes",
        {"towers.by": "attributes", "towers.attributes": "BIRD_ATTRIBUTES"},
    ),
}
# The same, and how its tie is fitted where that is not by ridge.
UNSEEN_BIRDS = BIRDS | {"steps": ("the same CuPL sentences; the tie by contrastive steps", BIRDS["texts"][1])}
FITS = {"steps": ["--by=contrastive"]}
PRETRAINED = {"protocol": "gzsl", "select.metric": "harmonic", "method.centre": "training", "plots": "none"}
COLUMNS = {"towers.columns": "0:1280"}

# Title, source with the key of its place, ways, keys of all runs, and whether a tie is fitted first.
TABLES = {
    "groceries": ("81 groceries", ("npz", "data.file", "GROCERIES"), NAMES, {}, False),
    "clothes": ("7 kinds of clothes", ("npz", "data.file", "CLOTHES"), NAMES, {}, False),
    "birds": ("127 birds", ("xlsa17", "data.dir", "BIRDS"), BIRDS, COLUMNS, False),
    "unseen_birds": ("33 unseen birds", ("xlsa17", "data.dir", "BIRDS"), UNSEEN_BIRDS, PRETRAINED, True),
}


BEGIN = "## Figures\n"
INTRODUCTION = (
    BEGIN
    + """
MiniLM (all-MiniLM-L6-v2, weights of 8 bits) and MobileNetV2's features; the tie was fitted from 998 ImageNet names to
the rows of its classifier. Per-class accuracy; intervals over test images, by bootstrap within each class. Written by
`docs/make_zero_shot.py`, with the commands below each table; names in capitals stand for files.
"""
)

EXPLAINED = {
    "groceries": "All 5,421 images, chance 1.2.\n",
    "clothes": "Black, blue and red dresses, jeans, shirts and shoes, 2,518 photos, chance 14.3.\n",
    "birds": "CUB restricted to 127 species; test images of seen and unseen classes among all 127, chance 0.8.\n",
    "unseen_birds": (
        "The tie is fitted on the 94 seen classes, each way on its own sentences, and the 33 others are scored: "
        "protocol gzsl, setting `pretrained`, chance 3.0 for the top-1 among unseen classes. Features are those of two "
        "MobileNets (2304 numbers).\n"
    ),
}


def commands(table: str, way: str) -> list[list[str]]:
    """Returns the words of the commands of a row, with names in capitals where files go."""
    _, (source, key, place), ways, keys, fits = TABLES[table]
    recipe = [f"--config=zero_shot:{source}", f"--config.{key}={place}", "--config.towers.text=TEXT"]
    described = [f"--config.{name}={value}" for name, value in ways[way][1].items()]
    run = f"{RUNS}/{table}/{way}"
    tie = f"{run}.npz" if fits else "TIE"
    keys = [f"--config.{name}={value}" for name, value in keys.items()]
    train = ["train", *recipe, *described, *keys, f"--config.towers.tie={tie}", f"--workdir={run}"]
    return [["tie", *recipe, *described, *FITS.get(way, ()), f"--out={tie}"], train] if fits else [train]


def measure(places: dict[str, str]) -> dict:
    """Runs what has no record yet, on the sets that have a place; returns what the page needs of all records."""
    import measuring

    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for table, (_, _, ways, _, _) in TABLES.items():
        for way in ways:
            held = measuring.record(commands(table, way), places)
            if held is None:
                continue
            entry = {name: held[name] for name in ("setting", "metrics", "intervals")}
            counts = "zsl_correct" if "zsl" in held["metrics"] else "correct"
            scored = [each for each in held["per_class"].values() if counts in each]
            entry["images"], entry["correct"] = ([each[name] for each in scored] for name in ("images", counts))
            found.setdefault(table, {})[way] = entry
    return found


def gain(entry: dict, than: dict) -> tuple[float, float]:
    """Returns the 95 % interval of a difference of per-class accuracies, by bootstrap of both within each class."""
    rng = np.random.default_rng(0)
    samples = [base.resampled(rng, np.array(e["correct"]), np.array(e["images"])) for e in (entry, than)]
    return tuple(np.quantile(samples[0] - samples[1], (0.025, 0.975)))


def page(figures: dict) -> str:
    """Returns the part of docs/zero_shot.md that begins with `BEGIN`."""
    parts = [INTRODUCTION]
    for table, (title, *_) in TABLES.items():
        parts += [f"### {title}\n", EXPLAINED[table], _rows(table, figures[table]), "Commands:\n", _block(table)]
    return "\n".join([*parts, summary(figures)])


def _rows(table: str, entries: dict) -> str:
    ways, fits = TABLES[table][2], TABLES[table][4]
    more = "U / S / H, calibrated" if fits else "macro F1"
    lines = [
        f"| a class is described by | top-1, % | 95 % | gain over its name, 95 % | {more} |",
        "|---|---|---|---|---|",
    ]
    for way, entry in entries.items():
        metrics = entry["metrics"]
        top1 = metrics["zsl"]["top1"] if fits else metrics["transfer"]["top1"]
        low, high = entry["intervals"]["zsl" if fits else "top1"]
        gained = (
            "" if way == "names" else "{:+.1f} to {:+.1f}".format(*(100 * x for x in gain(entry, entries["names"])))
        )
        if fits:
            last = " / ".join(f"{100 * metrics['gzsl']['calibrated'][x]:.1f}" for x in ("unseen", "seen", "harmonic"))
        else:
            last = f"{100 * metrics['transfer']['macro_f1']:.1f}"
        lines.append(f"| {ways[way][0]} | {100 * top1:.1f} | {100 * low:.1f} to {100 * high:.1f} | {gained} | {last} |")
    return "\n".join(lines) + "\n"


def _block(table: str) -> str:
    lines = [f"    zsl-jax {shlex.join(line)}" for way in TABLES[table][2] for line in commands(table, way)]
    return "\n".join(lines) + "\n"


def summary(figures: dict) -> str:
    """Returns which text helps, as the figures say it."""
    lines = ["### Which text helps\n"]
    for table, (title, _, ways, _, _) in TABLES.items():
        entries = figures[table]
        for way in ways:
            if way == "names":
                continue
            low, high = gain(entries[way], entries["names"])
            if low > 0 or high < 0:
                more, ends = ("more", (low, high)) if low > 0 else ("less", (-high, -low))
                points = f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} points {more}"
                lines.append(f"- {title}: {ways[way][0]} gives {points} than its name.")
    lines.append("- All other differences are within their intervals.\n")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = ("text", "tie", "groceries", "clothes", "birds", "bird_texts", "bird_descriptors", "bird_attributes")
    for name in names:
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--page", action="store_true")
    values = parser.parse_args()
    if not values.page:
        figures = measure({name.upper(): getattr(values, name) for name in names if getattr(values, name)})
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    written = PAGE.read_text().partition(BEGIN)[0]
    PAGE.write_text(written + page(json.loads(FIGURES.read_text())))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
