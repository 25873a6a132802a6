r"""DEM on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dem_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/dem_sentences

Minutes on 2 CPU cores. Not measured on CUB127 yet.

Reference: Zhang, Xiang, Gong, "Learning a Deep Embedding Model for Zero-Shot Learning", CVPR 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("dem", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.weight_decay = 0.0001
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
