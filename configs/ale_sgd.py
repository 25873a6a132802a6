r"""ALE by steps of one image, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_sgd.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ale_sgd
    python -m zsl_jax train --config=configs/ale_sgd.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/ale_sgd_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, 34 seconds per run, one CPU core: ZSL 60.8 ± 0.5, GZSL 25.8 / 80.6 / 39.1, calibrated 55.7 / 59.0 / 57.3.

Sentences, 48 seconds per run, 2 CPU cores: ZSL 77.1 ± 0.3, GZSL 53.8 / 80.3 / 64.4, calibrated 69.8 / 71.7 / 70.7.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 54.9, GZSL 23.7 / 62.8 /
34.4.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_sgd", argument)
    config.method.learning_rate = 0.3 if config_lib.has_sentences(config) else 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
