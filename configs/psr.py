"""PSR on attributes.

    python -m zsl_jax train --config=configs/psr.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/psr

On 2 CPU cores 393 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.590; U/S/H
0.292/0.689/0.411; calibrated 0.517/0.498/0.507. Seed 0; knobs, epochs and gamma chosen on validation classes.

Published on CUB with ResNet-101 features, hence not comparable: ZSL 56.0, U/S/H 24.6/54.3/33.9 percent.

Reference: Annadani, Biswas, "Preserving Semantic Relations for Zero-Shot Learning", CVPR 2018.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("psr", argument)
    config.method.relation_weight = 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
