"""ConSE, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/conse.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/conse
    python -m zsl_jax train --config=configs/conse.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/conse_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 15 seconds, two CPU cores: ZSL 38.4 ± 0.7, GZSL 2.3 / 83.6 / 4.5, calibrated 32.7 / 54.2 / 40.8.

Sentences, 5 seconds per run, one CPU core: ZSL 54.0 ± 0.6, GZSL 2.5 / 84.7 / 4.8, calibrated 48.6 / 60.4 / 53.9.

ConSE trains nothing but the seen classes, so that its mixtures lie close to one of them.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 34.3, GZSL 1.6 / 72.2 / 3.1.

Reference: Norouzi, Mikolov, Bengio, Singer, Shlens, Frome, Corrado, Dean, "Zero-Shot Learning by Convex Combination of
Semantic Embeddings", ICLR 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("conse", argument)


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
