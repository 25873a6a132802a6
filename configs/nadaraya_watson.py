"""The Nadaraya-Watson head, a vote of the stored training images; `neighbours` makes it one of the nearest few.

    python -m zsl_jax train --config=configs/nadaraya_watson.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/nadaraya_watson
    python -m zsl_jax train --config=configs/nadaraya_watson.py:xlsa17 --config.data.dir=FOLDER \
        --config.method.neighbours=10 --workdir=runs/ten_neighbours

CUB127 (CUB restricted to 127 classes, MobileNet features), attributes, one run (a closed form), about a minute on two
CPU cores; late knobs and gamma are chosen on validation classes. docs/neighbours.md has more draws.

All images: ZSL 61.3, GZSL 48.4 / 66.9 / 56.2, calibrated 54.7 / 59.0 / 56.7.

Reference: Wang, Sabuncu, "A Flexible Nadaraya-Watson Head Can Offer Explainable and Calibrated Classification", TMLR
2023.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("nadaraya_watson", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    # Late knobs: no array depends on them.
    config.late.temperature = (0.03, 0.1, 0.3)
    config.late.prior = (0.3, 1.0, 3.0, 10.0)
    return config


def sweep():
    return {"method.class_ridge": (0.03, 0.1, 0.3, 1.0), "method.neighbours": (0, 10, 30)}
