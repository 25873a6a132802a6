"""Runs three methods on classes described by free sources, and writes docs/class_sources.md from what comes out.

    python docs/make_class_sources.py --birds=FOLDER --groceries=FILE.npz --words=FILE --wordnet=FILE.npz \
        --text=FOLDER --bird_texts=FILE.json --corpus=FILE,FILE --animals=FOLDER --tie=FILE.npz --prototypes=FILE.npz
    python docs/make_class_sources.py --page      # writes the page again from docs/class_sources.json

BIRDS is a benchmark in the xlsa17 layout, GROCERIES an archive for the source npz with class_names, CORPUS what word
vectors are trained on here, ANIMALS a folder with AWA2's att_splits.mat and testclasses.txt, TIE a file that ties TEXT
to features of MobileNetV2, PROTOTYPES the rows of its classifier with their names. Runs stay in runs/class_sources and
are not done again.
"""

import json
import pathlib
import runpy
import shlex
import types

import numpy as np

from zsl_jax import class_encoders
from zsl_jax.class_encoders import norms, wordnet
from zsl_jax.encoders import towers
from zsl_jax.verbs.bounding import tables as bounding

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "class_sources.json", ROOT / "docs" / "class_sources.md"
LISTS = "docs/properties"
RANKINGS = types.SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "ranked_properties.py")))
RUNS = pathlib.Path("runs/class_sources")
BEGIN = "## Figures\n"
METHODS = ("eszsl", "ale", "ridge")
PLACES = ("birds", "groceries", "words", "wordnet", "text", "bird_texts", "corpus", "animals", "tie", "prototypes")
# What word vectors are trained by, with what a row says of it.
TRAINED = {"cbow": "CBOW", "skip_gram": "skip-gram", "sent2vec": "sent2vec", "contrastive": "contrastive"}
TOLD, RANKED = "told", "ranked"  # the entries of the figures that are of class tables alone
# Title, recipe's argument, key of its place, what the rows are, and what the dataset itself says of a class.
SETS = {
    "birds": (
        "33 unseen birds",
        "xlsa17",
        "data.dir",
        "CUB restricted to 127 species, MobileNet features, the benchmark's own split, 94 seen classes. Chance 3.0.",
        "312 attributes, by annotators",
    ),
    "groceries": (
        "20 unseen groceries",
        "npz",
        "data.file",
        "81 groceries, features of MobileNetV2, 20 classes held out by seed 0. Chance 5.0.",
        "its group, of 43",
    ),
}

# Ways of which a table shows how far from the seen classes they carry, by the first of the methods.
LEVELED = ("attributes", "words", "sentences", "ancestors", "esa", "esa_names")
NUM_LEVELS = 3

_WORDS = {"classes.words": "WORDS", "classes.missing": "mean"}
_NORMS = {"classes.source": "norms", **_WORDS}
_PROPERTIES = {
    "classes.source": "properties",
    "classes.text": "TEXT",
    "classes.tie": "TIE",
    "classes.prototypes": "PROTOTYPES",
}
_TEXTS = {"classes.texts": "BIRD_TEXTS", "classes.missing": "mean"}
_WORDNET = {"classes.wordnet": "WORDNET", "classes.missing": "mean"}


_FREE = {"classes.source": "words+wordnet+sentences", "classes.text": "TEXT", **_WORDS, **_WORDNET}


def _vectors(by: str) -> dict[str, str]:
    return {"classes.source": "words", "classes.words": f"{RUNS}/{by}.npz", "classes.missing": "mean"}


