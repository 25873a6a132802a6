"""Which rule of choice holds on classes that it never saw: the study behind docs/choices.md, and its table.

    python docs/make_choices.py --folder=FOLDER --archive=FILE    # what docs/choices.json lacks, then the table
    python docs/make_choices.py --table                           # the table alone

No test label is looked at, nor any class that a benchmark calls unseen. Within the training part of a dataset a quarter
of the seen classes is held out as *outer* unseen classes, and a fifth of the other classes' images as outer seen ones.
In what is left every setting of a recipe's sweep() is scored on five *inner* draws of validation classes at every
epoch. A rule sees the inner draws alone, names a setting, an epoch and the constant gamma, and is judged by what a
training on all inner classes then reaches on the outer ones.
"""

import argparse
import dataclasses
import functools
import itertools
import json
import pathlib
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULT, PAGE = ROOT / "docs" / "choices.json", ROOT / "docs" / "choices.md"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->\n"
METHODS = ("eszsl", "ale", "dap", "sje", "sae", "ridge")
DRAWS, OUTER, EVERY, CONSTANTS = 5, 1, 5, 400
BY = ("harmonic", "zsl", "ausuc", "shared")
GAMMA = ("first", "mean", "median", "shared", "crossing")


class Lanes:
    """What is kept of many trainings scored on one task: curves of seen and unseen accuracy.

    Args:
      found: `gap [..., N]`, the best seen score minus the best unseen one, and whether these two classes are right.
      labels: `[N]`, the first `num_unseen` of unseen classes.
      num_unseen: images of unseen classes.
    """

    def __init__(self, found: dict[str, np.ndarray], labels: np.ndarray, num_unseen: int):
        is_unseen = np.arange(len(labels)) < num_unseen
        weight = np.zeros(len(labels))
        for side in (is_unseen, ~is_unseen):
            classes, row, count = np.unique(labels[side], return_inverse=True, return_counts=True)
            weight[side] = 1 / (len(classes) * count[row])
        gap = np.nan_to_num(found["gap"], nan=0.0)
        order = np.argsort(gap, axis=-1)
        self.gap = np.take_along_axis(gap, order, -1)
        of_unseen = np.take_along_axis(found["right_unseen"] * is_unseen * weight, order, -1)
        of_seen = np.take_along_axis(found["right_seen"] * ~is_unseen * weight, order, -1)
        zeros = np.zeros((*gap.shape[:-1], 1))
        self.unseen = np.concatenate([zeros, np.cumsum(of_unseen, axis=-1)], -1)
        lost = np.concatenate([zeros, np.cumsum(of_seen, axis=-1)], -1)
        self.seen = lost[..., -1:] - lost
        self.zsl = self.unseen[..., -1]
        self.ausuc = np.trapezoid(self.seen, self.unseen, axis=-1)
        self.harmonic = _harmonic(self.unseen, self.seen)

    def own_gamma(self) -> np.ndarray:
        """Each lane's best constant."""
        place = np.argmax(self.harmonic, axis=-1)[..., None]
        low = np.concatenate([self.gap[..., :1] - 1e-3, self.gap], -1)
        high = np.concatenate([self.gap, self.gap[..., -1:] + 1e-3], -1)
        return ((np.take_along_axis(low, place, -1) + np.take_along_axis(high, place, -1)) / 2)[..., 0]

    def at(self, lane: tuple, gamma) -> tuple[np.ndarray, np.ndarray]:
        """Accuracies of one lane at constants."""
        place = np.searchsorted(self.gap[lane], gamma)
        return self.unseen[lane][place], self.seen[lane][place]


def _harmonic(unseen, seen):
    return 2 * unseen * seen / np.maximum(unseen + seen, 1e-12)


def _kept(looks, method, state, sets, classes, knobs):
    """What `Lanes` takes of a finished state."""
    del knobs  # they are in the method
    from zsl_jax.training import scoring

    rows = scoring.score_arrays(method, state, sets, classes, looks)["gzsl"]
    right = rows.of[..., 0] == rows.label[:, None]
    return {"gap": rows.best[:, 1, 0] - rows.best[:, 0, 0], "right_unseen": right[:, 0], "right_seen": right[:, 1]}


