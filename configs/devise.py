"""DeViSE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/devise.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/devise
    python -m zsl_jax train --config=configs/devise.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/devise_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 15 seconds, two CPU cores: ZSL 59.4 ± 0.2, GZSL 24.8 / 78.0 / 37.6, calibrated 54.7 / 54.7 / 54.7.

Sentences, 3 seconds per run, one CPU core, means of 5 draws of validation classes (docs/results.md): ZSL 74.7 ± 0.2,
GZSL 47.7 / 78.4 / 59.3, calibrated 64.5 / 70.7 / 67.4.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 52.0, GZSL 23.8 / 53.0 /
32.8.

Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("devise", argument)
    config.method.learning_rate = 0.3 if config_lib.has_sentences(config) else 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
