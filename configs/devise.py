"""DeViSE on attributes.

    python -m zsl_jax train --config=configs/devise.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/devise

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 3 seconds a run on one CPU core:
ZSL 59.4 ± 0.2, GZSL 24.7 / 78.0 / 37.5, calibrated 54.6 / 55.0 / 54.8. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB with ResNet-101 features, hence not comparable: ZSL 52.0, U/S/H 23.8/53.0/32.8 percent.

Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("devise", argument)
    config.method.learning_rate = 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
