"""Ridge regression to the descriptions of the classes: attributes or, with the word sent, sentence embeddings.

    python -m zsl_jax train --config=configs/ridge.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ridge
    python -m zsl_jax train --config=configs/ridge.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/ridge_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form); knobs, epochs and gamma are chosen
on validation classes (docs/results.md).

Attributes, up to 10 seconds, two CPU cores: ZSL 48.6, GZSL 14.7 / 77.4 / 24.7, calibrated 44.0 / 49.2 / 46.4.

Sentences, 8 seconds per run, one CPU core, means of 5 draws of validation classes (docs/results.md): ZSL 69.5, GZSL
27.2 / 81.2 / 40.8, calibrated 64.9 / 63.2 / 64.0.

The cosine in attribute space suffers from hubs; SAE with the same map turned round (to features) does not.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ridge", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.feature_ridge": (0.03, 0.1, 0.3, 1.0, 3.0)}
