"""Runs ZSL-KG and its rivals on the intents of SNIPS, and writes docs/graphs.md from what comes out.

    python docs/make_graphs.py --snips=FOLDER --graph=FOLDER --words=FILE
    python docs/make_graphs.py --page      # writes the page again from docs/graphs.json

SNIPS holds train.txt, dev.txt and test.txt with classes of their own, GRAPH is ConceptNet around them. Texts are means
of word vectors first, then read word by word, as published. Runs stay in runs/graphs and are not done again.
"""

import itertools
import json
import pathlib
import shlex

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "graphs.json", ROOT / "docs" / "graphs.md"
RUNS = pathlib.Path("runs/graphs")
BEGIN = "## Figures\n"
PLACES = ("snips", "graph", "words")
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
            held = measuring.record([command(way, seed)], places)
            if held is not None:
                found[f"{way}_{seed}"] = {"metrics": held["metrics"], "epochs": held["selection"]["epochs"]}
                FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    measure_by_word(found, places)


def measure_by_word(found: dict, places: dict[str, str]) -> None:
    """As `measure`, with texts word by word; adds to `found`."""
    import measuring

    for way in BY_WORD:
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
    lines += ["", "Commands, here with seed 0:\n"]
    shown = (*(command(way, 0) for way in WAYS), *map(by_word, BY_WORD), *(alike(way, 0) for way in ALIKE))
    lines += [f"    zsl-jax {shlex.join(words)}" for words in shown]
    return "\n".join(lines) + "\n"


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
