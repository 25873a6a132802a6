"""Runs ZSL-KG and its rivals on the intents of SNIPS, and writes docs/graphs.md from what comes out.

    python docs/make_graphs.py --snips=FOLDER --graph=FOLDER --words=FILE --birds=FOLDER --wordnet=FILE.npz
    python docs/make_graphs.py --page      # writes the page again from docs/graphs.json

SNIPS holds train.txt, dev.txt and test.txt with classes of their own, GRAPH is ConceptNet around them. Texts are means
of word vectors first, then read word by word, as published. BIRDS is a benchmark in the xlsa17 layout, whose classes
are put into a graph of WORDNET's birds. Runs stay in runs/graphs; what docs/graphs.json has is not run again.
"""

import csv
import itertools
import json
import pathlib
import shlex

import numpy as np

from zsl_jax import class_encoders
from zsl_jax.class_encoders import graphs, wordnet
from zsl_jax.verbs.bounding import tables

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "graphs.json", ROOT / "docs" / "graphs.md"
RUNS = pathlib.Path("runs/graphs")
BEGIN = "## Figures\n"
PLACES = ("snips", "graph", "words", "birds", "wordnet")
SEEDS = range(5)
T_95 = 2.776  # of Student's t, 4 degrees of freedom
# What the row says, keys, and the published accuracy, if any.
WAYS = {
    "node": ("`node`: its word", {"class_encoder.name": "node"}, ""),
    "sgc": ("`sgc`: means of means", {"class_encoder.name": "sgc"}, "50.3"),
    "gcn": ("`gcn`", {"class_encoder.name": "gcn"}, "82.5"),
    "gat": ("`gat`", {"class_encoder.name": "gat"}, ""),
    "dgp": ("`dgp`", {"class_encoder.name": "dgp"}, "64.4"),
    "trgcn": ("`trgcn`", {"class_encoder.name": "trgcn"}, "89.0"),
    "gcn_random": ("`gcn`, edges at random", {"class_encoder.name": "gcn", "classes.edges": "random"}, ""),
    "trgcn_random": ("`trgcn`, edges at random", {"class_encoder.name": "trgcn", "classes.edges": "random"}, ""),
}
# Those that read texts word by word; published: the paper's biLSTM with attention.
BY_WORD = ("node", "gcn", "trgcn")
# Those that are trained with one learning rate, the best on the dev classes over the three above, to the last epoch.
ALIKE = (*BY_WORD, "gcn_random", "trgcn_random")
# Those on images of birds, with epochs chosen on validation classes, and seeds of each: trgcn is slow.
OF_BIRDS = {"node": 5, "gcn": 5, "gcn_random": 5, "trgcn": 2}
BIRD_GRAPH = RUNS / "birds.csv"
# As published, but for the learning rate, which sweep() of the recipe names, and vectors of 100 numbers.
PUBLISHED = {
    "encoder.name": "bilstm_attention",
    "method.width": 20,
    "optimizer.weight_decay": 5e-4,
    "train.batch_size": 32,
    "train.epochs": 6,
    "towers.words": 16,
}
CHOICE = {"select.metric": "zsl", "select.seeds": 3, "sweep.widen": 0, "sweep.seeds": len(SEEDS)}


def command(way: str, seed: int) -> list[str]:
    """Returns the words of a run's command, with names in capitals where files go."""
    return [*_words("train", WAYS[way][1]), f"--config.seed={seed}", *_last(f"{way}_{seed}")]


def by_word(way: str) -> list[str]:
    """As `command`, of a sweep over learning rates with texts word by word."""
    return [*_words("sweep", WAYS[way][1] | PUBLISHED | CHOICE), *_last(f"by_word_{way}")]


def alike(way: str, seed: int) -> list[str]:
    """As `command`, with texts word by word and nothing chosen."""
    given = {"optimizer.learning_rate": 3e-3, "select.on": "nothing", "seed": seed}
    return [*_words("train", WAYS[way][1] | PUBLISHED | given), *_last(f"alike_{way}_{seed}")]


def of_birds(way: str, seed: int) -> list[str]:
    """As `command`, on images of birds in a graph of WordNet's."""
    given = {"optimizer.learning_rate": 3e-3, "train.epochs": 15, "select.metric": "zsl", "seed": seed}
    return [
        "train",
        "--config=zsl_kg:xlsa17",
        "--config.data.dir=BIRDS",
        "--config.classes.source=graph",
        f"--config.classes.graph={BIRD_GRAPH}",
        "--config.classes.words=WORDS",
        *(f"--config.{key}={value}" for key, value in (WAYS[way][1] | given).items()),
        *_last(f"birds_{way}_{seed}"),
    ]


