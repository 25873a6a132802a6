"""Writes the figures of docs/prompts.md: prompts learned before a frozen text tower.

    python docs/make_prompts.py --text=TOWER --tie=TIE.npz --clothes=FILE.npz       # runs what docs/prompts.json lacks
    python docs/make_prompts.py --text=TOWER --tie=TIE.npz --groceries=FILE.npz
    python docs/make_prompts.py --text=TOWER --tie=TIE.npz --birds=IMAGES --weights=MOBILENET.npz --texts=TEXTS.json
    python docs/make_prompts.py                                                     # only writes the tables

The clothes are the archive of docs/pairs.md. The groceries have `features`, `coarse [N]`, `coarse_names [43]`, `split`.
The birds are images in a folder per class, TEXTS.json phrases on each. Their patches stay in runs/prompts.
Nothing is chosen: the number of epochs is fixed, and knobs are at their defaults.
"""

import argparse
import json
import pathlib
import runpy
import sys
import tempfile
import types

import numpy as np

DOCS = pathlib.Path(__file__).resolve().parent
MEASURING = types.SimpleNamespace(**runpy.run_path(str(DOCS / "measuring.py")))
RECORD, PAGE = DOCS / "prompts.json", DOCS / "prompts.md"
PAIRS = {
    "hand-written": ("hand_prompt", {}),
    "CoOp": ("coop", {}),
    "CSP": ("csp", {}),
}
CLASSES = {
    "hand-written": ("hand_prompt", {}),
    "CoOp": ("coop", {}),
    "CoOp, pull 8": ("coop", {"method.pull": "8.0"}),
    "learned names": ("learned_names", {}),
    "linear probe": ("linear_probe", {}),
    "linear probe, decay 1": ("linear_probe", {"method.weight_decay": "1.0"}),
    "Bayesian": ("bayesian_prompts", {}),
    "masked tower": ("masked_tower", {}),
    "CoCoOp": ("cocoop", {"train.batch_size": "16"}),
}
# By descriptions, the classes that are not trained on have theirs.
DESCRIBED = {"towers.by": "texts", "towers.template": "a photo of a {}: {text}."}
GROCERIES = CLASSES | {
    "learned names, from nothing": ("learned_names", {"method.start": "nothing"}),
    "hand-written, descriptions": ("hand_prompt", DESCRIBED),
    "learned names, from a description": ("learned_names", DESCRIBED | {"method.start": "description"}),
}
MOST_SHOTS_ALONE = ("CoCoOp", *(GROCERIES.keys() - CLASSES.keys()))
BIRDS = {
    "hand-written": ("hand_prompt", {}),
    "CoOp": ("coop", {}),
    "two phrases, no attributes": ("attribute_prompts", {"towers.each": "2", "method.weight": "0.0"}),
    "MAP, two phrases": ("attribute_prompts", {"towers.each": "2"}),
}
# Of which the papers say that the first loses less on new classes than the second, or gains there.
CLAIMS = (
    ("CoOp", "hand-written"),
    ("CoOp, pull 8", "CoOp"),
    ("Bayesian", "CoOp"),
    ("MAP, two phrases", "CoOp"),
    ("MAP, two phrases", "two phrases, no attributes"),
)
CALIBRATED = ("CoOp", "Bayesian")
CELLS = 3  # a side
# Pairs: draws of unseen pairs, and seeds of each. Base to new: seeds, which draw the images.
DRAWS, SEEDS_OF_DRAW = 5, 3
SEEDS, SEEDS_OF_BIRDS = 5, 3
SHOTS = (16, 4, 1)
STEPS = 60
SCORES = ("seen", "unseen", "harmonic", "auc")


def run(found: dict, key: str, recipe: str, overrides: dict[str, str]):
    """Adds a run's metrics to `found`, and writes them; returns its config and result."""
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    config = command_line.recipe(
        f"{DOCS.parent / 'configs' / recipe.partition(':')[0]}.py:{recipe.partition(':')[2]}", overrides
    )
    with tempfile.TemporaryDirectory() as workdir:
        result = running.run(config, pathlib.Path(workdir) / "run", say=lambda line: None)
    found[key] = _rounded(result.record["metrics"] | _calibration_errors(config, result))
    RECORD.write_text(json.dumps(found, indent=0) + "\n")
    print(key, found[key], flush=True)
    return config, result


