"""LATEM, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/latem.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/latem
    python -m zsl_jax train --config=configs/latem.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/latem_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 35 seconds, two CPU cores: ZSL 56.6 ± 3.6, GZSL 19.8 / 81.5 / 31.6, calibrated 52.9 / 54.7 / 53.6.

Sentences, 6 seconds per run, one CPU core: ZSL 77.1 ± 1.6, GZSL 51.3 / 81.6 / 62.9, calibrated 70.6 / 71.4 / 70.9.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 49.3, GZSL 15.2 / 57.3 /
24.0.

On attributes below ALE, as in the published table: two maps fit the seen classes better and the unseen ones worse.

Reference: Xian, Akata, Sharma, Nguyen, Hein, Schiele, "Latent Embeddings for Zero-Shot Classification", CVPR 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("latem", argument)
    config.method.num_maps = 2
    config.method.learning_rate = 3.0 if config_lib.has_sentences(config) else 1.0
    return config


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
