"""Trains pairs of towers on sentences about the shapes and writes how they do on other wordings into docs/pixels.md.

    python docs/make_wordings.py --text=FOLDER            # bag, transformer, locked: minutes
    python docs/make_wordings.py --text=FOLDER long_bag long_locked       # the recipes as they are: half an hour
    python docs/make_wordings.py --page      # writes the page again from docs/wordings.json

FOLDER is a text tower, such as all-MiniLM-L6-v2. The sentences of training are written to runs/wordings/texts.json, for
the pair whose text tower is locked. Runs stay in runs/wordings and are not done again.
"""

import argparse
import dataclasses
import json
import pathlib
import shlex

import measuring
import numpy as np

from zsl_jax import metrics
from zsl_jax.data import shapes, shapes_wording
from zsl_jax.training import problems, trained

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "wordings.json", ROOT / "docs" / "pixels.md"
RUNS = pathlib.Path("runs/wordings")
TEXTS = RUNS / "texts.json"
BEGIN, END = "## Sentences, and other words for the same\n", "## "

QUICK = [
    *("--config.data.num_per_class=60", "--config.train.epochs=5", "--config.select.every=5"),
    *("--config.optimizer.decay_epochs=5", "--config.select.on=nothing"),
]
LOCKED = ["--config=locked_text", "--config.towers.text=TEXT", f"--config.towers.texts={TEXTS}"]
WAYS = {
    "bag": ("a bag of words, a short training", ["--config=clip_sentences", *QUICK]),
    "transformer": (
        "a transformer, a short training",
        ["--config=clip_sentences", "--config.class_encoder.name=transformer", *QUICK],
    ),
    "locked": (
        "MiniLM, locked, and an MLP behind it, a short training",
        [*LOCKED, *QUICK],
    ),
    "long_bag": ("a bag of words", ["--config=clip_sentences"]),
    "long_locked": ("MiniLM, locked, and an MLP behind it", LOCKED),
}
INTRODUCTION = (
    BEGIN
    + """
`configs/clip_sentences.py` describes each class of the shapes by 16 sentences, of which a step draws one per class: a
caption. `configs/locked_text.py` starts from a pretrained text tower and locks it (`config.towers`); with
`config.encoder.weights` and `config.optimizer.encoder_rate=0` the images' side is locked, which is locked-image
tuning (LiT). A class is scored by the mean of its sentences. Per-class accuracy on the images of the 16 unseen
combinations among themselves, chance 6.2, seed 0, for the sentences of training ("a photo of a big disc, scarlet and
plain"), for the same words in other sentences ("something scarlet shaped like a disc, plain, rather big") and for
words that no sentence of training has in its sentences ("a photo of a huge ball, crimson and uniform"). Such words
say next to nothing to an encoder that starts at random; a pretrained tower knows something of them:
"""
)


def command(way: str) -> list[str]:
    return ["train", *WAYS[way][1], "--config.plots=none", f"--workdir={RUNS}/{way}"]


def accuracies(workdir: pathlib.Path) -> dict[str, float]:
    """Returns the accuracy among the unseen classes of a run, by the wording of their sentences."""
    model = trained.load(workdir)
    source = problems.load_data(model.config)
    unseen = np.flatnonzero(~np.asarray(source.classes.is_seen))
    rows = source.splits["test_unseen"]
    labels = np.searchsorted(unseen, source.labels[rows])
    found = {}
    for wording in shapes_wording.WORDINGS:
        sentences = [shapes_wording.sentences(source.classes.names[row], wording) for row in unseen]
        if "towers" in model.config:
            embedding = problems.class_describer(model.config).vectors(sentences)
        else:
            embedding = shapes.read(sentences)
        table = dataclasses.replace(source.classes[unseen], embedding=embedding)
        predictions = np.argmax(model.scores(source.inputs[rows], table), axis=1)
        found[wording] = float(metrics.per_class_accuracy(predictions, labels, num_classes=len(unseen)))
    return found


def measure(places: dict[str, str], ways: list[str]) -> dict:
    """Runs what has no record yet; returns what the page needs."""
    TEXTS.parent.mkdir(parents=True, exist_ok=True)
    names = shapes.load(num_per_class=2).classes.names
    TEXTS.write_text(json.dumps({name: shapes_wording.sentences(name) for name in names}, indent=1) + "\n")
    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for way in ways:
        held = measuring.record([command(way)], places)
        if held is not None:
            found[way] = {"zsl": held["metrics"]["zsl"]["top1"], **accuracies(RUNS / way)}
    return found


def page(figures: dict) -> str:
    """Returns the part of docs/pixels.md that begins with `BEGIN`."""
    lines = ["| sentences are read by | as in training | in other sentences | in other words |", "|---|---|---|---|"]
    for way, (title, _) in WAYS.items():
        if way in figures:
            cells = (f"{100 * figures[way][wording]:.1f}" for wording in shapes_wording.WORDINGS)
            lines.append(f"| {title} | {' | '.join(cells)} |")
    block = [f"    zsl-jax {shlex.join(command(way))}" for way in WAYS if way in figures]
    return "\n".join([INTRODUCTION, *lines, "", "Commands, by `docs/make_wordings.py`:\n", *block, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ways", nargs="*", default=["bag", "transformer", "locked"], help=", ".join(WAYS))
    parser.add_argument("--text", default="", help="folder of a text tower")
    parser.add_argument("--page", action="store_true")
    values = parser.parse_args()
    if not values.page:
        figures = measure({"TEXT": values.text} if values.text else {}, values.ways)
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.find(f"\n{END}")
    tail = rest[after:] if after >= 0 else ""
    PAGE.write_text(before.rstrip("\n") + "\n\n" + page(json.loads(FIGURES.read_text())) + tail)
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