def _calibration_errors(config, result) -> dict[str, dict[str, float]]:
    """How far the confidence of base to new is from being right, at the temperature of the loss; nothing is fitted."""
    from zsl_jax import metrics
    from zsl_jax.training import evaluation, parallel, protocols

    if config.protocol != "base_to_new" or result.method.update is None:
        return {}
    of_probabilities = "other candidates" in result.method.sees
    temperature = np.array([1.0 if of_probabilities else 1 / config.method.scale], np.float32)
    given = {"protocol": protocols.BASE_TO_NEW}
    score = evaluation.make_evaluate(result.method, result.task, parallel.make_mesh(), **given).score
    asked = {
        name: protocols.base.probabilities(rows, temperature) for name, rows in score(result.state, temperature).items()
    }
    errors = {
        name: float(metrics.calibration_error(np.exp(found.predicted[:, 0]), found.correct))
        for name, found in asked.items()
    }
    return {"calibration_error": errors}


def _rounded(tree):
    return {k: _rounded(v) for k, v in tree.items()} if isinstance(tree, dict) else round(tree, 4)


def clothes(found: dict, file: str, towers: dict[str, str]) -> None:
    fixed = {"data.file": file, "data.unseen_count": "2", "select.on": "nothing", "train.epochs": "6", "plots": "none"}
    for seed in range(SEEDS_OF_DRAW):
        for draw in range(DRAWS):
            for name, (method, knobs) in PAIRS.items():
                key = f"clothes/{name}/{draw}/{seed}"
                if key not in found and (method != "hand_prompt" or seed == 0):
                    overrides = fixed | towers | knobs | {"data.seed": str(draw), "seed": str(seed)}
                    run(found, key, f"{method}:pairs", overrides)


def words(found: dict, file: str, towers: dict[str, str]) -> None:
    """Adds the words of the tower that are nearest to the learned vectors, of the first run of CSP."""
    from zsl_jax.training import learned_words, problems

    fixed = {"data.file": file, "data.unseen_count": "2", "select.on": "nothing", "train.epochs": "6", "plots": "none"}
    config, result = run(found, "clothes/CSP/0/0", "csp:pairs", fixed | towers | {"data.seed": "0", "seed": "0"})
    nearest = learned_words.nearest(config, result.state, result.task.classes, problems.load_data(config), count=4)
    found["words"] = {name: [[word, round(cosine, 2)] for word, cosine in near] for name, near in nearest.items()}
    RECORD.write_text(json.dumps(found, indent=0) + "\n")


def words_table(found: dict) -> str:
    """The nearest words with their cosines."""
    lines = ["| name | nearest words to its learned vector, cosine |", "|---|---|"]
    for name, near in found.get("words", {}).items():
        lines.append(f"| {name} | {', '.join(f'{word} {cosine:.2f}' for word, cosine in near)} |")
    return "\n".join(lines)


def groceries(found: dict, file: str, towers: dict[str, str]) -> None:
    held = np.load(file)
    named = {"features": held["features"], "labels": held["coarse"], "split": held["split"]}
    # Of a class what the shop says of its groceries.
    texts: dict[str, list[str]] = {}
    for fine, coarse in sorted(set(zip(held["labels"].tolist(), held["coarse"].tolist()))):
        texts.setdefault(str(held["coarse_names"][coarse]), []).append(str(held["descriptions"][fine]).rstrip("."))
    with tempfile.TemporaryDirectory() as folder:
        (place := pathlib.Path(folder) / "texts.json").write_text(json.dumps(texts))
        given = towers | {"towers.texts": str(place)}
        base_to_new(found, "groceries", named | {"class_names": held["coarse_names"]}, given, prompts=GROCERIES)


def clothes_as_classes(found: dict, file: str, towers: dict[str, str]) -> None:
    """The pairs of clothes as classes of two words each."""
    held = np.load(file)
    pairs = np.char.add(np.char.add(held["attribute"], " "), held["object"])
    names, labels = np.unique(pairs, return_inverse=True)
    base_to_new(
        found, "clothes_as_classes", {"features": held["features"], "labels": labels, "class_names": names}, towers
    )


