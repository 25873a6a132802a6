r"""Online Gaussians, by default around ESZSL: inputs come one by one, and each is answered at once.

    python -m zsl_jax train --config=configs/online_gaussians.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/online_gaussians
    python -m zsl_jax train --config=configs/online_gaussians.py:xlsa17 --config.data.dir=FOLDER \
        --config.method.order=2 --workdir=runs/online_gaussians_2

Knobs and gamma are chosen on validation classes; about a minute per run, 2 CPU cores. The second line is the same in
another order: docs/transduction.md has figures, and what the order does to them.

Attributes, a minute per run or less, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 72.3 ± 2.0, GZSL 56.4 / 74.0 / 64.0, calibrated 68.2 / 59.6 / 63.6.

Reference: Qian, Hu, "Online Zero-Shot Classification with CLIP", ECCV 2024.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("online_gaussians", argument, scorer)
    # A benchmark comes sorted by class.
    config.method.order = 1
    config.late.temperature = (0.1, 0.3, 1.0)
    config.late.density = (0.0, 10.0, 30.0, 100.0)
    config.late.seen_penalty = (0.0, 0.5, 1.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
