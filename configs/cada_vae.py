r"""CADA-VAE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cada_vae.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cada_vae
    python -m zsl_jax train --config=configs/cada_vae.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/cada_vae_sent

CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen on validation classes, seed 0; minutes of the
steps on 2 CPU cores (104 GFLOP/s in a matrix product).

Attributes, 12 minutes: ZSL 65.5, GZSL 42.5 / 76.1 / 54.5, calibrated 54.0 / 68.5 / 60.4.

Sentences, 14 minutes: ZSL 84.6, GZSL 74.4 / 73.5 / 73.9, calibrated 76.3 / 72.3 / 74.3.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): GZSL 51.6 / 53.5 / 52.4.

Reference: Schonfeld, Ebrahimi, Sinha, Darrell, Akata, "Generalized Zero- and Few-Shot Learning via Aligned
Variational Autoencoders", CVPR 2019.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("cada_vae", argument)
    config.method.learning_rate = 5e-4
    config.method.classifier_epochs = 5
    if not config_lib.is_smoke(argument):
        config.train.epochs = 100
    config.train.batch_size = 50
    config.select.every = min(20, config.train.epochs)
    return config


def sweep():
    return {"method.learning_rate": (1.5e-4, 5e-4, 1.5e-3), "method.distance_weight": (8.13, 80.0)}
