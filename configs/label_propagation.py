r"""Label propagation, by default around ESZSL; `--config.scorer.name` names another method.

    python -m zsl_jax train --config=configs/label_propagation.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/label_propagation
    python -m zsl_jax train --config=configs/label_propagation.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/label_propagation_sent

CUB127 (CUB restricted to 127 classes, MobileNet features); knobs and gamma are chosen on validation classes
(docs/transduction.md). Sentences: one run (a closed form).

Sentences, about a minute per run, 2 CPU cores: ZSL 82.1, GZSL 73.1 / 74.9 / 74.0, calibrated 73.1 / 74.8 / 74.0.

The scorer alone (ESZSL): ZSL 64.3 and calibrated 60.5 on attributes, 79.1 and 73.3 on sentences.

Attributes, a minute per run or less, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 69.0 ± 0.5, GZSL 64.7 / 58.5 / 60.9, calibrated 66.1 / 58.2 / 61.9.

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
