"""ESZSL on attributes.

    python -m zsl_jax train --config=configs/eszsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/eszsl

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form), about 9 seconds a run on one CPU
core: ZSL 64.8, GZSL 17.5 / 80.6 / 28.8, calibrated 62.8 / 55.4 / 58.9. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 53.9, GZSL 12.6 / 63.8 / 21.0.

Reference: Romera-Paredes, Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("eszsl", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.feature_ridge": (0.1, 0.3, 1.0, 3.0, 10.0), "method.class_ridge": (0.001, 0.01, 0.1, 0.3, 1.0)}
