r"""X

    python -m zsl_jax train --config=configs/tldr.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/tldr

Minutes.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    return around.around("tldr", argument, scorer)


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.3, 1.0, 3.0)}
