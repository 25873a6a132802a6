"""Draws docs/prompt_draws.png: the texts of classes under contexts that a Bayesian prompt draws.

    python docs/make_prompt_draws.py --text=TOWER --tie=TIE.npz --clothes=FILE.npz    # trains, and writes the record
    python docs/make_prompt_draws.py                                                  # draws what the record has

The run is that of `clothes_as_classes/Bayesian/16/0` of docs/make_prompts.py, with 60 draws for scoring. Its texts are
projected on the two directions in which they vary most.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
from matplotlib import figure as mpl_figure

DOCS = pathlib.Path(__file__).resolve().parent
RECORD = DOCS / "prompt_draws.json"
PICTURE = RECORD.with_suffix(".png")
DRAWS, STEPS = 60, 60


def run(file: str, towers: dict[str, str]) -> dict:
    """Returns the places of the texts in the plane, by class, and what they are of."""
    import jax

    from zsl_jax.methods.prompts import family
    from zsl_jax.training import problems
    from zsl_jax.training import run as running
    from zsl_jax.verbs import command_line

    held = np.load(file)
    names, labels = np.unique(np.char.add(np.char.add(held["attribute"], " "), held["object"]), return_inverse=True)
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "clothes_as_classes.npz"
        np.savez(archive, features=held["features"], labels=labels, class_names=names)
        given = towers | {
            "data.file": str(archive),
            "data.num_unseen": str(len(names) // 2),
            "data.held_out": "last",
            "protocol": "base_to_new",
            "select.on": "nothing",
            "few_shot.of_seen": "16",
            "train.batch_size": "64",
            "train.epochs": str(STEPS),  # of one step
            "method.test_samples": str(DRAWS),
            "plots": "none",
        }
        config = command_line.recipe(f"{DOCS.parent / 'configs' / 'bayesian_prompts.py'}:npz", given)
        result = running.run(config, pathlib.Path(folder) / "run", say=lambda line: None)
        tower, classes, weights = problems.prompt_tower(config), result.task.classes, result.state["tower"].tree
    texts = np.asarray(jax.jit(result.method.describe)(result.state, classes), float)
    hand = np.asarray(jax.jit(lambda weights: family.hand_written(tower, weights, classes))(weights), float)
    flat = texts.reshape(-1, texts.shape[-1])
    _, values, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return {
        "names": list(classes.names),
        "is_seen": np.asarray(classes.is_seen).tolist(),
        "share": round(float(np.sum(values[:2] ** 2) / np.sum(values**2)), 3),
        "spread": round(float(np.mean(np.exp(np.asarray(result.state["params"]["log_variance"]) / 2))), 4),
        "draws": np.round((texts - flat.mean(axis=0)) @ axes[:2].T, 3).tolist(),
        "hand": np.round((hand - flat.mean(axis=0)) @ axes[:2].T, 3).tolist(),
        "base_to_new": {name: round(result.record["metrics"]["base_to_new"][name], 4) for name in ("base", "new")},
    }


def draw(found: dict) -> mpl_figure.Figure:
    """Returns the draws of each class as dots, their mean with its name, and its text in the template as a cross."""
    from zsl_jax import plots

    figure = mpl_figure.Figure(figsize=(8.5, 6), layout="constrained")
    axes = figure.add_subplot()
    centred = {"ha": "center", "va": "center"}
    for name, is_seen, draws, hand in zip(*(found[key] for key in ("names", "is_seen", "draws", "hand"))):
        draws, colour = np.array(draws), plots.SEEN if is_seen else plots.UNSEEN
        axes.plot(*draws.T, ".", color=colour, alpha=0.35, markersize=5)
        axes.plot(*zip(hand, draws.mean(axis=0)), color=plots.WRONG, linewidth=0.8)
        axes.plot(*hand, "x", color=plots.WRONG, markersize=7)
        edge = (draws[:, 0].mean(), draws[:, 1].max() if is_seen else draws[:, 1].min())
        axes.annotate(name, edge, (0, 10 if is_seen else -10), textcoords="offset points", **centred, color=colour)
    for colour, mark, says in (
        (plots.SEEN, ".", f"a base class under {len(found['draws'][0])} drawn contexts"),
        (plots.UNSEEN, ".", "a new class, likewise"),
        (plots.WRONG, "x", 'in the template, "a photo of a NAME."'),
    ):
        axes.plot([], [], mark, color=colour, label=says)
    axes.set(
        title="texts of classes under contexts that a Bayesian prompt draws",
        xlabel=f"the two directions in which they vary most ({found['share']:.0%} of the variance)",
        xticks=[],
        yticks=[],
        aspect="equal",
    )
    axes.margins(0.1)
    axes.spines[:].set_color("#bbbbbb")
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("text", "tie", "clothes"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args()
    if given.clothes:
        found = run(given.clothes, {"towers.text": given.text, "towers.tie": given.tie})
        RECORD.write_text(json.dumps(found) + "\n")
    elif not RECORD.exists():
        print(f"{RECORD.name} is not there: name --text, --tie and --clothes to make it", file=sys.stderr)
        return 2
    draw(json.loads(RECORD.read_text())).savefig(PICTURE, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main())
