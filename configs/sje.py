"""SJE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sje.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sje
    python -m zsl_jax train --config=configs/sje.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/sje_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 20 seconds, two CPU cores: ZSL 61.8 ± 0.3, GZSL 28.0 / 80.7 / 41.6, calibrated 57.7 / 62.1 / 59.8.

Sentences, 3 seconds per run, one CPU core, means of 5 draws of validation classes (docs/results.md): ZSL 78.1 ± 0.2,
GZSL 56.9 / 81.9 / 67.2, calibrated 70.9 / 73.7 / 72.3.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 53.9, GZSL 23.5 / 59.2 /
33.6.

Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image Classification",
CVPR 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sje", argument)
    config.method.learning_rate = 3.0 if config_lib.has_sentences(config) else 1.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
