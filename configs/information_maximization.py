r"""Information maximisation (PIM, TIM), by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/information_maximization.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/information_maximization
    python -m zsl_jax train --config=configs/information_maximization.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/information_maximization_sent

Some minutes per run on CUB127, 2 CPU cores; docs/transduction.md has the figures. Knobs and gamma are chosen on
validation classes.

Reference: Chiaroni, Dolz, Masud, Mitiche, Ben Ayed, "Parametric Information Maximization for Generalized Category
Discovery", ICCV 2023.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("information_maximization", argument, scorer)
    config.late.temperature = (0.3, 0.6)
    config.late.certainty = (0.3, 1.0)
    config.late.seen_penalty = (0.0, 0.5, 1.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
