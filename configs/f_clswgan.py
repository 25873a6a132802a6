r"""f-CLSWGAN on attributes.

    python -m zsl_jax train --config=configs/f_clswgan.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/f_clswgan

5.5 minutes of processor time on CUB127 (127 classes of CUB, MobileNet features), epochs and gamma chosen
on validation classes, seed 0: ZSL 62.3, GZSL 38.6 / 82.2 / 52.5, calibrated 49.9 / 76.8 / 60.5.

Published on CUB (200 classes, ResNet-101 features, hence not comparable): ZSL 57.3, GZSL 43.7 / 57.7 / 49.7.

Reference: Xian, Lorenz, Schiele, Akata, "Feature Generating Networks for Zero-Shot Learning", CVPR 2018.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("f_clswgan", argument)
    # Of 1, 4, 8 and 17.7 the best uncalibrated H on validation classes, one seed each, with other knobs not held alike.
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
