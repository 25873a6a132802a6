"""The mean classifier, with described prototypes for classes without images.

    python -m zsl_jax train --config=configs/class_means.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/class_means
    python -m zsl_jax train --config=configs/class_means.py:xlsa17 --config.data.dir=FOLDER \
        --config.few_shot.shots=5 --config.few_shot.reserve=20 --workdir=runs/class_means_5

CUB127 (CUB restricted to 127 classes, MobileNet features), attributes, one run (a closed form), a minute or less on two
CPU cores; gamma is chosen on validation classes. docs/neighbours.md has more draws, and shots.

ZSL 61.3, GZSL 26.0 / 80.1 / 39.3, calibrated 54.0 / 64.3 / 58.7.

Reference: Mensink, Verbeek, Perronnin, Csurka, "Distance-Based Image Classification: Generalizing to New Classes at
Near-Zero Cost", TPAMI 2013; Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("class_means", argument)
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.class_ridge": (0.03, 0.1, 0.3, 1.0), "method.prior": (0.3, 1.0, 3.0, 10.0)}
