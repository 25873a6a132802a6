"""Runs classification of texts without labelled texts, and writes docs/texts.md from what comes out.

    python docs/make_texts.py --text=TEXT --topics=AG_NEWS.csv --intents=SNIPS.csv --many_intents=CLINC150.csv \
        --words=FILE --split=FOLDER
    python docs/make_texts.py --page      # writes the page again from docs/texts.json

TEXT is a text tower, WORDS a file of word vectors, SPLIT a folder with SNIPS as train.txt, dev.txt and test.txt, each
of classes of its own; the others are tables with the columns text and category. Each way is run on five samples of the
texts, drawn by seed. Runs stay in runs/texts; what docs/texts.json has is not run again.
"""

import json
import pathlib
import shlex

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "texts.json", ROOT / "docs" / "texts.md"
RUNS = pathlib.Path("runs/texts")
BEGIN = "## Figures\n"
SEEDS = 5

# Title, place of the file, texts of a sample.
SETS = {
    "topics": ("AG News, 4 topics", "TOPICS", 1500),
    "intents": ("SNIPS, 7 intents", "INTENTS", 7000),
    "many_intents": ("CLINC150, 150 intents", "MANY_INTENTS", 3000),
}
SIZES = {"topics": 2000, "intents": 13802, "many_intents": 4500}
# Four or five words for each class, written down from the names before any run, and left as they were.
KEYWORDS = "docs/keywords"
_KEYWORDS = {"towers.by": "texts", "towers.texts": KEYWORDS, "towers.template": "{text}"}
# What the row says, recipe, keys.
WAYS = {
    "names": ("`label_similarity`, names as they are", "label_similarity", {"method.rounds": 0}),
    "refined": ("`label_similarity`, as the recipe says", "label_similarity", {}),
    "lbl2vec": ("`lbl2vec`", "lbl2vec", {}),
    "sentences": (
        "`label_similarity`, names in a sentence",
        "label_similarity",
        {"method.rounds": 0, "towers.template": "This text is about {}."},
    ),
    "keywords": ("`label_similarity`, keywords as they are", "label_similarity", {"method.rounds": 0, **_KEYWORDS}),
    "keywords_refined": ("`label_similarity`, keywords, refined as the recipe says", "label_similarity", _KEYWORDS),
    "keywords_lbl2vec": ("`lbl2vec`, keywords", "lbl2vec", _KEYWORDS),
}
# Encoders that are trained, and what they read; one draw of validation intents.
ENCODERS = {
    "scalar_mix": "TEXT",
    "deep_averaging": "WORDS",
    "bilstm_attention": "WORDS",
    "bilstm_max": "WORDS",
    "attentive_gru": "WORDS",
    "winner_take_all": "WORDS",
}
# Intents with labelled texts, and others: protocol gzsl.
HELD_OUT, HELD_OUT_SEEDS, ENCODER_SEEDS = 50, 5, 3
# What the row says, recipe, keys.
TRAINED = {
    "eszsl": ("`eszsl`", "eszsl", {}),
    "bilinear": ("`bilinear`", "bilinear", {}),
    "contrast": ("`bilinear`, `info_nce`", "bilinear", {"method.loss": "info_nce"}),
    "two_stages": (
        "`bilinear`, `info_nce` on hard negatives and the teacher",
        "bilinear",
        {"method.loss": "info_nce+1*teacher_divergence", "method.negatives": "hardest"},
    ),
    "bilinear_words": (
        "`bilinear`, names by word vectors",
        "bilinear",
        {"classes.source": "words", "classes.words": "WORDS", "classes.missing": "mean"},
    ),
} | {
    encoder: (
        f"`softmax_pixels`, `{encoder}`",
        "softmax_pixels",
        {"encoder.name": encoder, "towers.text": place, "select.folds": 1},
    )
    for encoder, place in ENCODERS.items()
}

