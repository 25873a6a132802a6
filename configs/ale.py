"""ALE: a bilinear map from images to attributes under the weighted approximate ranking loss.

    python -m zsl_jax train --config=configs/ale.py --workdir=runs/ale
    python -m zsl_jax train --config=configs/ale.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cub
    python -m zsl_jax sweep --config=configs/ale.py --workdir=runs/ale_sweep

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 3 seconds a run on one CPU core:
ZSL 61.2 ± 0.3, GZSL 25.8 / 79.3 / 38.9, calibrated 56.2 / 57.9 / 57.1. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016. Published on CUB (200
classes, ResNet-101 features; Xian, Lampert, Schiele, Akata, TPAMI 2018): ZSL 54.9, GZSL 23.7 / 62.8 / 34.4.
"""

from zsl_jax import config as config_lib

# Chosen on validation classes; only learning_rate / margin matters, because the problem is homogeneous in W.
LEARNING_RATE = {"xlsa17": 0.3, "shapes": 3.0, "digits": 3.0, "npz": 3.0, "features": 0.3, "image_folder": 0.3}


def get_config(argument=None):
    config = config_lib.base("ale", argument)
    config.method.learning_rate = LEARNING_RATE[config.data.name]
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)}