# What the row says, keys.
SOURCES = {
    "attributes": ("", {}),
    "norms": ("these for seen classes; for unseen ones told from word vectors (GloVe) by ridge", _NORMS),
    "norms_nearest": (
        "the same, told by the 5 seen classes with the nearest word vectors",
        {**_NORMS, "classes.norms": "nearest"},
    ),
    "words": ("word vectors (GloVe, 100 numbers)", {"classes.source": "words", **_WORDS}),
    **{by: (f"word vectors trained here: {says}", _vectors(by)) for by, says in TRAINED.items()},
    "sentences": (
        "`a photo of a {}.` through a sentence encoder",
        {"classes.source": "sentences", "classes.text": "TEXT"},
    ),
    "ancestors": ("WordNet: ancestors", {"classes.source": "wordnet", **_WORDNET}),
    "lin": ("WordNet: Lin similarity", {"classes.source": "wordnet", **_WORDNET, "classes.measure": "lin"}),
    "poincare": ("WordNet: Poincare vectors, 10 numbers", {"classes.source": "poincare", **_WORDNET}),
    "retrofitted": ("word vectors, retrofitted to WordNet", {"classes.source": "retrofitted", **_WORDS, **_WORDNET}),
    "tf_idf": ("sentences of a language model (CuPL), TF-IDF of their words", {"classes.source": "tf_idf", **_TEXTS}),
    "esa": (
        "these sentences, ESA: 500 glosses of WordNet that use their words",
        {"classes.source": "esa", **_TEXTS, **_WORDNET},
    ),
    "esa_names": ("ESA: 500 glosses of WordNet that use the words of its name", {"classes.source": "esa", **_WORDNET}),
    "properties": ("properties nobody annotated, ranked by texts and by images", _PROPERTIES),
    "properties_text": ("the same, by texts alone", {**_PROPERTIES, "classes.ranking": "text"}),
    "properties_image": ("the same, by images alone", {**_PROPERTIES, "classes.ranking": "image"}),
    "both": ("word vectors and ancestors", {"classes.source": "words+wordnet", **_WORDS, **_WORDNET}),
    "weighted": (
        "TF-IDF, and ancestors with half of its weight",
        {"classes.source": "tf_idf+wordnet", "classes.weights": "2,1", **_TEXTS, **_WORDNET},
    ),
    "mixed": ("attributes (groups) and word vectors, alike", {"classes.source": "dataset+words", **_WORDS}),
    "mixed_learned": (
        "the same, weights learned",
        {"classes.source": "dataset+words", "classes.weights": "learned", **_WORDS},
    ),
    "free": ("word vectors, ancestors and sentences, alike", _FREE),
    "free_learned": ("the same, weights learned", {**_FREE, "classes.weights": "learned"}),
    "free_texts": (
        "these and TF-IDF, alike",
        {**_FREE, **_TEXTS, "classes.source": f"{_FREE['classes.source']}+tf_idf"},
    ),
    "free_texts_learned": (
        "the same, weights learned",
        {**_FREE, **_TEXTS, "classes.source": f"{_FREE['classes.source']}+tf_idf", "classes.weights": "learned"},
    ),
    "texts_permuted": (
        "TF-IDF of other classes (control)",
        {"classes.source": "tf_idf", **_TEXTS, "classes.permuted": True},
    ),
    "norms_permuted": (
        "attributes, told for unseen classes, of other classes (control)",
        {**_NORMS, "classes.permuted": True},
    ),
    "skip_gram_permuted": (
        "skip-gram vectors of other classes (control)",
        {**_vectors("skip_gram"), "classes.permuted": True},
    ),
    "esa_permuted": (
        "ESA of other names (control)",
        {"classes.source": "esa", **_WORDNET, "classes.permuted": True},
    ),
    "properties_permuted": (
        "ranked properties of other classes (control)",
        {**_PROPERTIES, "classes.permuted": True},
    ),
    "sentences_permuted": (
        "sentences of other classes (control)",
        {"classes.source": "sentences", "classes.text": "TEXT", "classes.permuted": True},
    ),
    "ancestors_permuted": (
        "ancestors of other classes (control)",
        {"classes.source": "wordnet", **_WORDNET, "classes.permuted": True},
    ),
    "poincare_permuted": (
        "Poincare vectors of other classes (control)",
        {"classes.source": "poincare", **_WORDNET, "classes.permuted": True},
    ),
    "free_learned_permuted": (
        "word vectors, ancestors and sentences of other classes, weights learned (control)",
        {**_FREE, "classes.weights": "learned", "classes.permuted": True},
    ),
    "permuted": (
        "word vectors of other classes (control)",
        {"classes.source": "words", **_WORDS, "classes.permuted": True},
    ),
}