def write_birds(names: tuple[str, ...], nouns: wordnet.Nouns) -> dict[str, int]:
    """Writes the graph of some birds: each species is below the bird of its name, or of its last words, up to `bird`.

    What else is just below a bird that a species is just below is there, too. A species of which WordNet has no bird is
    below `bird`; their number is returned.
    """
    top = wordnet.synset(nouns, "bird")[0]
    parents: dict[int, list[int]] = {}
    children: dict[int, list[int]] = {}
    for child, parent in nouns.hypernyms.tolist():
        parents.setdefault(child, []).append(parent)
        children.setdefault(parent, []).append(child)

    def called(node):
        return " ".join(class_encoders.words(nouns.lemmas[node]))

    # Not by the first sense of a word: that of `creeper` is a plant.
    birds, pending = {}, [top]
    while pending:
        node = pending.pop()
        birds.setdefault(called(node), node)
        pending += children.get(node, [])
    edges, near, unknown = set(), set(), 0
    for name in names:
        words = class_encoders.words(name)
        own = " ".join(words)
        found = next((at for at in range(len(words)) if " ".join(words[at:]) in birds), None)
        if found is None:
            edges.add((own, called(top)))
            unknown += 1
            continue
        noun = birds[" ".join(words[found:])]
        edges.add((own, called(noun)))
        near.update([noun, *(parents.get(noun, []) if not found else [])])
        pending = [noun]
        while pending:
            node = pending.pop()
            for parent in parents.get(node, []) if node != top else []:
                edges.add((called(node), called(parent)))
                pending.append(parent)
    near.discard(top)
    edges.update((called(child), called(node)) for node in near for child in children.get(node, []))
    BIRD_GRAPH.parent.mkdir(parents=True, exist_ok=True)
    with BIRD_GRAPH.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("subject", "relation", "object"), *((a, "is_a", b) for a, b in sorted(edges) if a != b)]
        )
    return {
        "nodes": len(graphs.load(BIRD_GRAPH).names),
        "edges": len(graphs.load(BIRD_GRAPH).edges),
        "unknown": unknown,
    }


def _words(verb: str, keys: dict) -> list[str]:
    return [
        verb,
        "--config=zsl_kg:texts",
        "--config.data.file=SNIPS",
        "--config.towers.text=WORDS",
        "--config.classes.graph=GRAPH",
        "--config.classes.words=WORDS",
        *(f"--config.{key}={value}" for key, value in keys.items()),
    ]


def _last(folder: str) -> list[str]:
    return ["--config.plots=none", f"--workdir={RUNS}/{folder}"]


def measure(places: dict[str, str]) -> None:
    """Runs what has no record yet, and keeps what the page needs of each record."""
    import measuring

    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for seed in SEEDS:
        for way in WAYS:
            if f"{way}_{seed}" in found:
                continue
            held = measuring.record([command(way, seed)], places)
            if held is not None:
                found[f"{way}_{seed}"] = {"metrics": held["metrics"], "epochs": held["selection"]["epochs"]}
                FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    measure_by_word(found, places)
    measure_birds(found, places)


