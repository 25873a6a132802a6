r"""Semantic consistency by metric learning on attributes.

    python -m zsl_jax train --config=configs/semantic_consistency.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency

On 2 CPU cores 112 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.574; U/S/H
0.346/0.754/0.474; calibrated 0.505/0.623/0.558. Seed 0; knobs, epochs and gamma chosen on validation classes.

Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
Classification", ECCV 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("semantic_consistency", argument)
    config.method.nonlinearity = "relu"
    config.method.learning_rate = 0.001
    config.method.weight_decay = 0.001
    return config


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01)}
