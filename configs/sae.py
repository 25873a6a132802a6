"""SAE on attributes.

    python -m zsl_jax train --config=configs/sae.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sae

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 331 seconds: ZSL 58.3, GZSL 21.7 / 78.1 / 33.9,
calibrated 53.8 / 57.9 / 55.8.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 33.3, GZSL 7.8 / 54.0 / 13.6.

Reference: Kodirov, Xiang, Gong, "Semantic Autoencoder for Zero-Shot Learning", CVPR 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sae", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.encoder_weight": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)}
