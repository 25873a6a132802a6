"""SYNC on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sync_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sync

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 176 seconds: ZSL 68.7, GZSL 36.1 / 70.3 / 47.7,
calibrated 65.1 / 46.3 / 54.1.
SYNC is behind its published standing: the phantom classes stay at the seen descriptions, one bandwidth serves
all, and the loss is the Crammer-Singer hinge, not the one-versus-other loss.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 55.6, GZSL 11.5 / 70.9 / 19.8.

Reference: Changpinyo, Chao, Gong, Sha, "Synthesized Classifiers for Zero-Shot Learning", CVPR 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sync", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.bandwidth": (0.3, 1.0, 3.0), "method.learning_rate": (0.3, 1.0, 3.0)}
