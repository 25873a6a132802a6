"""Small records of made-up runs, as a run leaves them, for the tests of reading and reporting."""

import json
import pathlib

import numpy as np

CUB_SPLITS = "4562b1f6306e21dca05071b9b070ce2b15ec659826c8cb87e5ea796b3770df21"
IMAGES = 25


def record(method="ale", *, seed=0, right=0.6, setting="inductive", on="validation classes", knobs=None, **dataset):
    """Four seen and four unseen classes of 25 test images; a share `right` (+ seed %) of them is named right."""
    share = right + 0.01 * seed
    correct = {name: round(share * IMAGES) + i % 3 for i, name in enumerate("abcdefgh")}
    per_class = {
        name: {"seen": name > "d", "images": IMAGES, "gzsl_correct": count - 4}
        | ({} if name > "d" else {"zsl_correct": count})
        for name, count in correct.items()
    }
    unseen, seen = (
        float(np.mean([c["gzsl_correct"] / IMAGES for c in per_class.values() if c["seen"] == side]))
        for side in (False, True)
    )
    harmonic = 2 * unseen * seen / (unseen + seen)
    files = {"res101.mat": "a" * 64, "att_splits.mat": "b" * 64}
    return {
        "version": 1,
        "method": method,
        "setting": setting,
        "dataset": {
            "name": "birds",
            "semantics": "att",
            "attributes": "att",
            "split": "PS",
            "benchmark": None,
            "files": files,
            "counts": {"train": 400, "test_seen": 100, "test_unseen": 100, "seen_classes": 4, "unseen_classes": 4},
            **dataset,
        },
        "metrics": {
            "zsl": {"top1": float(np.mean([c["zsl_correct"] / IMAGES for c in per_class.values() if not c["seen"]]))},
            "gzsl": {
                "unseen": unseen,
                "seen": seen,
                "harmonic": harmonic,
                "ausuc": share - 0.1,
                "calibrated": {"gamma": 0.5 + seed / 8, "unseen": share, "seen": share, "harmonic": share},
            },
        },
        "selection": {"on": on, "metric": "harmonic", "epochs": 10 + seed, "gamma": 0.5 + seed / 8},
        "seeds": [seed],
        "per_class": per_class,
        "config": {
            "seed": seed,
            "plots": "story",
            "select": {"metric": "harmonic"},
            "method": {"name": method, "margin": 1.0, **(knobs or {})},
            "data": {"name": "xlsa17", "dir": f"somewhere/{seed}", "semantics": "att"},
        },
        "versions": {"zsl-jax": "0.1.0"},
        "device": "1 x cpu (cpu)",
        "timing": {"train_s": 2.0, "evaluate_s": 0.5, "steps_per_s": 100.0},
    }


def write(folder: pathlib.Path, content) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "record.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
