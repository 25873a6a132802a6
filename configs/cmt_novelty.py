r"""CMT with novelty detection, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/cmt_novelty.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cmt_novelty
    python -m zsl_jax train --config=configs/cmt_novelty.py:xlsa17,sent --config.data.dir=FOLDER \
        --workdir=runs/cmt_novelty_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 170 seconds, two CPU cores: ZSL 45.9 ± 0.6, GZSL 41.2 / 30.8 / 35.2, calibrated 37.3 / 53.6 / 44.0.

Sentences, 57 seconds per run, 2 CPU cores: ZSL 66.2 ± 2.8, GZSL 55.8 / 40.8 / 47.1, calibrated 52.0 / 67.1 / 58.6.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 34.6, GZSL 4.7 / 60.1 / 8.7.

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("cmt_novelty", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
