"""Trains two towers on rendered shapes from pixels by every loss, in a reduced form, and writes docs/atlas_pixels.md.

    python docs/make_atlas_pixels.py --train    # trains what docs/atlas_pixels.json lacks, then writes
    python docs/make_atlas_pixels.py            # only writes the table of the page

Reduced to what a CPU does in half a minute per loss: a narrow ConvNet, few epochs, one seed, the knobs at their
defaults, nothing chosen. It says which losses train at all from pixels, and not which one is best.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "atlas_pixels.json"
PAGE = RESULTS.with_suffix(".md")
BEGIN = "## The table\n"  # what stands before it is written by hand
EPOCHS = 10
REDUCED = {
    "encoder.widths": "(16,32)",
    "data.num_per_class": "60",
    "train.epochs": str(EPOCHS),
    "optimizer.decay_epochs": str(EPOCHS),
    "select.on": "nothing",
    "select.every": str(EPOCHS),
    "train.batch_size": "64",
    "plots": "none",
}


def losses() -> list[str]:
    """Returns what `config.method.loss` is for every row: losses that two towers take."""
    from zsl_jax import methods

    texts = {name: name if loss.alone else f"info_nce+0.1*{name}" for name, loss in methods.LOSSES.items()}
    return [text for name, text in texts.items() if not methods.LOSSES[name].axes and not methods.LOSSES[name].kind.raw]


def recipe(text: str):
    """Returns the config of a row."""
    from zsl_jax.verbs import command_line

    return command_line.recipe(f"{ROOT / 'configs' / 'clip_pixels.py'}:shapes", {"method.loss": text, **REDUCED})


def train(text: str, source) -> dict[str, float]:
    """Returns scores on the test split, and the processor time of an epoch."""
    from zsl_jax.training import protocols, sweeps

    config = sweeps.overridden(recipe(text), {"select.on": "test", "select.seeds": 1})
    (task,), _ = protocols.find("gzsl").tasks(source, config)
    trainer = sweeps.Trainer(config, [], (task,))
    begin = time.process_time()
    _, history = trainer.history([{}], 1)
    seconds = (time.process_time() - begin) / EPOCHS
    found = {name: round(float(np.ravel(np.asarray(history[name]))[-1]), 5) for name in ("zsl", "ausuc")}
    return found | {"epoch_seconds": round(seconds, 2)}


def read() -> dict:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def make() -> None:
    """Trains what is not there yet; each row is written as it comes."""
    from zsl_jax.training import problems

    source = problems.load_data(recipe("info_nce"))
    for text in losses():
        results = read()
        if text not in results:
            RESULTS.write_text(json.dumps(results | {text: train(text, source)}, indent=1) + "\n")
            print(text, read()[text], flush=True)


def page(results: dict) -> str:
    """Returns the table, the highest AUSUC first."""
    rows = sorted(results.items(), key=lambda item: -item[1]["ausuc"])
    lines = [
        BEGIN,
        f"{len(rows)} of {len(losses())} losses.\n",
        "| loss | ZSL | AUSUC | an epoch |",
        "|:--|--:|--:|--:|",
    ]
    for text, found in rows:
        lines.append(
            f"| `{text}` | {100 * found['zsl']:.1f} | {100 * found['ausuc']:.1f} | {found['epoch_seconds']:.1f} s |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train what is not there yet")
    if parser.parse_args().train:
        make()
    PAGE.write_text(PAGE.read_text().partition(BEGIN)[0] + page(read()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
