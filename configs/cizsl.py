r"""CIZSL on the base of f-CLSWGAN on attributes.

    python -m zsl_jax train --config=configs/cizsl.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/cizsl

Minutes on 2 CPU cores; not measured on CUB127 yet.

The published figures are of another base, on texts and part features: not comparable.

Reference: Elhoseiny, Elfeki, "Creativity Inspired Zero-Shot Learning", ICCV 2019.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("cizsl", argument)
    # As for f-CLSWGAN on attributes; not chosen for this recipe.
    config.method.description_scale = 4.0
    config.method.learning_rate = 3e-4
    config.method.num_hidden = 1024
    config.method.num_synthetic = 1000
    config.method.classifier_epochs = 10
    config.train.epochs = 80
    # 64 images for each of the 5 steps of the critic.
    config.train.batch_size = 320
    config.select.every = 10
    config.select.metric = "uncalibrated"
    return config


def sweep():
    return {"method.learning_rate": (1e-4, 3e-4), "method.description_scale": (2.0, 4.0, 8.0)}
