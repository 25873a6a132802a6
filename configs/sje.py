"""SJE on attributes.

    python -m zsl_jax train --config=configs/sje.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sje

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 3 seconds a run on one CPU core:
ZSL 61.8 ± 0.3, GZSL 28.0 / 80.7 / 41.6, calibrated 57.7 / 62.1 / 59.8. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB with ResNet-101 features, hence not comparable: ZSL 53.9, U/S/H 23.5/59.2/33.6 percent.

Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image Classification",
CVPR 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sje", argument)
    config.method.learning_rate = 1.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
