r"""CE-GZSL on attributes.

    python -m zsl_jax train --config=configs/ce_gzsl.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ce_gzsl

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0: ZSL 64.3,
GZSL 56.6 / 72.6 / 63.6, calibrated 52.9 / 77.5 / 62.9. On 2 CPU cores (104 GFLOP/s in a matrix product) the steps
take 28 minutes.

Published on CUB (200 classes, ResNet-101 features, sentences, hence not comparable): H 65.3.

Reference: Han, Fu, Chen, Yang, "Contrastive Embedding for Generalized Zero-Shot Learning", CVPR 2021.
"""

from zsl_jax import recipes


def get_config(argument=None):
    config = recipes.adversarial("ce_gzsl", argument)
    config.method.description_scale = 4.0
    config.method.learning_rate = 1e-4
    return config


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0)}
