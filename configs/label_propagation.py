r"""Label propagation, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/label_propagation.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/label_propagation
    python -m zsl_jax train --config=configs/label_propagation.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/label_propagation_sent

About a minute per run on CUB127, 2 CPU cores; its figures are not measured yet. Knobs and gamma are chosen on
validation classes.

Reference: Zhou, Bousquet, Lal, Weston, Schoelkopf, "Learning with Local and Global Consistency", NeurIPS 2003.
"""

from zsl_jax.recipes import around


def get_config(argument=None, scorer="eszsl"):
    config = around.around("label_propagation", argument, scorer)
    config.late.temperature = (0.1, 0.3, 0.6)
    config.late.pull = (0.5, 0.8, 0.95)
    config.late.seen_penalty = (0.0, 0.5, 1.0, 2.0)
    return config


def sweep():
    return {"scorer.feature_ridge": (0.3, 1.0, 3.0), "scorer.class_ridge": (0.1, 1.0, 3.0)}
