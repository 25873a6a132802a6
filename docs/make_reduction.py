"""Writes the tables of docs/reduction.md: fewer numbers per input before ESZSL, by TLDR and by principal components.

    python docs/make_reduction.py --birds=FOLDER --groceries=FILE.npz    # runs what docs/reduction.json lacks
    python docs/make_reduction.py                                        # only writes the tables

FOLDER is CUB127 in the xlsa17 layout, FILE an archive for the source npz. Draw 0 of the birds has the benchmark's own
unseen classes, the others as many drawn at random (make_transduction.py); of the groceries `data.seed` draws them.
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
RECORD, PAGE = DOCS / "reduction.json", DOCS / "reduction.md"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->\n"
SETS = {"birds": "xlsa17", "groceries": "npz"}
WIDTHS, DRAWS = {"birds": (64,), "groceries": (16, 64)}, {"birds": 1, "groceries": 3}
WAYS = {
    "ESZSL, all numbers": ("eszsl", {}),
    "PCA": ("pca", {}),
    "PCA, whitened": ("pca", {"method.whiten": "True"}),
    "TLDR, random start": ("tldr", {"method.start": "random"}),
    "TLDR": ("tldr", {}),
}
ALONE = next(iter(WAYS))
SCORES = {
    "ZSL": ("zsl", "top1"),
    "cal. H": ("gzsl", "calibrated", "harmonic"),
}
NEAREST = "nearest of its class"


def run(name: str, place: dict[str, str], found: dict, only: str) -> None:
    """Adds to `found` the scores of every way, width and draw that it lacks, and writes them."""
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    redrawn = runpy.run_path(str(DOCS / "make_transduction.py"))["redrawn"]
    for draw in range(DRAWS[name]):
        first = None
        for way, (method, more) in WAYS.items():
            for width in (0,) if way == ALONE else WIDTHS[name]:
                key = f"{name}/{way}/{width}/{draw}"
                if key in found or only not in key:
                    continue
                overrides = place | more | {"plots": "none"}
                overrides |= {"method.dimensions": str(width)} if width else {}
                overrides |= {"data.seed": str(draw), "select.folds": "1"} if name == "groceries" else {}
                config = command_line.recipe(f"{DOCS.parent / 'configs' / method}.py:{SETS[name]}", overrides)
                if first is None:
                    first = problems.make_problem(config)
                    dataset = redrawn(first.dataset, draw) if name == "birds" else first.dataset
                problem = first._replace(dataset=dataset, method=problems.make_method(config))
                with tempfile.TemporaryDirectory() as workdir:
                    folder = pathlib.Path(workdir) / "run"
                    result = running.run(config, folder, problem=problem, say=lambda line: None)
                    found[key] = MEASURING.picked(result.record["metrics"], SCORES) | {
                        NEAREST: nearest(folder, result.task)
                    }
                RECORD.write_text(json.dumps(found, indent=0) + "\n")
                print(key, found[key], flush=True)


def nearest(folder: pathlib.Path, task) -> float:
    """Returns the share of test images of unseen classes whose nearest one, by cosine, is of their class."""
    from zsl_jax import methods
    from zsl_jax.training import trained

    state, test = trained.load(folder).state, task.sets["test_unseen"]
    rows = unit(np.asarray(test.inputs, float))
    if isinstance(state, methods.Viewed):
        rows = unit((rows - np.asarray(state.kept["mean"])) @ np.asarray(state.kept["map"]))
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    labels = np.asarray(test.labels)
    return round(float(np.mean(labels[np.argmax(cosines, axis=1)] == labels)), 4)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def values(found: dict, name: str, way: str, width: int, score: str) -> np.ndarray | None:
    """The scores of all draws in percent; None where one is missing."""
    keys = [f"{name}/{way}/{width}/{draw}" for draw in range(DRAWS[name])]
    if not all(key in found for key in keys):
        return None
    return 100 * np.array([found[key][score] for key in keys])


def table(found: dict, name: str) -> str:
    """Returns the table of a dataset, and below it what TLDR is above both kinds of principal components."""
    columns = (*SCORES, NEAREST)
    lines = [f"| numbers per image | | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for width in (0, *WIDTHS[name]):
        for way in list(WAYS)[1:] if width else (ALONE,):
            cells = [values(found, name, way, width, score) for score in columns]
            if not any(each is None for each in cells):
                lines.append(f"| {width or 'all'} | {way} | {' | '.join(map(MEASURING.cell, cells))} |")
    lines += ["", f"| numbers per image | TLDR minus | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for width in WIDTHS[name]:
        for other in list(WAYS)[1:3]:
            pairs = [[values(found, name, way, width, score) for way in ("TLDR", other)] for score in columns]
            if not any(each is None for pair in pairs for each in pair):
                lines.append(f"| {width} | {other} | {' | '.join(MEASURING.cell(a - b) for a, b in pairs)} |")
    return "\n".join(lines)


def page(text: str, found: dict) -> str:
    """Returns the text of docs/reduction.md with the tables of these figures."""
    for name in SETS:
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{table(found, name)}\n\n{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--birds", help="CUB127 in the xlsa17 layout")
    parser.add_argument("--groceries", help="an archive for the source npz")
    parser.add_argument("--only", default="", help="runs whose key (birds/TLDR/64/0) has this in it")
    given = parser.parse_args()
    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name, key in (("birds", "data.dir"), ("groceries", "data.file")):
        if place := getattr(given, name):
            run(name, {key: place}, found, given.only)
    PAGE.write_text(page(PAGE.read_text(), found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