def choices(inner: list[Lanes], outer: Lanes) -> dict[str, list[float]]:
    """Returns outer (ZSL, AUSUC, calibrated H) of every rule `by/draws/gamma`, and the best of the outer lanes.

    A lane is an epoch and a setting, `[E, S]`.
    """
    lanes = list(np.ndindex(outer.zsl.shape))
    scores = {
        "harmonic": np.stack([draw.harmonic.max(axis=-1) for draw in inner]),
        "zsl": np.stack([draw.zsl for draw in inner]),
        "ausuc": np.stack([draw.ausuc for draw in inner]),
    }
    gammas = np.stack([draw.own_gamma() for draw in inner])
    shared = {draws: {lane: _curve(inner[:draws], lane) for lane in lanes} for draws in (1, len(inner))}
    found = {}
    for by, draws in itertools.product(BY, (1, len(inner))):
        if by == "shared":
            value = np.zeros(outer.zsl.shape)
            for lane in lanes:
                value[lane] = shared[draws][lane][1].max()
        else:
            value = scores[by][:draws].mean(axis=0)
        lane = np.unravel_index(np.argmax(value), value.shape)
        constants, harmonic, balance = shared[draws][lane]
        gamma = {
            "first": gammas[0][lane],
            "mean": gammas[:draws, *lane].mean(),
            "median": np.median(gammas[:draws, *lane]),
            "shared": constants[np.argmax(harmonic)],
            "crossing": constants[np.argmin(np.abs(balance))],
        }
        for name in GAMMA if draws > 1 else GAMMA[:1]:
            unseen, seen = outer.at(lane, gamma[name])
            figures = (outer.zsl[lane], outer.ausuc[lane], _harmonic(unseen, seen))
            found[f"{by}/{draws}/{name}"] = [round(float(x), 4) for x in figures]
    inner_best = np.mean([draw.harmonic.max(axis=-1) for draw in inner], axis=0)
    settings = []
    for number in range(outer.zsl.shape[1]):  # each at the epoch that the inner draws choose
        lane = int(np.argmax(inner_best[:, number])), number
        constants, harmonic, _ = shared[len(inner)][lane]
        at = _harmonic(*outer.at(lane, constants[np.argmax(harmonic)]))
        figures = (inner_best[lane], outer.zsl[lane], outer.ausuc[lane], at)
        settings.append([round(float(x), 4) for x in figures])
    best = (outer.zsl.max(), outer.ausuc.max(), outer.harmonic.max())
    return found | {"best": [round(float(x), 4) for x in best], "settings": settings}


