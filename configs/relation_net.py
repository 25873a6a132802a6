"""RelationNet on attributes.

    python -m zsl_jax train --config=configs/relation_net.py --workdir=runs/relation_net
    python -m zsl_jax train --config=configs/relation_net.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cub

Published on CUB with ResNet-101 features: ZSL 55.6, U/S/H 38.1/61.1/47.0 percent.

Reference: Sung, Yang, Zhang, Xiang, Torr, Hospedales, "Learning to Compare: Relation Network for Few-Shot Learning",
CVPR 2018.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("relation_net", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003), "method.weight_decay": (1e-5, 1e-4, 1e-3)}
