"""Runs the zoo of methods on all datasets and writes docs/results.md and docs/leaderboard.html: a row per recipe.

    python docs/make_results.py --folder=FOLDER --archive=FILE    # everything that has no record yet
    python docs/make_results.py --folder=FOLDER CUB127_att/sje    # some of it
    python docs/make_results.py --folder=FOLDER --text=TOWER --tie=TIE.npz    # and towers
    python docs/make_results.py --dry_run                         # says what it would run

FOLDER is a benchmark in the xlsa17 layout (the published figures stand beside ours where it is a standard one), FILE
an archive in the layout of `zsl_jax/data/npz.py`; either may be given several times. The datasets that the library
carries are always run. The recipes hold knobs that were chosen on the validation classes of CUB127, or published for
CUB, and are run on it as they are; for the other datasets knobs are chosen as by `python -m zsl_jax sweep`. What the
recipe zero_shot stands beside them, by a text tower whose tie to the features of the first columns is given (`named`)
or fitted on the seen classes (`tied`); texts and names of attributes are those of the benchmark's classes. What the
seeds of a row have in common is loaded and compiled once; each seed draws its own validation classes, or the images
that are held out beside them. Runs stay in runs/results and are resumed; docs/results/DATASET/RECIPE/record.json
holds a row's seeds, and is committed.
"""

import argparse
import dataclasses
import inspect
import json
import os
import pathlib
import shlex
import shutil
import statistics
import sys

from zsl_jax.data import npz, xlsa17

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ROOT / "docs" / "results"
RUNS = ROOT / "runs" / "results"
SEEDS = 5
# The benchmark that the knobs in the recipes are for.
HOME = "CUB127"
# Adversarial and variational methods, at many times the cost of the others.
GENERATIVE = ("cada_vae", "f_clswgan", "lsrgan", "cizsl", "tf_vaegan", "ce_gzsl")
SEEDS_OF_GENERATIVE = 3
# By processor time, cheapest first; recipes that are not named here come last.
CHEAPEST = (
    *("eszsl", "ridge", "sae", "sae_to_attributes", "gfzsl", "softmax", "ale", "sje", "devise", "conse", "dap", "sync"),
    *("sse", "latem", "iap", "cmt", "ale_learned", "cmt_novelty", "semantic_consistency", "ale_sgd", "dem", "psr"),
    *("minimax", "relation_net"),
    # Around another method.
    *(
        "csls",
        "inverted_softmax",
        "sinkhorn_balancing",
        "label_propagation",
        "information_maximization",
        "transclip",
        "online_gaussians",
    ),
)


# How a text tower describes the classes of a benchmark: keys, with the options of this script in capitals.
SENTENCES = {
    "names": {},
    "texts": {"towers.by": "texts", "towers.texts": "TEXTS", "towers.missing": "names"},
    "attributes": {"towers.by": "attributes", "towers.attributes": "ATTRIBUTES"},
}
PRETRAINED = {"protocol": "gzsl", "select.metric": "harmonic", "method.centre": "training"}