def birds(found: dict, images: str, weights: str, texts: str, towers: dict[str, str]) -> None:
    """Images in cells, for prompts that look at patches; for the others the mean of an image's cells."""
    held = _cells(pathlib.Path(images), weights)
    whole = held | {"features": held["features"].mean(axis=1, dtype=np.float32)}
    asked = {"shots": SHOTS[:1], "seeds": SEEDS_OF_BIRDS}
    for name, prompt in BIRDS.items():
        of_patches = prompt[0] == "attribute_prompts"
        given = towers | ({"towers.texts": texts} if of_patches else {})
        base_to_new(found, "birds", held if of_patches else whole, given, prompts={name: prompt}, **asked)


def _cells(images: pathlib.Path, weights: str) -> dict[str, np.ndarray]:
    """The features of the cells of all images, by MobileNetV2; made once."""
    from zsl_jax.encoders import extraction
    from zsl_jax.recipes import extraction as recipes
    from zsl_jax.verbs import command_line

    kept = DOCS.parent / "runs" / "prompts" / f"birds_{CELLS}.npz"
    if not kept.exists():
        config = command_line.load_recipe(str(DOCS.parent / "configs" / "extract" / "mobilenet_v2.py"))
        config.encoder.weights, config.grid = weights, CELLS
        extractor = extraction.load(recipes.make_extraction(config))
        folders = sorted(path for path in images.iterdir() if path.is_dir())
        files = [sorted(folder.iterdir()) for folder in folders]
        features = np.array(list(extractor.files([path for some in files for path in some])), np.float16)
        labels = np.repeat(np.arange(len(folders)), list(map(len, files)))
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, features=features, labels=labels, class_names=np.array([folder.name for folder in folders]))
    with np.load(kept) as held:
        return dict(held)


