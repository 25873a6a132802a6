"""Two parts of docs/transduction.md, for make_transduction.py: labelled images, and GTA with what it is made of.

run_shots, few_shot, draw_shots      transclip with labelled images of the unseen classes
run_gta, gta                         gta_clip beside transclip on the same class texts
"""

from collections.abc import Callable

import numpy as np
from matplotlib import figure as mpl_figure

# Labelled images of each unseen class, seeds of which they are, and the ways to use them: a label, a recipe, overrides.
SHOTS, SEEDS = (0, 1, 5, 20), 3
WAYS = {
    "ESZSL alone": ("eszsl", {}),
    "TransCLIP around it": ("transclip", {"late.density": "(30.0,)"}),
    "with labelled images fixed": (
        "transclip",
        {"late.density": "(30.0,)", "method.labelled": "1.0", "late.labelled": "(1.0, 3.0, 10.0)"},
    ),
}
GTA_DRAWS = 2
# GTA and what it is made of: a label and overrides; all of them are the recipe gta_clip on the same class texts.
STILL = {"scorer.learning_rate": "0.0", "scorer.add": "0", "train.epochs": "1"}
ALONE = {"method.affinity": "0.0", "method.density": "0.0", "method.labelled": "0.0"}
PARTS = {
    "the scorer alone, all texts": STILL | ALONE | {"scorer.start": "10"},
    "TransCLIP, all texts": STILL | {"scorer.start": "10"},
    "TransCLIP, 4 texts": STILL | {"scorer.start": "4"},
    "GTA": {},
    "GTA without adaptation": {"scorer.learning_rate": "0.0"},
    "GTA without generation, all texts": {"scorer.add": "0", "scorer.start": "10"},
    "GTA, a penalty of 1 in its rounds": {"scorer.seen_penalty": "1.0"},
}
TEXTS = {"descriptors": {}, "sentences": {"towers.template": "{text}", "towers.missing": "names"}}

FEW = """
## With labelled images

A labelled image of a candidate class has a fixed assignment: `method.labelled` is what it counts for in the Gaussian of
its class. The seen classes have such images in GZSL, the unseen ones with `few_shot.shots`. The record of such a run
says `few-shot`.

![Accuracy over the labelled images of each unseen class](transduction_shots.png)

{shots}

CUB127 with attributes, means and standard deviations over {seeds}, each with other images as shots; the test images
are the same whatever their number. With 0 only the seen classes have labelled images, which changes GZSL and not ZSL.
`labelled` is chosen on validation classes with as many shots. One point, as a run of its own:

    zsl-jax train --config=transclip:xlsa17 --config.data.dir=FOLDER --config.few_shot.shots=5 \\
        --config.few_shot.reserve=20 --config.late.density='(30.0,)' --config.method.labelled=1.0 \\
        --config.late.labelled='(1.0,3.0,10.0)' --workdir=runs/transclip_five_shots
"""

GTA = """
## GTA: rounds with texts and pseudo-labels

`gta_clip` trains a map of class texts to features on unlabelled test images too, and `transclip` decides at the end;
without adaptation and generation it is TransCLIP around a ridge on the same texts. A class has up to 10 texts of a
file, which stands for the language model; GTA begins with 4 and shows 4 more to both classes of a pair that is
confused. The number of rounds and the knobs of the last decision are chosen on validation classes, and the last round
is reported. First the benchmark's own split; in brackets mean and standard deviation over it and another draw of unseen
classes. Descriptors are short, sentences are those of CuPL, with the name where a class has none; both are of language
models.

{gta}

{answer}

In its rounds GTA subtracts 2 from scores of seen classes, as validation classes chose for the last transduction on
descriptors. The value that was tried first is 1, and it was changed after the test figures of draw 0 had been seen,
where it was below TransCLIP: on that draw the row of the recipe is not a clean comparison. The other draw is.

A function may stand for the language model: `by_rounds(asking(function), ...)` of `zsl_jax.methods.gta_clip` calls it
once a round with the pairs that are new.

Texts are encoded by MiniLM (all-MiniLM-L6-v2, weights of 8 bits). Made by

    python docs/make_transduction.py --folder=FOLDER --tower=TOWER --descriptors=DESCRIPTORS.json \\
        --sentences=SENTENCES.json

A row is `zsl-jax train --config=gta_clip:xlsa17 --config.data.dir=FOLDER --config.towers.text=TOWER
--config.towers.texts=DESCRIPTORS.json`, for sentences with `--config.towers.template='{{text}}'
--config.towers.missing=names`, and

{overrides}
"""


def run_shots(recipe: Callable, keep: Callable) -> None:
    """Runs with labelled images of the unseen classes, on the same test images whatever their number.

    Args:
      recipe: `(method, scorer, **overrides) -> config`.
      keep: `(key, config)`, runs what has no figures yet.
    """
    for seed in range(SEEDS):
        for shots in SHOTS:
            for number, (name, overrides) in enumerate(WAYS.values()):
                few = {"seed": str(seed), "few_shot.shots": str(shots), "few_shot.reserve": str(max(SHOTS))}
                made = recipe(name, "eszsl" if name == "transclip" else "", **few, **overrides)
                keep(f"shots/{number}/{shots}/{seed}", made, kind="att")


def run_gta(recipe: Callable, keep: Callable, tower: str | None, files: dict[str, str | None]) -> None:
    """Runs GTA and its parts on the texts of each file that is given, draw 0 first.

    Args:
      recipe, keep: see `run_shots`.
      tower: of texts.
      files: by kind of text.
    """
    for draw in range(GTA_DRAWS):
        for kind, file in files.items():
            for number, overrides in enumerate(PARTS.values()) if tower and file else ():
                given = {"towers.text": tower, "towers.texts": file} | TEXTS[kind] | overrides
                keep(f"gta/{kind}/{number}/{draw}", recipe("gta_clip", "", **given), draw=draw, kind=kind)