def _curve(draws: list[Lanes], lane: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Constants, and the means over draws of H and of unseen minus seen accuracy there."""
    gaps = np.sort(np.concatenate([draw.gap[lane] for draw in draws]))
    constants = np.unique(gaps[np.linspace(0, len(gaps) - 1, CONSTANTS).astype(int)])
    constants = (constants[1:] + constants[:-1]) / 2 if len(constants) > 1 else constants
    at = [draw.at(lane, constants) for draw in draws]
    harmonic = np.mean([_harmonic(unseen, seen) for unseen, seen in at], axis=0)
    return constants, harmonic, np.mean([unseen - seen for unseen, seen in at], axis=0)


def study(recipe: str, overrides: dict, training, seed: int) -> dict[str, list[float]]:
    """Returns what `choices` says of one recipe and one outer split."""
    from zsl_jax.training import protocols, spaces, sweeps
    from zsl_jax.verbs import command_line

    config = sweeps.overridden(command_line.recipe(str(ROOT / recipe), overrides), {"select.every": EVERY})
    outer, inner = splits(training, seed)
    points = spaces.settings(command_line.load_module(str(ROOT / recipe)).sweep(), samples=0, seed=0)
    names = [key for key in points[0] if sweeps.is_knob(config, key)]
    assert len(names) == len(points[0]), f"{recipe} sweeps more than numbers"

    def lanes(tasks) -> list[Lanes]:
        looks = {"gzsl": protocols.GZSL.looks(tasks[0])["gzsl"]}
        trainer = sweeps.Trainer(config, names, tasks, functools.partial(_kept, looks))
        parts, size = sweeps.chunks(points, trainer.most())
        found = [trainer.history(part, size)[1] for part in parts]
        found = {name: np.concatenate([each[name] for each in found], axis=3) for name in found[0]}
        result = []
        for k, task in enumerate(tasks):
            labels = np.concatenate([task.sets["test_unseen"].labels, task.sets["test_seen"].labels])
            of_task = {name: values[:, k, 0] for name, values in found.items()}
            result.append(Lanes(of_task, labels, len(task.sets["test_unseen"].labels)))
        return result

    return choices(lanes(inner), lanes([outer])[0])


def splits(training, seed: int):
    """Returns the outer task, and the inner ones that are cut from its training examples alone."""
    from zsl_jax import data

    outer = data.validation_task(dataclasses.replace(training, validation_classes=None), seed=1000 + seed)
    count = len(outer.train.labels)
    left = dataclasses.replace(
        training,
        inputs=outer.train.inputs,
        labels=np.asarray(outer.train.labels),
        classes=outer.classes[: outer.num_seen],
        splits={"train": np.arange(count)},
        validation_classes=None,
    )
    return outer, data.validation_tasks(left, folds=DRAWS, seed=seed)


def datasets(folders: list[str], archives: list[str]):
    """Yields name, what follows the recipe's name, and the config keys of the datasets at hand."""
    from zsl_jax.data import npz, xlsa17

    yield "digits", "digits", {}
    yield "shapes", "shapes", {}
    for archive in archives:
        for semantics in sorted(set(npz.semantics_in(archive)) - {"names"}):  # which a text tower reads
            overrides = {"data.file": archive, "data.semantics": semantics}
            yield f"{pathlib.Path(archive).stem}_{semantics}", "npz", overrides
    for folder in folders:
        for semantics in xlsa17.semantics_in(xlsa17.find_folder(folder)):
            argument = "xlsa17,sent" if semantics == "sent" else "xlsa17"
            overrides = {"data.dir": folder, "data.semantics": semantics}
            yield f"{pathlib.Path(folder).resolve().name}_{semantics}", argument, overrides


def run(arguments) -> None:
    from zsl_jax import data
    from zsl_jax.training import files, problems
    from zsl_jax.verbs import command_line

    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    training = {}
    for seed, (name, argument, overrides) in itertools.product(
        range(OUTER), list(datasets(arguments.folder, arguments.archive))
    ):
        if arguments.rows and name not in arguments.rows:
            continue
        for method in arguments.methods or METHODS:
            key = f"{name}/{method}/{seed}"
            if key in found and "settings" in found[key]:
                continue
            recipe = f"configs/{method}.py:{argument}"
            if name not in training:
                config = command_line.recipe(str(ROOT / recipe), overrides)
                training[name] = data.training_part(problems.load_data(config))
            began = time.process_time()
            found[key] = study(recipe, overrides, training[name], seed)
            print(f"{key}: {time.process_time() - began:.0f} s, best {found[key]['best']}", flush=True)
            files.write_text(RESULT, json.dumps(found, separators=(",", ":")).replace("},", "},\n") + "\n")


def table() -> None:
    """Writes the rules' mean outer figures, and the regrets, into the page."""
    found = json.loads(RESULT.read_text())
    rules = [rule for rule in next(iter(found.values())) if rule not in ("best", "settings")]
    rows = []
    for rule in rules:
        figures = np.array([each[rule] for each in found.values()])
        lost = np.array([each["best"][2] for each in found.values()]) - figures[:, 2]
        rows.append((rule, *100 * figures.mean(axis=0), 100 * lost.mean(), 100 * np.quantile(lost, 0.9)))
    rows.sort(key=lambda row: -row[3])
    lines = ["| settings and epoch by | draws | gamma | ZSL | AUSUC | cal. H | below the best H | in the worst tenth |"]
    lines += ["|:--|--:|:--|--:|--:|--:|--:|--:|"]
    for rule, *figures in rows:
        lines.append(f"| {' | '.join(rule.split('/'))} | " + " | ".join(f"{x:.1f}" for x in figures) + " |")
    kinds = {key.split("/")[0] for key in found}, {key.split("/")[1] for key in found}
    said = f"{len(found)} studies, of {len(kinds[1])} recipes on {len(kinds[0])} datasets; means over all of them.\n\n"
    _write("study", said + "\n".join(lines) + "\n")
    _write("regret", _regret(found))


def _regret(found: dict) -> str:
    """What a recipe loses that was settled on the other datasets, against the sweep on the dataset itself."""
    of_method: dict[str, dict[str, np.ndarray]] = {}
    for key, each in found.items():
        name, method, seed = key.split("/")
        if "settings" in each and seed == "0":
            of_method.setdefault(method, {})[name] = np.array(each["settings"])
    names = list(dict.fromkeys(name for each in of_method.values() for name in each))
    lines = [f"| recipe | {' | '.join(names)} |", "|:--|" + "--:|" * len(names)]
    for method, of_dataset in of_method.items():
        cells = []
        for name in names:
            others = [x[:, 0] - x[:, 0].max() for other, x in of_dataset.items() if other != name]
            if name not in of_dataset or not others:
                cells.append("")
                continue
            here = of_dataset[name]
            swept, given = here[np.argmax(here[:, 0])], here[np.argmax(np.mean(others, axis=0))]
            zsl, harmonic = 100 * (swept - given)[[1, 3]]
            cells.append(f"{zsl:+.1f} / {harmonic:+.1f}")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _write(name: str, text: str) -> None:
    """Puts a text between the marks of its name in the page."""
    begin, end = BEGIN.format(name), END.format(name)
    before, rest = PAGE.read_text().split(begin)
    PAGE.write_text(before + begin + text + end + rest.split(end)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="datasets (default: all)")
    parser.add_argument("--folder", action="append", default=[], help="benchmark in the xlsa17 layout")
    parser.add_argument("--archive", action="append", default=[], help="your own features, .npz")
    parser.add_argument("--methods", nargs="*", help="recipes (default: all)")
    parser.add_argument("--table", action="store_true", help="only write the table")
    arguments = parser.parse_args()
    if not arguments.table:
        run(arguments)
    table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
