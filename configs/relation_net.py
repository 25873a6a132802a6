"""RelationNet on attributes.

    python -m zsl_jax train --config=configs/relation_net.py:digits --workdir=runs/relation_net
    python -m zsl_jax train --config=configs/relation_net.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cub

Digits, seed 0, epochs and gamma chosen on validation classes, 309 seconds on 2 CPU cores with a load of about 20: ZSL
50.3, GZSL 24.2 / 89.6 / 38.1, calibrated 32.6 / 86.4 / 47.3. CUB is not run yet.

Published on CUB (200 classes, attributes, ResNet-101 features): ZSL 55.6, GZSL 38.1 / 61.1 / 47.0.

Reference: Sung, Yang, Zhang, Xiang, Torr, Hospedales, "Learning to Compare: Relation Network for Few-Shot Learning",
CVPR 2018.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("relation_net", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003), "method.weight_decay": (1e-5, 1e-4, 1e-3)}
