"""DeViSE on attributes.

    python -m zsl_jax train --config=configs/devise.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/devise

On 2 CPU cores 102 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.593; U/S/H
0.243/0.780/0.371; calibrated 0.545/0.551/0.548. Seed 0; knobs, epochs and gamma chosen on validation classes.

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
