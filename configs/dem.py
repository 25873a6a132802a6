"""DEM, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dem.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/dem
    python -m zsl_jax train --config=configs/dem.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/dem_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, 37 seconds per run, one CPU core: ZSL 59.0 ± 1.0, GZSL 26.9 / 75.3 / 39.7, calibrated 52.3 / 56.4 / 54.3.

Sentences, 40 seconds per run, 2 CPU cores: ZSL 78.8 ± 0.6, GZSL 57.0 / 74.3 / 64.5, calibrated 68.9 / 69.6 / 69.2.

It learns from classes, not images, how a description looks: with the 7 seen digits it stays at chance (ZSL 31.8 of
33.3), and gamma, chosen on held-out digits, does not carry over.

Published on CUB (200 classes, ResNet-101 features, so not comparable; as tables of later papers give it): GZSL 19.6
/ 57.9 / 29.2.

Reference: Zhang, Xiang, Gong, "Learning a Deep Embedding Model for Zero-Shot Learning", CVPR 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("dem", argument)
    config.method.weight_decay = 0.0001 if config_lib.has_sentences(config) else 0.0003
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
