"""GFZSL on attributes.

    python -m zsl_jax train --config=configs/gfzsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/gfzsl

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form), about 7 seconds a run on one CPU
core: ZSL 60.8, GZSL 26.8 / 77.8 / 39.8, calibrated 54.6 / 61.2 / 57.7. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 49.3, GZSL 0.0 / 45.7 / 0.0.

Reference: Verma, Rai, "A Simple Exponential Family Framework for Zero-Shot Learning", ECML PKDD 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("gfzsl", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.class_ridge": (0.01, 0.1, 1.0), "method.prior_count": (100.0, 1000.0, 10000.0)}
