"""The parts of docs/transduction.md on training with unlabelled inputs and on category discovery.

    python docs/transduction_training.py --folder=FOLDER --groceries=GROCERIES.npz     # runs what has no figures yet

FOLDER is CUB127 in the xlsa17 layout. docs/transduction_training.json keeps the figures; make_transduction.py writes
the page.
"""

import argparse
import json
import pathlib
import runpy
import types

import numpy as np

DOCS = pathlib.Path(__file__).resolve().parent
RECORD = DOCS / "transduction_training.json"
MEASURING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "measuring.py")))
OF_GZSL = {"ZSL": ("zsl", "top1")}
OF_GZSL |= {f"cal. {name[0].upper()}": ("gzsl", "calibrated", name) for name in ("unseen", "seen", "harmonic")}
OF_GZSL |= {"H": ("gzsl", "harmonic")}
OF_DISCOVERY = {name: ("discovery", name) for name in ("all", "known", "unknown")}
_LESS = ("method.num_hidden=512", "method.learning_rate=0.001", "method.average=0.95")
_LABELLED = (*_LESS, "train.epochs=40", "select.every=40")
_ALL = (*_LESS, "train.epochs=24", "select.every=24", "method.learn_from=all")
# A recipe and overrides by row.
GENERATORS = {
    "f_clswgan": ("f_clswgan", _LABELLED),
    "f_clswgan, share 0.6": ("f_clswgan", (*_ALL, "method.unseen_share=0.6")),
    "f_clswgan, share 1": ("f_clswgan", _ALL),
    "tf_vaegan": ("tf_vaegan", _LABELLED),
    "tf_vaegan, share 0.6": ("tf_vaegan", (*_ALL, "method.unseen_share=0.6", "method.unlabelled_weight=10.0")),
}
QUASI = {
    f"weight {weight}": ("quasi_fully_supervised", (f"loss.unlabelled_weight={weight}",))
    for weight in (0.0, 0.1, 0.3, 1.0)
}
DISCOVERY = {
    "k-means with labelled inputs": ("category_discovery", ("method.iterations=0",)),
    "category_discovery": ("category_discovery", ()),
}
KMEANS = "k-means"
VALIDATION = "validation"
PLACES = {"birds": ("xlsa17", "data.dir=FOLDER"), "groceries": ("npz", "data.file=GROCERIES")}

TEXT = """
## Training on unlabelled inputs

The test inputs may take part in training, as rows without a label (-1); `sees` of the record has "test inputs" then. In
GZSL these rows are of seen and of unseen classes, and nothing says which is which. The papers below hand over images of
unseen classes alone, and so tell a method something about each test image that it is asked about.

**Generators.** `learn_from=all` gives `tf_vaegan`, `f_clswgan` and the other generators with a critic a second critic,
of features alone (f-VAEGAN-D2): it tells unlabelled images from features that are generated for unseen classes.
`unseen_share` is the share of the unlabelled images that are of unseen classes, 1 as in the papers; labelled images
stand for the rest.

    zsl-jax train --config=tf_vaegan:xlsa17 --config.data.dir=FOLDER --config.method.learn_from=all \\
        --config.method.unseen_share=0.6 --config.method.unlabelled_weight=10.0 --workdir=runs/tf_vaegan_all

{generators}

CUB127 with attributes, seed 0, gamma chosen on validation classes, whose H as scored is the last column. These are
reduced runs, not those of the recipes: networks of 512 hidden units, a step size of 0.001, and 40 epochs without or 24
with the unlabelled images, which are about as many steps. 64 % of the unlabelled images are of unseen classes; a share
of 0.6 is a guess that knows this. `f_clswgan` gains 3 points in ZSL and 11 in calibrated H with it, 2 and 10 with a
share of 1, most of them without gamma as well: one seed, of reduced runs.

**QFSL.** `quasi_fully_supervised` is a loss on the scores of all classes, for `bilinear`, `label_embedding` and
`two_tower`: cross-entropy where a label is known, and minus the logarithm of the probability of all unseen classes
together where none is. Unlabelled images of seen classes are drawn to the unseen ones as well. `sweep` chooses the
weight on validation classes.

    zsl-jax train --config=quasi_fully_supervised:xlsa17 --config.data.dir=FOLDER \\
        --config.loss.unlabelled_weight=0.1 --workdir=runs/quasi_fully_supervised

{quasi}

CUB127 with attributes, seed 0; a weight of 0 is the softmax over all classes without the unlabelled images. The last
column is calibrated H on the validation classes: they would choose the weight 0. What a small weight gains on the test
classes was not chosen on anything, and a run that asks for it by its test figures is no clean comparison.

## Category discovery

Classes that nothing describes can still be found. Some classes have labelled images; the test images are of these and
of unknown ones. `category_discovery` (PIM) learns a classifier with a column for each known class and for as many new
ones as are unknown, which makes each answer sure and all classes about equally frequent. The protocol `discovery`
matches clusters with classes one to one by the labels of all test images, as the literature does, and reports the
share of the images in the right cluster.

    zsl-jax train --config=category_discovery:npz --config.data.file=FILE.npz --workdir=runs/category_discovery

FILE.npz holds `features` and `labels`, and no descriptions are read (`data.semantics=none`); `data.num_unseen` classes
are unknown. The weight of sure answers is chosen on validation classes, which play the unknown ones. The number of
unknown classes is known, as in the paper.

{discovery}

Accuracy in % of all test images, of those of known and of those of unknown classes; last that of all images where
validation classes are the unknown ones. `k-means` clusters the test images alone (scikit-learn, best of 10 starts, unit
length about their mean); the row after it is the start of the method, `--config.method.iterations=0`.

The figures of these two parts are made by

    python docs/transduction_training.py --folder=FOLDER --groceries=GROCERIES.npz
"""


