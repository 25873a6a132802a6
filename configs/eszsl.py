"""ESZSL, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/eszsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/eszsl
    python -m zsl_jax train --config=configs/eszsl.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/eszsl_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs, epochs and gamma are chosen
on validation classes (docs/results.md).

Attributes, 9 seconds per run, one CPU core: ZSL 64.8, GZSL 17.5 / 80.6 / 28.8, calibrated 62.8 / 55.4 / 58.9.

Sentences, 8 seconds per run, one CPU core: ZSL 79.9, GZSL 48.2 / 82.4 / 60.8, calibrated 72.3 / 73.5 / 72.9.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable): ZSL 53.9, GZSL 12.6 / 63.8 /
21.0.

Reference: Romera-Paredes, Torr, "An embarrassingly simple approach to zero-shot learning", ICML 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("eszsl", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    config.method.update(unit="variance", feature_ridge=1.0, class_ridge=1.0)
    return config


def sweep():
    return {"method.feature_ridge": (0.1, 0.3, 1.0, 3.0, 10.0), "method.class_ridge": (0.1, 0.3, 1.0, 3.0, 10.0)}
