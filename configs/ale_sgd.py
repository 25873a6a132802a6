"""ALE by steps of one image on attributes.

    python -m zsl_jax train --config=configs/ale_sgd.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ale_sgd

On 2 CPU cores 182 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.600; U/S/H
0.264/0.790/0.396; calibrated 0.554/0.572/0.563. Seed 0; knobs, epochs and gamma chosen on validation classes.

Published on CUB with ResNet-101 features, hence not comparable: ZSL 54.9, U/S/H 23.7/62.8/34.4 percent.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_sgd", argument)
    config.method.learning_rate = 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
