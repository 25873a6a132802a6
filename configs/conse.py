"""ConSE on attributes.

    python -m zsl_jax train --config=configs/conse.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/conse

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 110 seconds: ZSL 39.5, GZSL 2.0 / 83.7 / 4.0,
calibrated 33.4 / 53.1 / 41.0.
ConSE trains nothing but the seen classes, so that its mixtures lie close to one of them.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 34.3, GZSL 1.6 / 72.2 / 3.1.

Reference: Norouzi, Mikolov, Bengio, Singer, Shlens, Frome, Corrado, Dean, "Zero-Shot Learning by Convex Combination of
Semantic Embeddings", ICLR 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("conse", argument)


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
