"""ALE by steps of one image on attributes.

    python -m zsl_jax train --config=configs/ale_sgd.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ale_sgd

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 34 seconds a run on one CPU core:
ZSL 60.8 ± 0.5, GZSL 25.8 / 80.6 / 39.1, calibrated 55.7 / 59.0 / 57.3. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB with ResNet-101 features, hence not comparable: ZSL 54.9, U/S/H 23.7/62.8/34.4 percent.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_sgd", argument)
    config.method.learning_rate = 0.1
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
