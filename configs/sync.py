"""SYNC, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sync.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sync
    python -m zsl_jax train --config=configs/sync.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/sync_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 15 seconds, two CPU cores: ZSL 55.9 ± 1.0, GZSL 14.9 / 72.3 / 24.7, calibrated 54.5 / 31.5 / 39.9.

Sentences, 3 seconds per run, one CPU core: ZSL 69.2 ± 0.2, GZSL 36.4 / 69.9 / 47.8, calibrated 65.8 / 45.7 / 53.9.

SYNC is behind its published standing: the phantom classes stay at the seen descriptions, one bandwidth serves all, and
the loss is the Crammer-Singer hinge, not the one-versus-other loss.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 55.6, GZSL 11.5 / 70.9 /
19.8.

Reference: Changpinyo, Chao, Gong, Sha, "Synthesized Classifiers for Zero-Shot Learning", CVPR 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("sync", argument)


def sweep():
    return {"method.bandwidth": (0.3, 1.0, 3.0), "method.learning_rate": (0.3, 1.0, 3.0)}
