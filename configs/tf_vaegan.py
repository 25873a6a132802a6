r"""TF-VAEGAN, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/tf_vaegan.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/tf_vaegan
    python -m zsl_jax train --config=configs/tf_vaegan.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/tf_vaegan_sent

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0; minutes of the
steps on 2 CPU cores (104 GFLOP/s in a matrix product).

Attributes, 18 minutes: ZSL 66.2, GZSL 55.8 / 78.9 / 65.3, calibrated 56.2 / 78.2 / 65.4.

Sentences, 40 minutes: the test classes are not scored yet; on validation classes ZSL 86.4, H 78.3 as scored.

Published on CUB (200 classes, ResNet-101 features, so not comparable): ZSL 64.9, GZSL 52.8 / 64.7 / 58.1. Their
loop keeps the best epoch on the test set.

Reference: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for
Zero-Shot Classification", ECCV 2020.
"""

from zsl_jax import config as config_lib
from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.adversarial("tf_vaegan", argument)
    if not config_lib.has_sentences(config):
        config.method.description_scale = 4.0
    return config


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4, 1e-3), "method.description_scale": (1.0, 2.0, 4.0, 8.0)}
