"""GFZSL, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/gfzsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/gfzsl
    python -m zsl_jax train --config=configs/gfzsl.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/gfzsl_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs, epochs and gamma are chosen
on validation classes (docs/results.md).

Attributes, up to 5 seconds, two CPU cores: ZSL 60.8, GZSL 26.8 / 77.8 / 39.8, calibrated 55.7 / 57.9 / 56.7.

Sentences, 7 seconds per run, one CPU core, means of 5 draws of validation classes (docs/results.md): ZSL 84.1, GZSL
62.0 / 79.9 / 69.8, calibrated 77.8 / 72.8 / 75.2.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 49.3, GZSL 0.0 / 45.7 / 0.0.

Reference: Verma, Rai, "A Simple Exponential Family Framework for Zero-Shot Learning", ECML PKDD 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("gfzsl", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    if config_lib.has_sentences(config):
        config.method.class_ridge = 0.01
    return config


def sweep():
    return {"method.class_ridge": (0.01, 0.1, 1.0), "method.prior_count": (100.0, 1000.0, 10000.0)}
