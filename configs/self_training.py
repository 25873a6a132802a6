r"""Self-training, by default around class means: sure and steady answers on test inputs become labels of a next round.

    python -m zsl_jax train --config=configs/self_training.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/self_training
    python -m zsl_jax train --config=configs/self_training.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/self_training_sent

An epoch is a round; their number and gamma are chosen on validation classes, and so were threshold and seen_penalty
among a few values. Minutes per run, 2 CPU cores, which were shared.

CUB127 (CUB restricted to 127 classes, MobileNet features), attributes, one run of 3 rounds: ZSL 67.2, GZSL 60.9 / 74.4
/ 67.0, calibrated 58.1 / 77.2 / 66.3. Class means alone: ZSL 61.3, GZSL 26.0 / 80.1 / 39.3, calibrated H 58.7.
docs/transduction.md has more draws and scorers.

Around a method that follows a gradient a round takes the epochs of its recipe:
`--config.method.every=20 --config.train.epochs=80`.

Reference: Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks", ICML
Workshop 2013; Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", NeurIPS
2020.
"""

from zsl_jax import config as config_lib
from zsl_jax.recipes import around


def get_config(argument=None, scorer="class_means"):
    config = around.around("self_training", argument, scorer)
    if not config_lib.is_smoke(argument):
        config.train.epochs = 5
    return config


def sweep():
    return {"method.threshold": (0.0, 0.3, 0.5), "method.seen_penalty": (1.0, 2.0, 3.0)}