def base_to_new(
    found: dict,
    data: str,
    held: dict[str, np.ndarray],
    towers: dict[str, str],
    *,
    prompts: dict = CLASSES,
    shots: tuple[int, ...] = SHOTS,
    seeds: int = SEEDS,
) -> None:
    """Adds the runs of every prompt, number of images and seed: the first half of the classes trained, the last new."""
    names = held["class_names"]
    half = len(names) // 2
    base = len(names) - half
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / f"{data}.npz"
        np.savez(archive, **held)
        fixed = {
            "data.file": str(archive),
            "data.num_unseen": str(half),
            "data.held_out": "last",
            "protocol": "base_to_new",
            "select.on": "nothing",
            "train.batch_size": "64",
            "plots": "none",
        }
        # CoCoOp, which takes by far the longest, comes last.
        order = [(s, k, name) for k in shots for s in range(seeds) for name in prompts if name not in MOST_SHOTS_ALONE]
        alone = [name for name in MOST_SHOTS_ALONE if name in prompts]
        order += [(s, shots[0], name) for name in sorted(alone, key="CoCoOp".__eq__) for s in range(seeds)]
        for seed, number, name in order:
            (method, knobs), key = prompts[name], f"{data}/{name}/{number}/{seed}"
            if key in found and ("calibration_error" in found[key] or not _wants_error(name, number)):
                continue
            overrides = fixed | towers | knobs | {"few_shot.of_seen": str(number), "seed": str(seed)}
            per_epoch = -(-base * number // int(overrides["train.batch_size"]))
            run(found, key, f"{method}:npz", overrides | {"train.epochs": str(max(1, STEPS // per_epoch))})


def _wants_error(name: str, number: int) -> bool:
    """Whether the table of calibration errors has this run; those of before it came lack the error."""
    return name in CALIBRATED and number == max(SHOTS)


def pairs_table(found: dict) -> str:
    """Means over draws and seeds, with the 95 % interval of a mean over the draws."""
    lines = ["| world | prompt | S | U | H | AUC | runs |", "|---|---|---|---|---|---|---|"]
    for world in ("closed", "open"):
        for name in PAIRS:
            of_draw = [_of(found, f"clothes/{name}/{draw}/", ("pairs", world)) for draw in range(DRAWS)]
            if all(of_draw):
                cells = [_cell([np.mean([run[s] for run in runs]) for runs in of_draw]) for s in SCORES]
                lines.append(f"| {world} | {name} | {' | '.join(cells)} | {sum(map(len, of_draw))} |")
    gains = [_gain(found, "CSP", other) for other in ("hand-written", "CoOp")]
    return "\n".join([*lines, "", *filter(None, gains)])


def _gain(found: dict, name: str, other: str) -> str:
    """The difference of two prompts on the same draws."""
    auc = [
        [[run["auc"] for run in _of(found, f"clothes/{each}/{d}/", ("pairs", "closed"))] for d in range(DRAWS)]
        for each in (name, other)
    ]
    both = [np.mean(mine) - np.mean(theirs) for mine, theirs in zip(*auc) if mine and theirs]
    return f"AUC of {name} minus that of {other}, {len(both)} draws: {_cell(both)}." if both else ""


def classes_table(found: dict, data: str, prompts: dict = CLASSES) -> str:
    """Means over seeds, with the 95 % interval of a mean over them."""
    lines = ["| shots | prompt | base | new | H | H among all | seeds |", "|---|---|---|---|---|---|---|"]
    for shots in sorted(SHOTS):
        for name in prompts:
            runs = _of(found, f"{data}/{name}/{shots}/", ("base_to_new",))
            if runs:
                values = [[run[s] for run in runs] for s in ("base", "new", "harmonic")]
                values.append([run["all"]["harmonic"] for run in runs])
                lines.append(f"| {shots} | {name} | {' | '.join(map(_cell, values))} | {len(runs)} |")
    gains = [_new_classes(found, data, name, other) for name, other in CLAIMS if {name, other} <= prompts.keys()]
    return "\n".join([*lines, "", *filter(None, gains)]).rstrip()


def calibration_table(found: dict) -> str:
    """Calibration error beside accuracy, with the most images, on the seeds that both prompts have."""
    lines = [
        "| data | prompt | base: error | base | new: error | new | all: error | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for data in ("groceries", "clothes_as_classes"):
        keys = {name: [f"{data}/{name}/{max(SHOTS)}/{seed}" for seed in range(SEEDS)] for name in CALIBRATED}
        seeds = [s for s in range(SEEDS) if all("calibration_error" in found.get(keys[name][s], {}) for name in keys)]
        for name in CALIBRATED:
            runs = [found[keys[name][seed]] for seed in seeds]
            if len(runs) > 1:
                error, right = ([run[part] for run in runs] for part in ("calibration_error", "base_to_new"))
                columns = ((error, "base"), (right, "base"), (error, "new"), (right, "new"), (error, "all"))
                cells = [_cell([run[side] for run in part]) for part, side in columns]
                lines.append(f"| {data.replace('_', ' ')} | {name} | {' | '.join(cells)} | {len(runs)} |")
    return "\n".join(lines)


def _new_classes(found: dict, data: str, name: str, other: str) -> str:
    """The difference of two prompts on new classes with the most images, on the same seeds."""
    shots = max(SHOTS)
    both = [
        [
            found[key]["base_to_new"]["new"]
            for each in (name, other)
            if (key := f"{data}/{each}/{shots}/{seed}") in found
        ]
        for seed in range(SEEDS)
    ]
    gains = [pair[0] - pair[1] for pair in both if len(pair) == 2]
    if not gains:
        return ""
    return f"New classes, {name} minus {other}, {shots} images, {len(gains)} seeds: {_cell(gains)}."


def _of(found: dict, prefix: str, path: tuple[str, ...]) -> list[dict]:
    runs = [value for key, value in found.items() if key.startswith(prefix)]
    for name in path:
        runs = [run[name] for run in runs]
    return runs


def _cell(values: list[float]) -> str:
    """The mean in percent, and half the width of its interval by Student's t."""
    return MEASURING.cell(100 * np.array(values))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("text", "tie", "clothes", "groceries", "birds", "weights", "texts"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    towers = {"towers.text": given.text, "towers.tie": given.tie}
    if given.clothes:
        clothes(found, given.clothes, towers)
        if "words" not in found:
            words(found, given.clothes, towers)
        clothes_as_classes(found, given.clothes, towers)
    if given.groceries:
        groceries(found, given.groceries, towers)
    if given.birds:
        birds(found, given.birds, given.weights, given.texts, towers)
    PAGE.write_text(page(PAGE.read_text(), found))
    return 0


def page(text: str, found: dict) -> str:
    """Returns the page with its tables between the lines that name them."""
    tables = {"clothes": pairs_table(found), "words": words_table(found)}
    tables |= {"groceries": classes_table(found, "groceries", GROCERIES), "calibration": calibration_table(found)}
    tables["clothes_as_classes"] = classes_table(found, "clothes_as_classes")
    tables["birds"] = classes_table(found, "birds", BIRDS)
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    sys.exit(main())