def measure_birds(found: dict, places: dict[str, str]) -> None:
    """As `measure`, on birds; adds to `found`."""
    import measuring

    if not {"BIRDS", "WORDNET", "WORDS"} <= places.keys():
        return
    names = tables.read(places["BIRDS"], "all").classes
    found["bird_graph"] = write_birds(names, wordnet.load(places["WORDNET"]))
    for way, seed in [(way, seed) for way, seeds in OF_BIRDS.items() for seed in range(seeds)]:
        if f"birds_{way}_{seed}" not in found:
            held = measuring.record([of_birds(way, seed)], places)
            found[f"birds_{way}_{seed}"] = {"metrics": held["metrics"], "epochs": held["selection"]["epochs"]}
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def measure_by_word(found: dict, places: dict[str, str]) -> None:
    """As `measure`, with texts word by word; adds to `found`."""
    import measuring

    for way in BY_WORD:
        if f"by_word_{way}" in found:
            continue
        held = measuring.record([by_word(way)], places, "sweep.json")
        if held is not None:
            dev = {f"{trial['setting']['optimizer.learning_rate']:g}": trial["zsl"] for trial in held["trials"]}
            records = [RUNS / f"by_word_{way}" / f"seed_{seed}" / "record.json" for seed in SEEDS]
            found[f"by_word_{way}"] = {
                "top1": held["test"]["zsl"]["values"],
                "dev": dict(sorted(dev.items())),
                "learning_rate": held["winner"]["setting"]["optimizer.learning_rate"],
                "epochs": [json.loads(record.read_text())["selection"]["epochs"] for record in records],
            }
            FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    for way, seed in itertools.product(ALIKE, SEEDS):
        if f"alike_{way}_{seed}" in found:
            continue
        held = measuring.record([alike(way, seed)], places)
        if held is not None:
            found[f"alike_{way}_{seed}"] = {"metrics": held["metrics"]}
            FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def page(figures: dict) -> str:
    """Returns the part of docs/graphs.md that begins with `BEGIN`."""
    lines = [
        BEGIN,
        "SNIPS with the classes of the paper's files: epochs are chosen on search and movie after training on weather,",
        "music and restaurant; all five are trained on in the end, and book and playlist are scored (chance 50). Top-1",
        "per class in %, mean and standard deviation over 5 seeds; the difference is that to `node` on the same seeds,",
        "with the 95 % interval of its mean (t, 4 degrees of freedom). Published: accuracy of a biLSTM with attention",
        "over GloVe vectors of 300 numbers, trained on three classes; here a text is the mean of vectors of 100.",
        "Written by `docs/make_graphs.py`; names in capitals stand for files.\n",
        "| class encoder | top-1 | difference | published |",
        "|---|---|---|---|",
    ]
    plain = np.array([_top1(figures, "node", seed) for seed in SEEDS])
    for way, (says, _, published) in WAYS.items():
        found = np.array([_top1(figures, way, seed) for seed in SEEDS])
        lines.append(f"| {says} | {_spread(found)} | {_difference(found, plain)} | {published} |")
    lines += [
        "",
        "### Texts word by word\n",
        "A biLSTM with attention, of the paper's sizes, reads the words. The learning rate is the best one on search",
        "and movie (dev: means over 3 seeds at the best epoch), each seed chooses its epochs there; then as above.\n",
        "| class encoder | dev at 0.0003, 0.001, 0.003 | learning rate | epochs | top-1 | difference | published |",
        "|---|---|---|---|---|---|---|",
    ]
    plain = 100 * np.array(figures["by_word_node"]["top1"])
    for way in BY_WORD:
        held, (says, _, published) = figures[f"by_word_{way}"], WAYS[way]
        found = 100 * np.array(held["top1"])
        dev = ", ".join(f"{100 * value:.1f}" for value in held["dev"].values())
        chosen = f"{held['learning_rate']:g} | {', '.join(map(str, held['epochs']))}"
        lines.append(f"| {says} | {dev} | {chosen} | {_spread(found)} | {_difference(found, plain)} | {published} |")
    lines += [
        "",
        "Trained alike: six epochs at 0.003, the learning rate that is best on search and movie over the three class",
        "encoders; nothing else is chosen.\n",
        "| class encoder | top-1 | difference | published |",
        "|---|---|---|---|",
    ]
    plain = np.array([_top1(figures, "alike_node", seed) for seed in SEEDS])
    for way in ALIKE:
        found, (says, _, published) = np.array([_top1(figures, f"alike_{way}", seed) for seed in SEEDS]), WAYS[way]
        lines.append(f"| {says} | {_spread(found)} | {_difference(found, plain)} | {published} |")
    lines += ["", *birds_page(figures), "Commands, here with seed 0:\n"]
    shown = (*(command(way, 0) for way in WAYS), *map(by_word, BY_WORD), *(alike(way, 0) for way in ALIKE))
    shown = (*shown, *(of_birds(way, 0) for way in OF_BIRDS))
    lines += [f"    zsl-jax {shlex.join(words)}" for words in shown]
    return "\n".join(lines) + "\n"


def birds_page(figures: dict) -> list[str]:
    """Returns the table of images of birds."""
    graph = figures["bird_graph"]
    lines = [
        "### Birds among the birds of WordNet\n",
        "CUB restricted to 127 species, MobileNet features, 94 seen and 33 unseen classes; chance 3.0. The graph is",
        "written by `docs/make_graphs.py`: each species is below the bird of its name, or of its last words, that one",
        "below what is above it up to `bird`, and the nearest other birds hang beside:",
        f"{graph['nodes']} nodes, {graph['edges']} edges; the {graph['unknown']} species of which WordNet has no bird",
        "are below `bird`. Learning rate 0.003, the best of 0.003, 0.01 and 0.03 for `node` on the validation classes;",
        "epochs, 15 at most, are chosen there by each run.\n",
        "| class encoder | seeds | ZSL | difference to `node` | H, calibrated |",
        "|---|---|---|---|---|",
    ]
    for way, seeds in OF_BIRDS.items():
        held = [figures[f"birds_{way}_{seed}"]["metrics"] for seed in range(seeds)]
        plain = np.array([100 * figures[f"birds_node_{seed}"]["metrics"]["zsl"]["top1"] for seed in range(seeds)])
        found = np.array([100 * each["zsl"]["top1"] for each in held])
        both = np.array([100 * each["gzsl"]["calibrated"]["harmonic"] for each in held])
        gain = _difference(found, plain) if seeds == len(SEEDS) else f"{(found - plain).mean():+.1f} in the mean"
        lines.append(f"| {WAYS[way][0]} | {seeds} | {_spread(found)} | {gain} | {_spread(both)} |")
    return [*lines, ""]


def _spread(found: np.ndarray) -> str:
    return f"{found.mean():.1f} ± {found.std(ddof=1):.1f}"


def _difference(found: np.ndarray, plain: np.ndarray) -> str:
    """The 95 % interval of the mean difference; empty where both are the same."""
    more = found - plain
    half = T_95 * more.std(ddof=1) / np.sqrt(len(more))
    return f"{more.mean() - half:+.1f} to {more.mean() + half:+.1f}" if more.any() else ""


def _top1(figures: dict, way: str, seed: int) -> float:
    return 100 * figures[f"{way}_{seed}"]["metrics"]["zsl"]["top1"]


def main() -> None:
    import measuring

    measuring.main(__doc__, PLACES, measure, page, figures=FIGURES, written=PAGE, begin=BEGIN)


if __name__ == "__main__":
    main()
