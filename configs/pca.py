r"""X

    python -m zsl_jax train --config=configs/pca.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/pca

Minutes.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("pca", argument, scorer)


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.3, 1.0, 3.0)}
