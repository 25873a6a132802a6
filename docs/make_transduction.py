"""Writes docs/transduction.md: what looking at all test inputs together adds to a method, and what breaks it.

    python docs/make_transduction.py --folder=FOLDER    # runs what docs/transduction.json lacks, then writes
    python docs/make_transduction.py                    # only writes the page and draws docs/transduction.png

FOLDER is CUB127 in the xlsa17 layout. Draw 0 has the benchmark's own unseen classes, the others as many drawn at random
(and a fifth of the images of each other class as seen test images); everything is chosen on validation classes.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import runpy
import sys
import tempfile
import types

import numpy as np
from matplotlib import figure as mpl_figure

DOCS = pathlib.Path(__file__).resolve().parent
RECORD, PAGE, FIGURE = (DOCS / f"transduction.{suffix}" for suffix in ("json", "md", "png"))
SHOTS_FIGURE = DOCS / "transduction_shots.png"
# Labelled images, and GTA.
MEASURING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "measuring.py")))
ROUNDS = types.SimpleNamespace(**runpy.run_path(str(DOCS / "transduction_rounds.py")))
# Other data and other scorers.
SETS = types.SimpleNamespace(**runpy.run_path(str(DOCS / "transduction_sets.py")))
# Training on unlabelled inputs, and category discovery.
TRAINED = types.SimpleNamespace(**runpy.run_path(str(DOCS / "transduction_training.py")))
CORRECTIONS = (
    "csls",
    "inverted_softmax",
    "sinkhorn_balancing",
    "prior_estimation",
    "label_propagation",
    "information_maximization",
    "transclip",
)
ONLINE, ORDERS, SELF = "online_gaussians", 5, "self_training"
# Chosen once more for H without gamma.
FOR_UNCALIBRATED = ("inverted_softmax", "sinkhorn_balancing", "prior_estimation")
SCORERS = ("ridge", "sae", "eszsl")
DRAWS = 5
WORDS = {"att": "xlsa17", "sent": "xlsa17,sent"}
METRICS = {"ZSL": ("zsl", "top1"), "U": ("gzsl", "unseen"), "S": ("gzsl", "seen"), "H": ("gzsl", "harmonic")}
METRICS |= {f"cal. {name}": ("gzsl", "calibrated", METRICS[name][1]) for name in ("U", "S", "H")}
CONDITIONS = {
    "imbalance": (0.1, 0.3, 1.0, 3.0, 10.0),
    "images": (1, 2, 5, 10, 20, 40, 60),
    "distractors": (0.0, 0.25, 0.5, 1.0, 2.0),
}
TEXT = """\
# All test inputs together

