"""GFZSL on attributes.

    python -m zsl_jax train --config=configs/gfzsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/gfzsl

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 73 seconds: ZSL 60.8, GZSL 26.8 / 77.8 / 39.8,
calibrated 54.6 / 61.2 / 57.7.

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