# Ways to compare a text, read by a biLSTM, with the word vectors of a name, in 32 numbers; recipe, keys.
_OF_WORDS = {"towers.text": "WORDS", "encoder.name": "bilstm_max"}
COMPARED = {
    "product": (
        "u . v (`zsl_kg`)",
        "zsl_kg",
        {**_OF_WORDS, "class_encoder.name": "mlp", "class_encoder.widths": "(64,)", "classes.source": "dataset"},
    ),
    "pair_features": ("[u, v, abs(u - v), u * v] (`infersent`)", "infersent", _OF_WORDS),
}
# Title, keys, and where the figures of a table are in the metrics.
_ZSL = ("zsl", "top1")
COMPARED_ON = {
    "snips": ("SNIPS, 2 unseen intents", {"data.file": "SPLIT", "select.on": "nothing"}, {"ZSL": _ZSL}),
    "clinc": (
        "CLINC150, 50 unseen intents",
        {"data.file": "MANY_INTENTS", "data.hold_out": HELD_OUT, "select.folds": 1},
        {"ZSL": _ZSL, "H, calibrated": ("gzsl", "calibrated", "harmonic")},
    ),
}


def commands() -> dict[str, list[str]]:
    """Returns the words of each run's command by its folder, with names in capitals where files go."""
    found = {}
    for name, (_, place, sample) in SETS.items():
        for way, (_, recipe, keys) in WAYS.items():
            words = f"{KEYWORDS}/{name}.json"
            if "towers.texts" in keys and not (ROOT / words).exists():
                continue
            for seed in range(SEEDS):
                given = {"data.sample": sample, "data.seed": seed, **keys}
                given |= {"towers.texts": words} if "towers.texts" in keys else {}
                found[f"{name}/{way}_{seed}"] = _train(recipe, place, given)
    for way, (_, recipe, keys) in TRAINED.items():
        for seed in range(_seeds(way)):
            given = {"data.hold_out": HELD_OUT, "data.seed": seed, "seed": seed, **keys}
            found[f"gzsl/{way}_{seed}"] = _train(recipe, "MANY_INTENTS", given)
    for name, (_, held, _) in COMPARED_ON.items():
        for way, (_, recipe, keys) in COMPARED.items():
            for seed in range(SEEDS):
                drawn = {"data.seed": seed} if "data.hold_out" in held else {}
                given = {**held, **drawn, "seed": seed, "train.epochs": 10, **keys}
                found[f"{name}/{way}_{seed}"] = _train(recipe, given["data.file"], given)
    return found


def _train(recipe: str, place: str, keys: dict) -> list[str]:
    given = {"data.file": place, "towers.text": "TEXT"} | keys
    set_ = [f"--config.{name}={value}" for name, value in given.items()]
    return ["train", f"--config={recipe}:texts", *set_, "--config.plots=none"]


