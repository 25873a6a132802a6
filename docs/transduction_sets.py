"""The part of docs/transduction.md on other data and other scorers; see make_transduction.py."""

import numpy as np

DRAWS = 5
OF_GZSL = {"ZSL": ("zsl", "top1"), "cal. H": ("gzsl", "calibrated", "harmonic")}
OF_PAIRS = {"AUC": ("pairs", "closed", "auc"), "H": ("pairs", "closed", "harmonic")}
OF_NAMES = {"top-1": ("transfer", "top1"), "macro F1": ("transfer", "macro_f1")}
# Title, what follows the recipe's colon, options with the names of files in capitals, scorers, draws, metrics.
SETS = {
    "birds_att": ("birds, attributes", "xlsa17", {"data.dir": "FOLDER"}, ("eszsl", "ale"), DRAWS, OF_GZSL),
    "birds_sent": ("birds, sentences", "xlsa17,sent", {"data.dir": "FOLDER"}, ("eszsl", "ale"), DRAWS, OF_GZSL),
    "groceries": (
        "groceries, descriptions",
        "npz",
        {"data.file": "GROCERIES", "data.semantics": "descriptions"},
        ("eszsl", "ale"),
        DRAWS,
        OF_GZSL,
    ),
    "clothes": (
        "clothes, pairs",
        "pairs",
        {"data.file": "CLOTHES", "data.unseen_count": "2"},
        ("eszsl", "two_heads", "zero_shot"),
        DRAWS,
        OF_PAIRS,
    ),
    "grocery_names": ("groceries, names alone", "npz", {"data.file": "GROCERIES"}, ("zero_shot",), 1, OF_NAMES),
}
# A decision with each of its knobs after every epoch would take hours.
OF_SCORER = {"zero_shot": {"towers.text": "TOWER", "towers.tie": "TIE"}, "ale": {"select.every": "10"}}
# The draws of the tables above, which are of the benchmark's layout.
ABOVE = {"birds_att": "att", "birds_sent": "sent"}
TEXT = """
## Other data and other scorers

TransCLIP around other methods, with the knobs of its recipe and nothing else changed; around ALE and for it alone, 10,
20 or 30 epochs. ZSL and calibrated H in GZSL, for pairs AUC and H of the closed world, from names alone the accuracy
and F1 among all classes. Means over the draws of unseen classes (birds: the draws above; groceries and clothes:
`data.seed` 0 to 4); the gain is paired by draw, with half the width of its 95 % interval.

{table}

From names alone there is nothing to choose on: the knobs of the decision are at their defaults. One run:

    zsl-jax train --config=transclip:npz --config.scorer.name=zero_shot --config.data.file=GROCERIES.npz \\
        --config.towers.text=TOWER --config.towers.tie=TIE.npz --workdir=runs/transclip_names
"""


def run(recipe, redrawn_key, keep, places: dict[str, str]) -> None:
    """Runs what has no figures and whose files are at hand, each scorer alone and with TransCLIP around it.

    Args:
      recipe: `(name, argument, **overrides) -> config`.
      redrawn_key: `name -> kind` of the sets whose unseen classes are redrawn by the caller.
      keep: a `Keeper`.
      places: what stands for each name in capitals.
    """
    for name, (_, argument, options, scorers, draws, metrics) in SETS.items():
        for scorer in scorers:
            given = options | OF_SCORER.get(scorer, {})
            if not all(value in places for value in given.values() if value.isupper()):
                continue
            given = {key: places.get(value, value) for key, value in given.items()}
            for draw in range(draws):
                kind = redrawn_key.get(name, "")
                seeded = given if kind or draws == 1 else given | {"data.seed": str(draw)}
                for around in (False, True):
                    made = recipe("transclip", argument, **{"scorer.name": scorer}, **seeded) if around else None
                    made = recipe(scorer, argument, **seeded) if made is None else made
                    keep(_key(name, scorer, draw, around), made, draw=draw if kind else 0, kind=kind, metrics=metrics)


def _key(name: str, scorer: str, draw: int, around: bool) -> str:
    return f"sets/{name}/{scorer}/{'together' if around else 'alone'}/{draw}"


def text(found: dict, cell) -> str:
    """Returns the part of the page, or nothing where nothing was run."""
    lines = ["| data | scorer | draws | | alone | TransCLIP around it | gain |", "|---|---|---|---|---|---|---|"]
    for name, (title, _, _, scorers, draws, metrics) in SETS.items():
        for scorer in scorers:
            pairs = [[found.get(_key(name, scorer, draw, around)) for around in (False, True)] for draw in range(draws)]
            pairs = [pair for pair in pairs if None not in pair]
            for metric in metrics if pairs else ():
                alone, together = (100 * np.array([pair[i][metric] for pair in pairs]) for i in (0, 1))
                cells = " | ".join(cell(values) for values in (alone, together, together - alone))
                lines.append(f"| {title} | {scorer} | {len(pairs)} | {metric} | {cells} |")
    return TEXT.replace("{table}", "\n".join(lines)) if len(lines) > 2 else ""
