"""Softmax compatibility on attributes.

    python -m zsl_jax train --config=configs/softmax.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/softmax

On 2 CPU cores 63 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.609; U/S/H
0.281/0.826/0.419; calibrated 0.574/0.577/0.576. Seed 0; knobs, epochs and gamma chosen on validation classes.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("softmax", argument)
    config.method.learning_rate = 10.0
    return config


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0, 100.0)}
