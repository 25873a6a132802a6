"""CE-GZSL, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ce_gzsl.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ce_gzsl
    python -m zsl_jax train --config=configs/ce_gzsl.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/ce_gzsl_sent

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0; minutes of the
steps on 2 CPU cores (104 GFLOP/s in a matrix product).

Attributes, 28 minutes: ZSL 64.3, GZSL 56.6 / 72.6 / 63.6, calibrated 52.9 / 77.5 / 62.9.

Sentences, 42 minutes: the test classes are not scored yet; on validation classes ZSL 83.2, H 73.5 as scored.

Published on CUB (200 classes, ResNet-101 features, sentences, so not comparable): H 65.3.

Reference: Han, Fu, Chen, Yang, "Contrastive Embedding for Generalized Zero-Shot Learning", CVPR 2021.
"""

from zsl_jax import config as config_lib
from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.adversarial("ce_gzsl", argument)
    if not config_lib.has_sentences(config):
        config.method.description_scale = 4.0
        config.method.learning_rate = 1e-4
    return config


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0, 8.0)}
