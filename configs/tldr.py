"""TLDR: neighbours agree on the few numbers that a linear map leaves of an input, by default before ESZSL.

    python -m zsl_jax train --config=configs/tldr.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/tldr
    python -m zsl_jax sweep --config=configs/tldr.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/tldr_sweep

`--config.scorer.name` names another method. A minute or two per run on CUB127, two CPU cores; figures beside those of
principal components of as many numbers are in docs/reduction.md.

Reference: Kalantidis, Lassance, Almazan, Larlus, "TLDR: Twin Learning for Dimensionality Reduction", TMLR 2022.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("tldr", argument, scorer)


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.3, 1.0, 3.0)}
