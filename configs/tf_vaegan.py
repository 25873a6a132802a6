r"""TF-VAEGAN on attributes.

    python -m zsl_jax train --config=configs/tf_vaegan.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/tf_vaegan

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0: ZSL 66.2,
GZSL 55.8 / 78.9 / 65.3, calibrated 56.2 / 78.2 / 65.4. On 2 CPU cores (104 GFLOP/s in a matrix product) the steps
take 18 minutes.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 64.9, GZSL 52.8 / 64.7 / 58.1. Their
loop keeps the best epoch on the test set.

Reference: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for
Zero-Shot Classification", ECCV 2020.
"""

from zsl_jax import recipes


def get_config(argument=None):
    config = recipes.adversarial("tf_vaegan", argument)
    config.method.description_scale = 4.0
    return config


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0)}