def line(recipe: str, overrides: tuple[str, ...], place: str, workdir: str) -> list[str]:
    """Returns the words of a command, with names in capitals for files."""
    argument, where = PLACES[place]
    given = [f"--config.{override}" for override in (where, *overrides)]
    return ["train", f"--config={recipe}:{argument}", *given, f"--workdir={workdir}"]


def measure(places: dict[str, str], found: dict[str, dict[str, float]], runs: str) -> None:
    """Adds the figures that are missing and whose files are named."""
    wanted = [("birds", rows, OF_GZSL) for rows in (GENERATORS, QUASI)]
    wanted += [(place, DISCOVERY, OF_DISCOVERY) for place in PLACES]
    for place, rows, paths in wanted:
        for name, (recipe, overrides) in rows.items():
            key = f"{place}/{recipe}/{name}"
            words = line(recipe, overrides, place, f"{runs}/{key.replace(' ', '_').replace(',', '')}")
            if key not in found and (record := MEASURING.record([words], places)):
                found[key] = figures(record, paths)
                RECORD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    for place in PLACES:
        key = f"{place}/{KMEANS}"
        if key not in found and PLACES[place][1].partition("=")[2] in places:
            found[key] = of_kmeans(place, places)
            RECORD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def figures(record: dict, paths: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Returns the figures of a run, and the one of validation classes that everything was chosen by."""
    selection = record["selection"]
    (chosen,) = (entry for entry in selection["history"] if entry["epochs"] == selection["epochs"])
    return MEASURING.picked(record["metrics"], paths) | {VALIDATION: round(chosen[selection["metric"]], 4)}


def of_kmeans(place: str, places: dict[str, str]) -> dict[str, float]:
    """Returns the accuracies of k-means on the test inputs alone."""
    from sklearn import cluster

    from zsl_jax import data, metrics
    from zsl_jax.training import protocols
    from zsl_jax.verbs import command_line

    argument, where = PLACES[place]
    name, _, file = where.partition("=")
    config = command_line.recipe(f"category_discovery:{argument}", {name: places[file]})
    task = protocols.DISCOVERY.tasks(data.load(**config.data, unseen=""), config)[1]
    sets = [task.sets[name] for name in protocols.DISCOVERY.looks(task)["discovery"].sets]
    inputs, labels = (np.concatenate([getattr(each, name) for each in sets]) for name in ("inputs", "labels"))
    centred = inputs - inputs.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    count = len(task.classes)
    clusters = cluster.KMeans(count, n_init=10, random_state=0).fit_predict(unit)
    right = np.asarray(metrics.discovered(clusters, labels, num_classes=count)) == labels
    is_known = np.asarray(task.classes.is_seen)[labels]
    sides = {"all": np.ones_like(is_known), "known": is_known, "unknown": ~is_known}
    return {side: round(float(right[of].mean()), 4) for side, of in sides.items()}


def table(found: dict, rows: dict[str, str], names: list[str], heading: str) -> str:
    """Returns a table of the rows that were run: `rows` has the key of each by its title, `names` are the columns."""
    there = {title: found[key] for title, key in rows.items() if key in found}
    if not there:
        return "Not run yet."
    lines = [f"| {heading} | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for title, values in there.items():
        cells = [f"{100 * values[name]:.1f}" if name in values else "" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def text() -> str:
    """Returns both parts of the page."""
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    parts = {
        "{generators}": ({row: f"birds/{GENERATORS[row][0]}/{row}" for row in GENERATORS}, OF_GZSL, "method"),
        "{quasi}": ({row: f"birds/quasi_fully_supervised/{row}" for row in QUASI}, OF_GZSL, "unlabelled images"),
        "{discovery}": (
            {
                f"{place}, {row}": f"{place}/{row if row == KMEANS else f'category_discovery/{row}'}"
                for place in PLACES
                for row in (KMEANS, *DISCOVERY)
            },
            OF_DISCOVERY,
            "data, method",
        ),
    }
    page = TEXT
    for name, (rows, paths, heading) in parts.items():
        page = page.replace(name, table(found, rows, [*paths, VALIDATION], heading))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout")
    parser.add_argument("--groceries", help="an archive of groceries")
    parser.add_argument("--runs", default="runs/transduction_training", help="where the runs lie")
    given = parser.parse_args()
    places = {name.upper(): value for name in ("folder", "groceries") if (value := getattr(given, name))}
    measure(places, json.loads(RECORD.read_text()) if RECORD.exists() else {}, given.runs)


if __name__ == "__main__":
    main()
