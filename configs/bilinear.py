"""A bilinear map from images to attributes under any loss: the recipe to compare losses with.

    python -m zsl_jax train --config=configs/bilinear.py --workdir=runs/bilinear
    python -m zsl_jax train --config=configs/bilinear.py:digits --config.method.loss=circle --config.loss.scale=80 \
        --workdir=runs/circle
    python -m zsl_jax train --config=configs/bilinear.py --config.method.loss=warp+0.1*uniformity --workdir=runs/sum
    python -m zsl_jax sweep --config=configs/bilinear.py --config.method.loss=cosface --workdir=runs/cosface_sweep

Any name of docs/losses.md, a weighted sum of them, or `package.module:function`. A run takes a few seconds on one CPU
core, see docs/atlas.md.

Attributes, a minute per run or less, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 60.7 ± 0.4, GZSL 33.2 / 81.3 / 47.1, calibrated 50.1 / 68.8 / 58.0.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("bilinear", argument)


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01, 0.03, 0.1)}