def commands() -> dict[str, list[list[str]]]:
    """Returns the words of each run's commands by its folder, with names in capitals where files go."""
    return {
        _folder(name, way, method): [
            *([_training(way.removesuffix("_permuted"))] if way.removesuffix("_permuted") in TRAINED else []),
            [
                "train",
                f"--config={method}:{source}",
                f"--config.{key}={name.upper()}",
                *(f"--config.{key}={value}" for key, value in keys.items()),
                *([f"--config.classes.properties={LISTS}/{name}.csv"] if "classes.tie" in keys else []),
                "--config.plots=none",
                f"--workdir={RUNS}/{_folder(name, way, method)}",
            ],
        ]
        for method in METHODS
        for name, (_, source, key, *_) in SETS.items()
        for way, (_, keys) in SOURCES.items()
        if name == "birds" or "BIRD_TEXTS" not in keys.values()
    }


def _training(by: str) -> list[str]:
    return ["words", "--texts=CORPUS", f"--out={RUNS}/{by}.npz", f"--by={by}", "--epochs=20"]


def _folder(name: str, way: str, method: str) -> str:
    return "/".join((name, way) if method == METHODS[0] else (name, way, method))


def measure(places: dict[str, str]) -> None:
    """Runs what has no record yet, on the sets that have a place, and keeps what the page needs of each record."""
    import measuring

    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for folder, lines in commands().items():
        _, _, way = folder.partition("/")
        if folder in found and (way not in LEVELED or "of_class" in found[folder]):
            continue
        trained = (RUNS / f"{folder.split('/')[1].removesuffix('_permuted')}.npz").exists()
        held = measuring.record(lines[trained:], places)
        if held is not None:
            found[folder] = {name: held[name] for name in ("setting", "metrics", "intervals")}
            if way in LEVELED:
                found[folder]["of_class"] = {
                    each: round(counts["zsl_correct"] / counts["images"], 4)
                    for each, counts in held["per_class"].items()
                    if not counts["seen"]
                }
            if way == LEVELED[0] and "WORDNET" in places:
                found[folder]["levels"] = levels(held["per_class"], places["WORDNET"])
            FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    if {"ANIMALS", "WORDNET", "TEXT", "WORDS"} <= places.keys():
        found[TOLD] = told(places)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    if {"ANIMALS", "TEXT", "TIE", "PROTOTYPES"} <= places.keys():
        found[RANKED] = RANKINGS.measured(places)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def told(places: dict[str, str]) -> dict[str, dict[str, list[float]]]:
    """Returns how well AWA2's attributes of unseen animals are told from their names, by source and way.

    `[correlation, the same of other animals' names, right of 10, right of all]`: the mean over unseen animals of the
    correlation over attributes of what is told with what is so, both less the mean of the seen animals; how many have
    no other animal nearer to what is told of them.
    """
    table, unseen = (bounding.read(places["ANIMALS"], which) for which in ("all", "unseen"))
    names, is_unseen = table.classes, np.isin(table.classes, unseen.classes)
    nouns = wordnet.load(places["WORDNET"])
    rows = [wordnet.synset(nouns, name)[0] for name in names]
    tower = towers.load_text_tower(places["TEXT"])
    vectors = class_encoders.load_word_vectors(places["WORDS"])
    sources = {
        "word vectors (GloVe, 100 numbers)": class_encoders.word_embedding(names, vectors),
        "`a photo of a {}.` through a sentence encoder": tower.encode(
            [f"a photo of a {' '.join(class_encoders.words(name))}." for name in names]
        ),
        "WordNet: ancestors": wordnet.embedding(nouns, rows, anchors=np.array(rows)[~is_unseen]),
    }
    mean = table.matrix[~is_unseen].mean(axis=0)
    true = table.matrix - mean
    found = {}
    for source, embedding in sources.items():
        for way, tell in norms.NORMS.items():
            results = []
            for given in (embedding[is_unseen], np.roll(embedding[is_unseen], 1, axis=0)):
                guessed = np.asarray(tell(given, embedding[~is_unseen], table.matrix[~is_unseen])) - mean
                near = np.corrcoef(guessed, true)[: len(guessed), len(guessed) :]
                own = np.flatnonzero(is_unseen)
                of_own = near[np.arange(len(own)), own]
                right = [int(np.sum(near[:, pool].max(axis=1) == of_own)) for pool in (own, np.arange(len(true)))]
                results.append([round(float(of_own.mean()), 3), *right])
            found[f"{source}/{way}"] = [results[0][0], results[1][0], *results[0][1:]]
    return found


