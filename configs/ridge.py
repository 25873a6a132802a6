"""Ridge regression to the class descriptions on attributes.

    python -m zsl_jax train --config=configs/ridge.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ridge

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form), about 8 seconds a run on one CPU
core: ZSL 48.6, GZSL 14.7 / 77.4 / 24.7, calibrated 44.2 / 47.6 / 45.8. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

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