Test images that arrive in numbers show their clusters. The methods here take the scores of any other method and
decide once more with all inputs at hand; nothing is trained on them but `self_training`, `gta_clip`, and what is
said under [training on unlabelled inputs](#training-on-unlabelled-inputs). A record of such a run says
`instance-transductive`, and a report ranks it apart: its figures must not be compared with those of methods that see
one image at a time.

    zsl-jax train --config=transclip:xlsa17 --config.data.dir=FOLDER --workdir=runs/transclip

| recipe | what it does with the scores |
|---|---|
| [`transclip`](methods.md#transclip) | a Gaussian per class, nearest neighbours and the scores as a prior, in turn |
| [`label_propagation`](methods.md#label_propagation) | part of each answer comes from the nearest neighbours |
| [`information_maximization`](methods.md#information_maximization) | sure answers, of classes equally frequent |
| [`sinkhorn_balancing`](methods.md#sinkhorn_balancing) | classes are made about equally frequent |
| [`prior_estimation`](methods.md#prior_estimation) | the frequencies of the classes are estimated and used |
| [`inverted_softmax`](methods.md#inverted_softmax) | each class chooses among the inputs: no hubs |
| [`csls`](methods.md#csls) | a class that is near to many inputs loses for it |
| [`online_gaussians`](methods.md#online_gaussians) | a Gaussian per class that inputs update one by one, in one pass |
| [`self_training`](methods.md#self_training) | sure and steady ones are labels of a next round of training |
| [`gta_clip`](methods.md#gta_clip) | rounds of `transclip`, of more texts for confused classes, of pseudo-labels |

- **Around which method.** `--config.scorer.name=sae` names it, or a recipe such as `zero_shot`;
  `--config.scorer.encoder_weight=0.03` reaches its knobs. It trains as its own recipe says.
- **What is chosen, and on what.** Knobs of the decision reach no state: values in `config.late` are compared after
  training, on the inputs of validation classes. `--config.method.temperature=0.3` fixes one instead. Nothing is
  chosen on test labels.
- **What an answer depends on.** On the other inputs and on the candidate classes, but not on the order of the inputs,
  on the blocks they come in or on the number of devices. ZSL and GZSL are decided apart, each on the inputs that it
  asks about. `online_gaussians` is about the order: `method.order=0` takes the inputs as they come, 1, 2, ... in orders
  drawn from their numbers, and the deviation over several of these is what the order does.
- **`predict`** decides on all inputs of a call together, and says so: the same inputs and classes give the answers of
  the run. `export` is refused, because a file that scores block by block cannot look at all inputs.
- **Neighbours** are exact, found a tile of the similarities at a time.

## What it adds

CUB127 (CUB restricted to 127 classes, MobileNet features), per-class top-1, %. First the benchmark's own split; in
brackets mean and standard deviation over it and further draws of as many unseen classes. Scorers train as in
their own recipes, the same alone and inside. `cal.` is with the constant gamma chosen on validation classes.

Attributes:

{attributes}

Sentences:

{sentences}

{orders}

Made by

    python docs/make_transduction.py --folder=FOLDER

which keeps the figures in docs/transduction.json. The row of draw 0 is what the command at the top of this page
gives, with `--config.scorer.name=` and the recipe in the row, and `xlsa17,sent` for the sentences.
"""

BIAS = """
## The bias for seen classes, without gamma

Scores favour seen classes: an image of an unseen class is given to a seen one. The protocol corrects it by one
constant, gamma, which needs validation classes. Decisions on all inputs may correct it too, with knobs but no such
constant. H as scored, nothing subtracted, means and standard deviations over the draws above. Knobs are those that give
the best calibrated H on validation classes or, where a row says so, the best H as scored:
`--config.select.metric=uncalibrated`.

{bias}

- **Balancing** and the hub corrections bound how much a class is given, so that seen classes, which are given too much,
  lose some. They close part of the gap, and the constant is still worth having: compare the calibrated H above. They
  are wrong where classes are of uneven size, see below, and so they are here: a seen class has about 11 test images,
  an unseen one 60.
- **Prior estimation** does the opposite. It takes the surplus of seen classes for their frequency and gives them more.
  The method is for probabilities that are right but for the class frequencies, and those of a zero-shot scorer are
  wrong for another reason. It is no remedy for the bias: validation classes choose `equal=100`, the value that changes
  least.
- **TransCLIP, label propagation, online Gaussians, information maximisation and self-training** have a constant of
  their own, `seen_penalty`, which is subtracted before the decision and chosen on validation classes (for self-training
  a fixed one). It is gamma in another place, and what brings H as scored near the calibrated one; information
  maximisation alone stays far from it.
"""

BREAKING = """
## What breaks it

The knobs were chosen where every class has many images and every image has a class among the candidates. A finished
run of each (attributes, ESZSL, draw 0) is asked about other test sets, 5 draws each; bands are standard deviations. An
image of an unknown class counts as no answer; it only disturbs. Unseen classes have 56 to 60 images: with 60 all of
them are there, in every draw. Information maximisation draws classes to be equally frequent: where they are, it gains
the most, and where they are far from it (an alpha of 0.3 and below) it is worse than no decision at all.

![Per-class accuracy under imbalance, few images and distractors](transduction.png)

{broken}
"""

# Methods that are looked at under the conditions: title, colour, key of the figures.
BROKEN = {
    "transclip": ("TransCLIP", "#D55E00", "conditions"),
    "information_maximization": ("information maximisation", "#0072B2", "conditions of information_maximization"),
    "prior_estimation": ("prior estimation", "#009E73", "conditions of prior_estimation"),
}
LABELS = {
    "imbalance": "alpha of the Dirichlet prior of 600 images' classes",
    "images": "test images per class",
    "distractors": "images of unknown classes per known one",
}
TITLES = {"imbalance": "classes of uneven size", "images": "few images", "distractors": "images of unknown classes"}


def wanted() -> list[tuple[str, str, str, int]]:
    """Returns (semantics, method, scorer, draw) of every run; a scorer alone is a method without one."""
    methods = [(name, "") for name in SCORERS] + [("transclip", scorer) for scorer in SCORERS]
    methods += [(name, "eszsl") for name in (*CORRECTIONS, ONLINE, SELF) if name != "transclip"]
    methods += [("class_means", ""), (SELF, "class_means")]
    return [(kind, *method, draw) for draw in range(DRAWS) for kind in WORDS for method in methods]


def redrawn(dataset, draw: int):
    """Returns the dataset with other unseen classes, as many; itself for draw 0."""
    from zsl_jax.data import splits

    if draw == 0:
        return dataset
    is_seen = np.random.default_rng(draw).permutation(dataset.classes.is_seen)
    found = splits.fifth_of_seen(dataset.labels, is_seen, draw)
    table = dataclasses.replace(dataset.classes, is_seen=is_seen)
    return dataclasses.replace(dataset, classes=table, splits=found, validation_classes=None)


def recipe(folder: str, kind: str, method: str, scorer: str, **more: str):
    overrides = {"data.dir": folder} | ({"scorer.name": scorer} if scorer else {}) | more
    return of_recipe(method, WORDS[kind], **overrides)


def of_recipe(name: str, argument: str, **overrides: str):
    from zsl_jax.verbs import command_line

    return command_line.recipe(f"{DOCS.parent / 'configs' / name}.py:{argument}", {"plots": "none"} | overrides)


class Keeper:
    """Runs what has no figures yet, and writes them.

    Args:
      found: figures by key, which grow.
      only: a part of the keys that are run.
      record: the file that holds them.
    """

    def __init__(self, found: dict, only: str, record: pathlib.Path = RECORD):
        self.found, self.only, self.record = found, only, record
        self._datasets: dict = {}

    def __call__(self, key: str, config, *, draw: int = 0, kind: str = "", metrics: dict = METRICS) -> None:
        """Adds the metrics of a run under a key, on the dataset with the unseen classes of a draw."""
        from zsl_jax.training import problems
        from zsl_jax.training import run as running

        if key in self.found or self.only not in key:
            return
        problem = problems.make_problem(config)
        # Runs on equal data share it, and with it what is compiled.
        dataset = self._datasets.setdefault((kind, draw), redrawn(problem.dataset, draw)) if kind else None
        made = problem._replace(dataset=redrawn(problem.dataset, draw) if dataset is None else dataset)
        with tempfile.TemporaryDirectory() as workdir:
            record = running.run(config, pathlib.Path(workdir) / "run", problem=made, say=lambda line: None).record
        chosen = record["selection"]
        self.found[key] = MEASURING.picked(record["metrics"], metrics) | {
            "late": chosen.get("late") or {},
            "rounds": chosen["epochs"],
        }
        self.record.write_text(json.dumps(self.found, indent=0) + "\n")
        print(key, self.found[key], flush=True)


def run(folder: str, keep: Keeper) -> None:
    """Adds the metrics of every run of `wanted`, and of the online form in several orders of the same inputs."""
    for kind, method, scorer, draw in wanted():
        key = f"{kind}/{method}/{scorer or 'alone'}/{draw}"
        keep(key, recipe(folder, kind, method, scorer), draw=draw, kind=kind)
    for draw in range(DRAWS):
        for name in FOR_UNCALIBRATED:
            made = recipe(folder, "att", name, "eszsl", **{"select.metric": "uncalibrated"})
            keep(f"uncalibrated/att/{name}/{draw}", made, draw=draw, kind="att")
    for kind in WORDS:
        for order in range(1, ORDERS + 1):
            made = recipe(folder, kind, ONLINE, "eszsl", **{"method.order": str(order)})
            keep(f"orders/{kind}/{order}", made, kind=kind)


def drawn(rng: np.random.Generator, condition: str, value: float, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the rows of test inputs under a condition; those of known classes first.

    Args:
      rng: of the draw.
      condition: a name in `CONDITIONS`.
      value: of it.
      labels: of the images of known classes.
      others: rows of images of unknown classes.
    """
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    if condition == "images":
        return np.concatenate([rows[: int(value)] for rows in classes])
    if condition == "imbalance":
        shares = rng.dirichlet(np.full(len(classes), value))
        return np.concatenate([rows[: round(600 * share)] for rows, share in zip(classes, shares)])
    known = np.concatenate([rows[:15] for rows in classes])
    return np.concatenate([known, rng.permutation(others)[: round(value * len(known))]])


def break_it(folder: str, found: dict, method: str, key: str) -> None:
    """Adds the accuracies of a finished run under conditions that it was not chosen for.

    Args:
      folder: of the benchmark.
      found: figures by key, which grow.
      method: around ESZSL.
      key: of its figures.
    """
    import jax

    from zsl_jax.training import run as running
    from zsl_jax.training import trained

    wanted = [(condition, value) for condition, values in CONDITIONS.items() for value in values]
    scores = dict(found.get(key, {}))
    missing = [(condition, value) for condition, value in wanted if f"{condition}/{value}" not in scores]
    if not missing:
        return
    config = recipe(folder, "att", method, "eszsl")
    with tempfile.TemporaryDirectory() as workdir:
        result = running.run(config, pathlib.Path(workdir) / "run", say=lambda line: None)
        model = trained.load(pathlib.Path(workdir) / "run")
    unseen, others = (result.task.sets[name] for name in ("test_unseen", "test_seen"))
    labels = np.asarray(unseen.labels) - result.task.num_seen
    images = jax.jit(model.method.embed)(model.state, np.concatenate([unseen.inputs, others.inputs]))
    described = trained.described(model, result.task.unseen_classes)
    # The images are an argument: as a constant the compiler would fold all of the decision.
    decide = jax.jit(
        lambda images, where: model.method.together(model.state, images, where, described, jax.random.key(0))
    )
    alone = np.argmax(model.method.scores(model.state, images, described), axis=1)
    for condition, value in missing:
        pairs = []
        for seed in range(DRAWS):
            rows = drawn(
                np.random.default_rng(seed), condition, value, labels, len(labels) + np.arange(len(others.labels))
            )
            answers = np.argmax(decide(images, np.isin(np.arange(len(alone)), rows)), axis=1)
            known = rows[rows < len(labels)]
            pairs.append([round(per_class(x[known], labels[known]), 4) for x in (alone, answers)])
        scores[f"{condition}/{value}"] = pairs
        print(method, condition, value, np.mean(pairs, axis=0).round(3), flush=True)
    found[key] = {name: scores[name] for condition, value in wanted if (name := f"{condition}/{value}") in scores}
    RECORD.write_text(json.dumps(found, indent=0) + "\n")


def per_class(answers: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean over the classes that are there of the share of right answers."""
    return float(np.mean([np.mean(answers[labels == label] == label) for label in np.unique(labels)]))


def draw(found: dict) -> mpl_figure.Figure:
    """Returns a panel per condition: the scorer alone and together, with the standard deviation over draws."""
    curves = [("ESZSL alone", "#767676", "conditions", 0)]
    curves += [(f"{name} around it", colour, key, 1) for name, colour, key in BROKEN.values() if key in found]
    figure = mpl_figure.Figure(figsize=(12, 4.2), layout="constrained")
    figure.suptitle(f"deciding on all test images together; bands: standard deviation over {DRAWS} draws", fontsize=11)
    for axes, (condition, values) in zip(figure.subplots(1, len(CONDITIONS), sharey=True), CONDITIONS.items()):
        for name, colour, key, place in curves:
            there = [at for at, value in enumerate(values) if f"{condition}/{value}" in found[key]]
            runs = 100 * np.array([found[key][f"{condition}/{values[at]}"] for at in there])[:, :, place]
            mean, spread = runs.mean(axis=1), runs.std(axis=1, ddof=1)
            axes.plot(there, mean, marker=".", color=colour, label=name)
            axes.fill_between(there, mean - spread, mean + spread, color=colour, alpha=0.2)
        axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        axes.set(xlabel=LABELS[condition], ylim=(0, 100))
        axes.set_title(TITLES[condition], fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    first = figure.axes[0]
    first.set_ylabel("per-class top-1 among unseen classes, %")
    first.legend(frameon=False, loc="lower right")
    return figure


def table(found: dict, kind: str) -> str:
    """Returns the rows of one kind of class descriptions, means over the draws that were run."""
    lines = [f"| method | scorer | draws | {' | '.join(METRICS)} |", f"|{'---|' * (3 + len(METRICS))}"]
    for method, scorer in dict.fromkeys(each[1:3] for each in wanted()):
        prefix = f"{kind}/{method}/{scorer or 'alone'}/"
        runs = [found[f"{prefix}{draw}"] for draw in range(DRAWS) if f"{prefix}{draw}" in found]
        if not runs:
            continue
        cells = [cell([100 * each[name] for each in runs]) for name in METRICS]
        lines.append(f"| {method} | {scorer or '-'} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def bias(found: dict) -> str:
    """Returns H without gamma around ESZSL, of attributes and of sentences, as points above ESZSL alone too."""
    kinds = {"att": "attributes", "sent": "sentences"}
    head = [f"H, {name} | above ESZSL alone" for name in kinds.values()]
    lines = [f"| method | {' | '.join(head)} |", "|---" * (1 + 2 * len(kinds)) + "|"]
    rows = {"eszsl": "{kind}/eszsl/alone"}
    for name in (*CORRECTIONS, ONLINE, SELF):
        rows[name] = f"{{kind}}/{name}/eszsl"
        if name in FOR_UNCALIBRATED:
            rows[f"{name}, chosen for H as scored"] = f"uncalibrated/{{kind}}/{name}"
    for name, key in rows.items():
        cells = []
        for kind in kinds:
            at = key.format(kind=kind)
            draws = [draw for draw in range(DRAWS) if f"{at}/{draw}" in found]
            values = np.array([100 * found[f"{at}/{draw}"]["H"] for draw in draws])
            alone = np.array([100 * found[f"{kind}/eszsl/alone/{draw}"]["H"] for draw in draws])
            cells += [spread(values), spread(values - alone)] if draws else ["-", "-"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: np.ndarray) -> str:
    """Returns the mean, and the standard deviation of several values.

    >>> spread(np.array([10.0])), spread(np.array([10.0, 12.0]))
    ('10.0', '11.0 ± 1.4')
    """
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")


def orders(found: dict) -> str:
    """Returns what the order of the inputs does to the online form."""
    said = []
    for kind, name in (("att", "attributes"), ("sent", "sentences")):
        runs = [found[key] for number in range(1, ORDERS + 1) if (key := f"orders/{kind}/{number}") in found]
        if len(runs) < ORDERS:
            continue
        values = {score: 100 * np.array([run[score] for run in runs]) for score in ("ZSL", "cal. H")}
        said.append(f"{name} " + ", ".join(f"{k} {v.mean():.1f} ± {v.std(ddof=1):.1f}" for k, v in values.items()))
    if not said:
        return f"`{ONLINE}` was not run in several orders yet."
    return f"`{ONLINE}` around ESZSL in {ORDERS} orders of the same inputs, draw 0: {'; '.join(said)}."


def broken(found: dict) -> str:
    """Returns the means behind the figure: without a decision on all inputs, and with each."""
    there = [(name, key) for name, _, key in BROKEN.values() if key in found]
    lines = [
        f"| condition | value | alone | {' | '.join(name for name, _ in there)} |",
        "|---" * (3 + len(there)) + "|",
    ]
    for condition, values in CONDITIONS.items():
        for value in values:
            runs = [found[key].get(f"{condition}/{value}") for _, key in there]
            alone = next((f"{100 * np.mean(run, axis=0)[0]:.1f}" for run in runs if run), "-")
            cells = [f"{100 * np.mean(run, axis=0)[1]:.1f}" if run else "-" for run in runs]
            lines.append(f"| {LABELS[condition]} | {value:g} | {alone} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(values: list[float]) -> str:
    """Returns the first value, which is that of the benchmark's split, and mean and deviation of all.

    >>> cell([10.0]), cell([10.0, 12.0])
    ('10.0', '10.0 (11.0 ± 1.4)')
    """
    return f"{values[0]:.1f}" + (f" ({np.mean(values):.1f} ± {np.std(values, ddof=1):.1f})" if len(values) > 1 else "")


def page(found: dict) -> str:
    """Returns the text of docs/transduction.md; without what breaks it, where that was not run."""
    text = TEXT.replace("{attributes}", table(found, "att")).replace("{sentences}", table(found, "sent"))
    text = text.replace("{orders}", orders(found)) + BIAS.replace("{bias}", bias(found))
    text += SETS.text(found, MEASURING.cell)
    text += ROUNDS.few_shot(found) + ROUNDS.gta(found, METRICS, cell) + TRAINED.text()
    return text + (BREAKING.replace("{broken}", broken(found)) if "conditions" in found else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="CUB127 in the xlsa17 layout")
    parser.add_argument("--tower", help="a text tower, for the runs of GTA")
    parser.add_argument("--descriptors", help="JSON file of short texts of each class, for GTA")
    parser.add_argument("--sentences", help="JSON file of sentences on each class, for GTA")
    parser.add_argument("--groceries", help="an archive of groceries, for other data")
    parser.add_argument("--clothes", help="an archive of pairs, for other data")
    parser.add_argument("--tie", help="a tie of the tower to the archives' features, for other data")
    parser.add_argument("--only", default="", help="runs whose key (att/transclip/eszsl/0, conditions) has this in it")
    arguments = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if arguments.folder is not None:
        keep = Keeper(found, arguments.only)
        run(arguments.folder, keep)
        made = functools.partial(recipe, arguments.folder, "att")
        names = ("folder", "groceries", "clothes", "tower", "tie")
        SETS.run(of_recipe, SETS.ABOVE, keep, {n.upper(): v for n in names if (v := getattr(arguments, n))})
        ROUNDS.run_shots(made, keep)
        ROUNDS.run_gta(made, keep, arguments.tower, {kind: getattr(arguments, kind) for kind in ROUNDS.TEXTS})
        for method, (*_, key) in BROKEN.items():
            if arguments.only in key:
                break_it(arguments.folder, found, method, key)
    if not found:
        print("docs/transduction.json is not there: name --folder=FOLDER to make it", file=sys.stderr)
        return 2
    PAGE.write_text(page(found))
    if "conditions" in found:
        draw(found).savefig(FIGURE, dpi=110)
    if ROUNDS.shots(found)[1]:
        ROUNDS.draw_shots(found).savefig(SHOTS_FIGURE, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
