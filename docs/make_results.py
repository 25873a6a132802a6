"""Runs the zoo of methods on all datasets and writes docs/results.md: a row a recipe, mean and deviation over seeds.

    python docs/make_results.py --cub=FOLDER --groceries=FILE             # everything that has no record yet
    python docs/make_results.py --cub=FOLDER CUB127_att/sje digits/ale    # some of it
    python docs/make_results.py --dry_run                                 # says what it would run

FOLDER is a benchmark in the xlsa17 layout, FILE features in the layout of `zsl_jax/data/npz.py`; without them the
datasets that the library carries are run. Each run is that of `python -m zsl_jax train`, with its seed; what a dataset,
a method and its five seeds have in common is loaded and compiled once. Runs stay in runs/results and are resumed;
docs/results/DATASET/RECIPE/record.json holds what the table needs of the seeds of a row, and is committed.
"""

import argparse
import dataclasses
import json
import pathlib
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ROOT / "docs" / "results"
RUNS = ROOT / "runs" / "results"
SEEDS = 5
# Nothing in these is random on given validation classes but the held-out images that gamma is chosen on.
CLOSED = ("eszsl", "ridge", "sae", "gfzsl")
# By processor time, cheapest first.
METHODS = (
    *("eszsl", "ridge", "gfzsl", "sae", "softmax", "ale", "sje", "devise", "conse", "dap", "sync", "sse", "latem"),
    *("iap", "cmt", "ale_learned", "cmt_novelty", "semantic_consistency", "ale_sgd", "dem", "psr"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: where its record goes, the recipe, and the config keys that say which data."""

    name: str
    recipe: str
    overrides: dict[str, str]
    seeds: tuple[int, ...]

    @property
    def record(self) -> pathlib.Path:
        return RECORDS / self.name / "record.json"

    def workdir(self, seed: int) -> pathlib.Path:
        return RUNS / self.name / f"seed_{seed}"

    def command(self, seed: int) -> str:
        changes = [f"--config.{key}={value}" for key, value in {**self.overrides, "seed": str(seed)}.items()]
        workdir = f"--workdir={self.workdir(seed).relative_to(ROOT)}"
        return shlex.join(["python", "-m", "zsl_jax", "train", f"--config={self.recipe}", *changes, workdir])


def rows(cub: str | None, groceries: str | None) -> list[Row]:
    """Returns the rows of the datasets that are at hand, those of one dataset together."""
    found = []

    def add(dataset: str, suffix: str, argument: str, overrides: dict[str, str]) -> None:
        for method in METHODS:
            recipe = f"configs/{method}{suffix}.py:{argument}"
            seeds = (0,) if method in CLOSED else tuple(range(SEEDS))
            found.append(Row(f"{dataset}/{method}", recipe, overrides, seeds))

    if cub:
        name = pathlib.Path(cub).resolve().name
        add(f"{name}_att", "", "xlsa17", {"data.dir": cub})
        add(f"{name}_sent", "_sentences", "xlsa17", {"data.dir": cub})
    if groceries:
        name = pathlib.Path(groceries).stem
        for semantics in ("hierarchy", "descriptions", "iconic"):
            add(f"{name}_{semantics}", "", "npz", {"data.file": groceries, "data.semantics": semantics})
    add("digits", "", "digits", {})
    add("shapes", "", "shapes", {})
    return found


def run(row: Row) -> None:
    """Runs all seeds of a row and writes its record."""
    from zsl_jax.training import files, record
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    problem, records = None, []
    for seed in row.seeds:
        done = row.workdir(seed) / "record.json"
        if not done.exists():
            config = command_line.recipe(str(ROOT / row.recipe), row.overrides | {"seed": str(seed)})
            problem = running.make_problem(config) if problem is None else problem
            running.run(config, row.workdir(seed), problem=problem, say=lambda line: None)
        records.append(json.loads(done.read_text()))
    row.record.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(row.record, record.merged(records))
    values = records[0]["metrics"]
    print(f"{row.name}: ZSL {values['zsl']['top1']:.3f}, {records[0]['timing']['train_s']:.1f} s a run", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="DATASET/RECIPE or DATASET (default: all)")
    parser.add_argument("--cub", help="folder in the xlsa17 layout")
    parser.add_argument("--groceries", help="file of features")
    parser.add_argument("--dry_run", action="store_true", help="only say what would be run")
    arguments = parser.parse_args()
    wanted = rows(arguments.cub, arguments.groceries)
    if arguments.rows:
        wanted = [row for row in wanted if {row.name, row.name.split("/")[0]} & set(arguments.rows)]
    for row in wanted:
        if arguments.dry_run:
            print("\n".join(row.command(seed) for seed in row.seeds))
        elif not row.record.exists():
            run(row)
    report = ["report", str(RECORDS), f"--out={RECORDS.parent}"]
    if arguments.dry_run:
        print(shlex.join(["python", "-m", "zsl_jax", *report]))
        return 0
    from zsl_jax import __main__ as verbs

    return verbs.main(report)


if __name__ == "__main__":
    sys.exit(main())