def levels(per_class: dict[str, dict], file: str) -> dict:
    """Returns the level of each unseen class, from 1, and the range of similarities to the nearest seen class in each.

    Classes of which WordNet knows nothing are left out.
    """
    nouns = wordnet.load(file)
    rows = {name: found[0] for name in per_class if (found := wordnet.synset(nouns, name)) is not None}
    unseen, seen = ([name for name in rows if per_class[name]["seen"] is is_seen] for is_seen in (False, True))
    anchors = [rows[name] for name in seen]
    similarity = wordnet.embedding(nouns, [rows[name] for name in unseen], anchors=anchors, measure="lin")
    level = class_encoders.distance_levels(similarity, NUM_LEVELS)
    nearest = similarity.max(axis=1)
    ranges = [[round(float(f(nearest[level == number])), 3) for f in (np.max, np.min)] for number in range(NUM_LEVELS)]
    return {"of_class": {name: int(number) + 1 for name, number in zip(unseen, level)}, "similarity": ranges}


def leveled(figures: dict) -> list[str]:
    """Returns the tables of accuracy by level."""
    lines = [
        "### By distance from the seen classes\n",
        "Unseen classes by the Lin similarity of their WordNet synset to that of the nearest seen class, cut into",
        f"{NUM_LEVELS} levels of equal size (`class_encoders.distance_levels`, as ImageNet-CoG does with 5 of 1,000",
        f"classes), and the ZSL accuracy of `{METHODS[0]}` on the classes of each, all unseen classes being the",
        "candidates. ± is the standard error over the classes of the level. Sources that know no more than the name",
        "end where the nearest seen bird is another kind of bird: 2 to 8 % on the last level, where chance is 3.0.",
        "Attributes and texts, which speak of the class itself, carry there. On groceries the levels are not told",
        "apart beyond the first.\n",
    ]
    for name, (title, *_, own) in SETS.items():
        held = figures.get(f"{name}/{LEVELED[0]}", {}).get("levels")
        if held is None:
            continue
        heads = [f"level {number}: {high:.2f} to {low:.2f}" for number, (high, low) in enumerate(held["similarity"], 1)]
        lines += [f"| {title}, described by | {' | '.join(heads)} |", "|---" * (1 + NUM_LEVELS) + "|"]
        for way in LEVELED:
            of_class = figures.get(f"{name}/{way}", {}).get("of_class")
            if of_class is None:
                continue
            cells = []
            for number in range(1, NUM_LEVELS + 1):
                shares = [100 * of_class[each] for each, level in held["of_class"].items() if level == number]
                cells.append(f"{np.mean(shares):.1f} ± {np.std(shares, ddof=1) / np.sqrt(len(shares)):.1f}")
            lines.append(f"| {SOURCES[way][0] or own} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def told_page(figures: dict) -> list[str]:
    """Returns the table of `told`."""
    if TOLD not in figures:
        return []
    names = {"ridge": "ridge", "nearest": "5 nearest"}
    return [
        "### Attributes of animals, told from their names\n",
        "AWA2's class table alone, no images: 85 attributes of 40 seen animals, and what `norms` tells from them of",
        "10 unseen ones. Correlation is over attributes, of what is told with what annotators say, both less the mean",
        "of the seen animals; *right* counts animals whose own row is the nearest to what is told of them, by the",
        "same correlation. All knobs at their defaults. The control tells from the name of another unseen animal.",
        "What is told is made of seen animals' rows, so that one of these is nearly always the nearest of all 50:",
        "told attributes need calibration in generalised zero-shot learning more than annotated ones.\n",
        "| told from | by | correlation | control | right of 10 unseen | right, among all 50 |",
        "|---|---|---|---|---|---|",
        *(
            f"| {key.rpartition('/')[0]} | {names[key.rpartition('/')[2]]} | {own:.2f} | {other:.2f} | {few} | {all_} |"
            for key, (own, other, few, all_) in figures[TOLD].items()
        ),
        "",
    ]


def page(figures: dict) -> str:
    """Returns the part of docs/class_sources.md that begins with `BEGIN`."""
    lines = [
        BEGIN,
        ", ".join(f"[`{name}`](methods.md#{name})" for name in METHODS) + ", as their recipes are, in %. ZSL is",
        f"per-class top-1 among unseen classes, 95 % its interval over test images for `{METHODS[0]}`; H is the",
        "harmonic mean with gamma chosen on validation classes. One run each.",
        "Written by `docs/make_class_sources.py`; names in capitals stand for files.\n",
        "Word vectors trained here come from 2.2 million words, which is little (GloVe's come from 6 billion):",
        "news (7,600 texts of AG News), sentences of a language model on 500 birds and 998 classes of ImageNet",
        "(CuPL; the unseen birds are among them), the glosses of WordNet's nouns. 20 passes, all other knobs at",
        "their defaults; no knob of these, of ESA or of told attributes was chosen by any accuracy. That",
        "contrastive vectors come at unit length was decided when topics of AG News were told by them, after a",
        "first look at their rows here. Told attributes are those of a seen class while it is held out to choose",
        "on, so that gamma is chosen for better descriptions than the unseen classes have.\n",
    ]
    for name, (title, _, _, about, own) in SETS.items():
        if f"{name}/permuted" not in figures:
            continue
        lines += [f"### {title}\n", f"{about}\n"]
        heads = ["classes described by", "setting", f"`{METHODS[0]}`: ZSL", "95 %", "H"]
        heads += [head for method in METHODS[1:] for head in (f"`{method}`: ZSL", "H")]
        lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for way, (says, _) in SOURCES.items():
            entry = figures.get(f"{name}/{way}")
            if entry is None:
                continue
            low, high = (100 * value for value in entry["intervals"]["zsl"])
            (zsl, gzsl), *others = (_scores(figures.get(_folder(name, way, method))) for method in METHODS)
            cells = [says or own, entry["setting"], zsl, f"{low:.1f} to {high:.1f}", gzsl]
            lines.append(f"| {' | '.join([*cells, *(score for pair in others for score in pair)])} |")
        lines.append("")
    lines += [
        f"`{METHODS[0]}` and `{METHODS[1]}` put the sources in much the same order. `{METHODS[2]}`, which predicts",
        "the description itself, is left behind where that has many columns (ancestors, words of texts, on birds).\n",
        "On birds, of which the texts speak, word vectors trained here are better than GloVe's, all but the",
        "contrastive ones; on groceries, of which they say little, they are worse. Told attributes: on birds the",
        "nearest seen classes tell more than ridge does, and in ZSL more than the word vectors themselves; on",
        "groceries, where an attribute is a group, they do as well as the word vectors, with `ridge` better. The",
        "controls stay below 6.5 in ZSL.\n",
        "Ranked properties (207 of birds, 72 of groceries, in `docs/properties`, written for this page before any",
        "run): far above the control, and with `eszsl` below the sentence on the name that they are made from. By",
        "texts alone they are as good as mixed with images or better, by six points of `eszsl` on birds: with",
        "MobileNetV2 and a tie fitted on names, choose `classes.ranking=text`.\n",
        *leveled(figures),
        *told_page(figures),
        *RANKINGS.page(figures.get(RANKED)),
        f"Commands, with the name of another method in the place of `{METHODS[0]}` for its columns:\n",
        *dict.fromkeys(
            f"    zsl-jax {shlex.join(words)}"
            for folder, lines in commands().items()
            if folder in figures and folder.count("/") == 1
            for words in lines
        ),
    ]
    return "\n".join(lines) + "\n"


def _scores(entry: dict | None) -> tuple[str, str]:
    """ZSL and calibrated H of a run; blank where there is none."""
    if entry is None:
        return "", ""
    metrics = entry["metrics"]
    return f"{100 * metrics['zsl']['top1']:.1f}", f"{100 * metrics['gzsl']['calibrated']['harmonic']:.1f}"


def main() -> None:
    import measuring

    measuring.main(__doc__, PLACES, measure, page, figures=FIGURES, written=PAGE, begin=BEGIN)


if __name__ == "__main__":
    main()
