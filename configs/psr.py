"""PSR, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/psr.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/psr
    python -m zsl_jax train --config=configs/psr.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/psr_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, 70 seconds per run, 2 CPU cores: ZSL 58.7 ± 0.7, GZSL 29.3 / 68.3 / 41.0, calibrated 50.5 / 51.9 / 51.2.

Sentences, 2 minutes per run, 2 CPU cores: ZSL 78.0 ± 0.5, GZSL 56.8 / 73.0 / 63.9, calibrated 70.3 / 65.8 / 68.0.

Relations among 7 seen digits say little of others: ZSL 45.6 ± 11.5, and no unseen digit wins without calibration.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 56.0, GZSL 24.6 / 54.3 /
33.9.

Reference: Annadani, Biswas, "Preserving Semantic Relations for Zero-Shot Learning", CVPR 2018.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("psr", argument)
    config.method.relation_weight = 0.1
    if config_lib.has_sentences(config):
        config.method.weight_decay = 0.0003
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