def measure(places: dict[str, str]) -> None:
    """Runs what has no record yet, on the sets that have a place, and keeps the metrics of each run."""
    import measuring

    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for folder, line in commands().items():
        if folder in found:
            continue
        held = measuring.record([[*line, f"--workdir={RUNS / folder}"]], places)
        if held is not None:
            found[folder] = {name: held[name] for name in ("setting", "metrics")}
            FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def page(figures: dict) -> str:
    """Returns the part of docs/texts.md that begins with `BEGIN`."""
    lines = [
        BEGIN,
        "MiniLM (all-MiniLM-L6-v2, weights of 8 bits). Mean and standard deviation over five samples of the texts, in",
        "%; the gain is that over the names on the same samples, with the 95 % interval of its mean (t, 4 degrees of",
        "freedom). Samples overlap: the spread is that of the draw. TOPICS holds the first 500 texts of each topic of",
        "the 7,600 of AG News's test set. Written by `docs/make_texts.py`; names in capitals stand for files.\n",
    ]
    for name, (title, _, sample) in SETS.items():
        lines += [
            f"### {title}\n",
            f"Samples of {sample:,} texts of {SIZES[name]:,}.\n",
            "| way | setting | top-1 | macro F1 | gain in top-1 |",
            "|---|---|---|---|---|",
        ]
        names = _values(figures, name, "names", "transfer", "top1")
        for way, (says, _, _) in WAYS.items():
            if f"{name}/{way}_{SEEDS - 1}" not in figures:
                continue
            top1, f1 = (_values(figures, name, way, "transfer", metric) for metric in ("top1", "macro_f1"))
            setting = figures[f"{name}/{way}_0"]["setting"]
            gain = "" if way == "names" else _interval(top1 - names)
            lines.append(f"| {says} | {setting} | {_spread(top1)} | {_spread(f1)} | {gain} |")
        lines.append("")
    lines += [
        "### Seen and unseen intents of CLINC150\n",
        f"{HELD_OUT} of 150 intents have no labelled text, drawn anew by each seed; the others train on 22 or so each.",
        "Setting `pretrained`; epochs and the constant gamma are chosen on validation intents. `softmax_pixels` puts",
        "the map of `bilinear` on top of an [encoder of texts](data.md#texts) and trains both. GloVe: word vectors of",
        "100 numbers; with them classes are the means of the words of their names.\n",
        "| recipe | reads | seeds | ZSL | unseen | seen | H, calibrated |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, (says, _, _) in TRAINED.items():
        if f"gzsl/{way}_{_seeds(way) - 1}" not in figures:
            continue
        cells = [_values(figures, "gzsl", way, "zsl", "top1")]
        cells += [_values(figures, "gzsl", way, "gzsl", "calibrated", part) for part in ("unseen", "seen", "harmonic")]
        reads = {"TEXT": "MiniLM", "WORDS": "GloVe"}[ENCODERS.get(way, "TEXT")]
        lines.append(f"| {says} | {reads} | {_seeds(way)} | {' | '.join(map(_spread, cells))} |")
    lines += ["", *compared(figures)]
    lines += [
        "Commands, with `--config.data.seed` from 0 on; where `--config.seed` stands there too, both are the same:\n"
    ]
    lines += [
        f"    zsl-jax {shlex.join(words)} --workdir={RUNS}/{folder}"
        for folder, words in commands().items()
        if folder.endswith("_0") and folder in figures
    ]
    return "\n".join(lines) + "\n"


def compared(figures: dict) -> list[str]:
    """Returns the tables of `COMPARED_ON`."""
    lines = [
        "### How a text is compared with a name\n",
        "A biLSTM reads the text and takes the largest of each state (`bilstm_max`), a class is the mean of the word",
        "vectors of its name, and both are brought to 32 numbers, u and v. Ten epochs at the recipes' learning rate of",
        f"0.001; mean and standard deviation over {SEEDS} seeds, and the 95 % interval of the mean difference on the",
        "same seeds. SNIPS: weather, music and restaurant, search and movie are trained on, book and playlist scored;",
        "nothing is chosen. CLINC150: epochs and gamma are chosen on validation intents.\n",
    ]
    for name, (title, _, paths) in COMPARED_ON.items():
        heads = ["score", *(cell for metric in paths for cell in (metric, "difference"))]
        lines += [f"| {title}: {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        plain = [_values(figures, name, "product", *path) for path in paths.values()]
        for way, (says, _, _) in COMPARED.items():
            found = [_values(figures, name, way, *path) for path in paths.values()]
            cells = [says]
            for values, others in zip(found, plain):
                cells += [_spread(values), "" if way == "product" else _interval(values - others)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return [*lines, "The features are ahead in each mean, and by less than the seeds differ: no difference is shown.\n"]


def _values(figures: dict, name: str, way: str, *path: str) -> np.ndarray:
    found = []
    for seed in range(_seeds(way) if name == "gzsl" else SEEDS):
        value = figures[f"{name}/{way}_{seed}"]["metrics"]
        for part in path:
            value = value[part]
        found.append(100 * value)
    return np.array(found)


def _seeds(way: str) -> int:
    return ENCODER_SEEDS if way in ENCODERS else HELD_OUT_SEEDS


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"


def _interval(values: np.ndarray) -> str:
    half = 2.776 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean() - half:+.1f} to {values.mean() + half:+.1f}"


def main() -> None:
    import measuring

    measuring.main(
        __doc__, ("text", "words", "split", *SETS), measure, page, figures=FIGURES, written=PAGE, begin=BEGIN
    )


if __name__ == "__main__":
    main()
