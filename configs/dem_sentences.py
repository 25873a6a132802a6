r"""DEM on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dem_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/dem_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 40 seconds a run on 2 CPU cores:
ZSL 78.8 ± 0.6, GZSL 57.0 / 74.3 / 64.5, calibrated 68.9 / 69.6 / 69.2. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

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
