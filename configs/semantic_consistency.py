r"""Semantic consistency (metric learning), on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/semantic_consistency.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency
    python -m zsl_jax train --config=configs/semantic_consistency.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 35 seconds, two CPU cores: ZSL 57.9 ± 1.0, GZSL 34.8 / 74.9 / 47.4, calibrated 49.9 / 62.2 / 55.3.

Sentences, 141 seconds per run, 2 CPU cores: ZSL 72.3 ± 2.0, GZSL 46.9 / 76.8 / 58.2, calibrated 61.6 / 69.9 / 65.4.

Published on CUB (another split, VGG-19 features, so not comparable): ZSL 43.3.

Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
Classification", ECCV 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("semantic_consistency", argument)
    config.method.learning_rate = 0.001
    if not config_lib.has_sentences(config):
        config.method.nonlinearity = "relu"
        config.method.weight_decay = 0.001
    return config


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01)}