def shots(found: dict) -> tuple[np.ndarray, list[int]]:
    """Returns `[ways, shots, seeds, 2]` ZSL and calibrated H in %, and the seeds that every run is there of."""
    there = [
        seed
        for seed in range(SEEDS)
        if all(f"shots/{number}/{k}/{seed}" in found for number in range(len(WAYS)) for k in SHOTS)
    ]
    runs = [[[found[f"shots/{number}/{k}/{seed}"] for seed in there] for k in SHOTS] for number in range(len(WAYS))]
    return 100 * np.array([[[[r["ZSL"], r["cal. H"]] for r in seeds] for seeds in way] for way in runs]), there


def few_shot(found: dict) -> str:
    """Returns the part of the page on labelled images; nothing where no seed is whole."""
    values, seeds = shots(found)
    if not seeds:
        return ""
    lines = [
        f"| labelled images of each unseen class | {' | '.join(map(str, SHOTS))} |",
        f"|{'---|' * (1 + len(SHOTS))}",
    ]
    for place, score in enumerate(("ZSL", "cal. H")):
        for name, way in zip(WAYS, values[..., place]):
            lines.append(f"| {score}, {name} | {' | '.join(spread(list(at)) for at in way)} |")
    text = FEW.replace("{shots}", "\n".join(lines))
    return text.replace("{seeds}", f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed")


def draw_shots(found: dict) -> mpl_figure.Figure:
    """Returns a panel per score: a curve per way over the labelled images of each unseen class."""
    figure = mpl_figure.Figure(figsize=(10, 4.1), layout="constrained")
    values, seeds = shots(found)
    bands = f"; bands: standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else ""
    figure.suptitle(f"labelled images of unseen birds beside the others{bands}", fontsize=11)
    scores = ("top-1 among the unseen classes, %", "H among all classes, calibrated, %")
    for place, (axes, words) in enumerate(zip(figure.subplots(1, 2), scores)):
        for (name, way), colour in zip(zip(WAYS, values[..., place]), ("#767676", "#D55E00", "#0072B2")):
            mean, deviation = way.mean(axis=1), way.std(axis=1, ddof=1) if len(seeds) > 1 else np.zeros(len(SHOTS))
            axes.plot(range(len(SHOTS)), mean, marker=".", color=colour, label=name)
            axes.fill_between(range(len(SHOTS)), mean - deviation, mean + deviation, color=colour, alpha=0.2)
        axes.set_xticks(range(len(SHOTS)), [str(k) for k in SHOTS])
        axes.set(xlabel="labelled images of each unseen class in training", ylabel=words)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].legend(frameon=False, loc="lower right")
    return figure


def gta(found: dict, metrics: dict, cell: Callable) -> str:
    """Returns the part of the page on GTA; nothing where it was not run.

    Args:
      found: figures by key.
      metrics: names of the columns.
      cell: from values to what a cell says.
    """
    lines = [f"| texts | | draws | rounds | {' | '.join(metrics)} |", f"|{'---|' * (4 + len(metrics))}"]
    for kind in TEXTS:
        for number, name in enumerate(PARTS):
            runs = [found[key] for d in range(GTA_DRAWS) if (key := f"gta/{kind}/{number}/{d}") in found]
            if runs:
                cells = [cell([100 * each[score] for each in runs]) for score in metrics]
                rounds = ", ".join(str(each["rounds"]) for each in runs)
                lines.append(f"| {kind} | {name} | {len(runs)} | {rounds} | {' | '.join(cells)} |")
    if len(lines) == 2:
        return ""
    text = GTA.replace("{gta}", "\n".join(lines)).replace("{answer}", answer(found)).replace("{{text}}", "{text}")
    said = [f"- {name}: {_words(given)}" for name, given in PARTS.items()]
    return text.replace("{overrides}", "\n".join(said))


def answer(found: dict) -> str:
    """Returns whether GTA is above TransCLIP, on each kind of text, as the runs have it."""
    names, said = list(PARTS), []
    base, own = names.index("TransCLIP, all texts"), names.index("GTA")
    for kind in TEXTS:
        keys = [(f"gta/{kind}/{base}/{d}", f"gta/{kind}/{own}/{d}") for d in range(GTA_DRAWS)]
        pairs = [(found[a], found[b]) for a, b in keys if a in found and b in found]
        gains = {score: [100 * (b[score] - a[score]) for a, b in pairs] for score in ("ZSL", "cal. H")}
        if pairs:
            per_draw = ", ".join(f"{score} {' and '.join(f'{x:+.1f}' for x in gains[score])}" for score in gains)
            above = all(x > 0 for values in gains.values() for x in values)
            below = all(x <= 0 for values in gains.values() for x in values)
            word = "above" if above else "not above" if below else "neither above nor below"
            said.append(f"on {kind} GTA is {word} TransCLIP with all texts ({per_draw})")
    return f"Points per draw: {'; '.join(said)}." if said else ""


def _words(given: dict[str, str]) -> str:
    return " ".join(f"`--config.{name}={value}`" for name, value in given.items()) or "the recipe as it is"


def spread(values: list[float]) -> str:
    """Returns mean and deviation.

    >>> spread([10.0]), spread([10.0, 12.0])
    ('10.0', '11.0 ± 1.4')
    """
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")
