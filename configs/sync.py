"""SYNC on attributes.

    python -m zsl_jax train --config=configs/sync.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sync

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 129 seconds: ZSL 57.7, GZSL 15.0 / 72.9 / 24.9,
calibrated 56.7 / 28.4 / 37.8.
SYNC is behind its published standing: the phantom classes stay at the seen descriptions, one bandwidth serves
all, and the loss is the Crammer-Singer hinge, not the one-versus-other loss.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 55.6, GZSL 11.5 / 70.9 / 19.8.

Reference: Changpinyo, Chao, Gong, Sha, "Synthesized Classifiers for Zero-Shot Learning", CVPR 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("sync", argument)


def sweep():
    return {"method.bandwidth": (0.3, 1.0, 3.0), "method.learning_rate": (0.3, 1.0, 3.0)}
