"""CMT, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cmt.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cmt
    python -m zsl_jax train --config=configs/cmt.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/cmt_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 125 seconds, two CPU cores: ZSL 45.9 ± 0.6, GZSL 12.7 / 74.1 / 21.6, calibrated 41.4 / 44.5 / 42.9.

Sentences, 75 seconds per run, 2 CPU cores: ZSL 66.2 ± 2.8, GZSL 25.7 / 77.5 / 38.6, calibrated 61.9 / 56.0 / 58.8.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 34.6, GZSL 7.2 / 49.8 / 12.6.

Low as published: regression to descriptions turns a few classes into the nearest of everything (hubs).

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("cmt", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