def recipes() -> list[str]:
    """Returns the recipes of methods on vectors: none with an encoder or a tower."""
    from zsl_jax.verbs import command_line

    found = []
    for path in sorted((ROOT / "configs").glob("*.py")):
        config = command_line.load_recipe(f"{path}:digits")
        of_pairs = command_line.load_recipe(str(path)).protocol == "pairs"
        own = config.protocol == "gzsl" and not of_pairs and not {"encoder", "towers"} & set(config)
        if own and config.data.name == "digits":
            found.append(path.stem)
    place = {name: number for number, name in enumerate((*CHEAPEST, *sorted(set(found) - {*CHEAPEST, *GENERATIVE})))}
    return sorted(found, key=lambda name: place.get(name, len(place)))


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: where its record goes, the recipe, and the config keys that say which data.

    The knobs are those of the recipe, or `swept`: chosen on validation classes among those that its sweep() names. Of a
    row that is `tied` a tie is fitted first.
    """

    name: str
    recipe: str
    overrides: dict[str, str]
    swept: bool
    seeds: tuple[int, ...]
    tied: bool = False

    @property
    def record(self) -> pathlib.Path:
        return RECORDS / self.name / "record.json"

    @property
    def workdir(self) -> pathlib.Path:
        return RUNS / self.name

    def commands(self) -> list[str]:
        verb, workdir = ["python", "-m", "zsl_jax"], self.workdir.relative_to(ROOT)
        changes = [f"--config={self.recipe}", *(f"--config.{key}={value}" for key, value in self.overrides.items())]
        first = [shlex.join([*verb, *self.fit()])] if self.tied else []
        if self.swept:
            seeds = f"--config.sweep.seeds={len(self.seeds)}"
            return [shlex.join([*verb, "sweep", *changes, seeds, f"--workdir={workdir}"])]
        return first + [
            shlex.join([*verb, "train", *changes, f"--config.seed={seed}", f"--workdir={workdir}/seed_{seed}"])
            for seed in self.seeds
        ]

    def fit(self) -> list[str]:
        """Returns the words of the line that fits the tie, to its file below the root."""
        kept = {key: value for key, value in self.overrides.items() if key != "towers.tie" and key not in PRETRAINED}
        changes = [f"--config={self.recipe}", *(f"--config.{key}={value}" for key, value in kept.items())]
        return ["tie", *changes, f"--out={self.overrides['towers.tie']}"]


def rows(folders: list[str], archives: list[str], places: dict[str, str] | None = None) -> list[Row]:
    """Returns the rows of the datasets that are at hand, those of one dataset together.

    Args:
      folders: benchmarks.
      archives: of features.
      places: `text` and `tie` of a text tower, `texts` and `attributes` of the classes; what lacks one has no rows.
    """
    found, places = [], places or {}

    def add_towers(dataset: str, argument: str, overrides: dict[str, str], ways: tuple[str, ...]) -> None:
        recipe, seeds = f"configs/zero_shot.py:{argument}", tuple(range(SEEDS))
        for tied, way in ((tied, way) for tied in (False, True) for way in ways):
            given = SENTENCES[way].items()
            described = {key: places.get(value.lower(), value) if value.isupper() else value for key, value in given}
            name = f"{dataset}_sentences/{'tied' if tied else 'named'}_{way}"
            tie = f"{RUNS.relative_to(ROOT)}/{name}.npz" if tied else places.get("tie")
            if "text" not in places or not tie or {"TEXTS", "ATTRIBUTES"} & {*described.values()}:
                continue
            columns = {} if tied else {"towers.columns": "0:1280"}
            keys = overrides | {"towers.text": places["text"]} | described | columns | PRETRAINED
            found.append(Row(name, recipe, keys | {"towers.tie": tie}, False, seeds, tied))

    def add(dataset: str, argument: str, overrides: dict[str, str], *, swept: bool) -> None:
        for method in recipes():
            if method.endswith("_published") and (swept or argument != "xlsa17"):
                continue  # its knobs are for birds and their attributes
            recipe = f"configs/{method}.py:{argument}"
            seeds = tuple(range(SEEDS_OF_GENERATIVE if method in GENERATIVE else SEEDS))
            # The generative recipes are run as they are: each setting would cost what all other methods do together.
            found.append(Row(f"{dataset}/{method}", recipe, overrides, swept and method not in GENERATIVE, seeds))

    for folder in folders:
        path = xlsa17.find_folder(folder)
        for semantics in xlsa17.semantics_in(path):
            argument = "xlsa17,sent" if semantics == "sent" else "xlsa17"
            overrides = {"data.dir": folder, "data.semantics": semantics}
            name = path.resolve().name
            add(f"{name}_{semantics}", argument, overrides, swept=name != HOME)
        add_towers(path.resolve().name, "xlsa17", {"data.dir": folder}, tuple(SENTENCES))
    for archive in archives:
        for semantics in sorted(set(npz.semantics_in(archive)) - {"names"}):  # which a text tower reads
            overrides = {"data.file": archive, "data.semantics": semantics}
            add(f"{pathlib.Path(archive).stem}_{semantics}", "npz", overrides, swept=True)
        unseen = str(inspect.signature(npz.load).parameters["num_unseen"].default)
        add_towers(pathlib.Path(archive).stem, "npz", {"data.file": archive, "data.num_unseen": unseen}, ("names",))
    add("digits", "digits", {}, swept=True)
    add("shapes", "shapes", {}, swept=True)
    return found


def run(row: Row) -> None:
    """Runs all seeds of a row and writes its record."""
    from zsl_jax import __main__
    from zsl_jax.training import files, problems, record, searching, sweeps
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    overrides = dict(row.overrides)
    if row.tied:
        overrides["towers.tie"] = str(ROOT / overrides["towers.tie"])
        row.workdir.parent.mkdir(parents=True, exist_ok=True)
        if __main__.main([*row.fit()[:-1], f"--out={overrides['towers.tie']}"]):
            sys.exit(f"{row.name}: the tie was not fitted")
    base = command_line.recipe(str(ROOT / row.recipe), overrides)
    setting = {}
    if row.swept:
        space = command_line.load_module(str(ROOT / row.recipe)).sweep()
        trials = searching.search(base, space, row.workdir, say=lambda line: print(f"{row.name}: {line}", flush=True))
        setting = max(trials, key=lambda trial: trial[base.select.metric])["setting"]
    problem, records = None, []
    for seed in row.seeds:
        workdir = row.workdir / f"seed_{seed}"
        if not (workdir / "record.json").exists():
            config = sweeps.overridden(base, setting | {"seed": seed})
            problem = problems.make_problem(config) if problem is None else problem
            running.run(config, workdir, problem=problem, say=lambda line: None)
        records.append(json.loads((workdir / "record.json").read_text()))
    row.record.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(row.record, json.dumps(record.merged(records), separators=(",", ":")) + "\n")
    zsl = statistics.fmean(entry["metrics"]["zsl"]["top1"] for entry in records)
    seconds = statistics.fmean(entry["timing"]["train_s"] for entry in records)
    print(f"{row.name}: ZSL {zsl:.3f}, {seconds:.1f} s per run {setting}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="DATASET/RECIPE or DATASET (default: all)")
    parser.add_argument("--folder", action="append", default=[], help="benchmark in the xlsa17 layout")
    parser.add_argument("--archive", action="append", default=[], help="your own features, .npz")
    for name, says in (("text", "folder of a text tower"), ("tie", "file that ties it to the first 1,280 features")):
        parser.add_argument(f"--{name}", default="", help=says)
    parser.add_argument("--texts", default="", help="JSON file of texts on the classes of the benchmark")
    parser.add_argument("--attributes", default="", help="text file of the names of its attributes")
    parser.add_argument("--dry_run", action="store_true", help="only say what would be run")
    arguments = parser.parse_args()
    places = {name: getattr(arguments, name) for name in ("text", "tie", "texts", "attributes")}
    wanted = rows(arguments.folder, arguments.archive, {name: place for name, place in places.items() if place})
    if arguments.rows:
        wanted = [row for row in wanted if {row.name, row.name.split("/")[0]} & set(arguments.rows)]
    for row in wanted:
        if arguments.dry_run:
            print("\n".join(row.commands()))
        elif not row.record.exists():
            run(row)
    out = RUNS / "report"
    report = ["report", str(RECORDS.relative_to(ROOT)), f"--out={out.relative_to(ROOT)}"]
    if arguments.dry_run:
        print(shlex.join(["python", "-m", "zsl_jax", *report]))
        return 0
    from zsl_jax import __main__ as verbs

    os.chdir(ROOT)
    code = verbs.main(report)
    if not code:
        shutil.copyfile(out / "results.md", RECORDS.with_suffix(".md"))
        shutil.copyfile(out / "leaderboard.html", RECORDS.with_name("leaderboard.html"))
    return code


if __name__ == "__main__":
    sys.exit(main())
