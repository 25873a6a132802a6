r"""TF-VAEGAN on attributes.

    python -m zsl_jax train --config=configs/tf_vaegan.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/tf_vaegan

Minutes on 2 CPU cores; not measured on CUB127 yet.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 64.9, GZSL 52.8 / 64.7 / 58.1. Their
loop keeps the best epoch on the test set.

Reference: Narayan, Gupta, Khan, Snoek, Shao, "Latent Embedding Feedback and Discriminative Features for
Zero-Shot Classification", ECCV 2020.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("tf_vaegan", argument)
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
