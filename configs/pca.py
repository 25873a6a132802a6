"""Principal components of the inputs, by default before ESZSL.

    python -m zsl_jax train --config=configs/pca.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/pca
    python -m zsl_jax sweep --config=configs/pca.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/pca_sweep

`--config.scorer.name` names another method. A minute or two per run on CUB127, two CPU cores; figures beside those of
TLDR at as many numbers are in docs/reduction.md.

Reference: Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", Philosophical Magazine 1901.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("pca", argument, scorer)


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.3, 1.0, 3.0)}
