"""ALE on top of a small ConvNet, trained together from pixels.

    python -m zsl_jax train --config=configs/ale_pixels.py --workdir=runs/ale_pixels
    python -m zsl_jax train --config=configs/ale_pixels.py --config.method.loss=softmax_cross_entropy \
        --workdir=runs/softmax_pixels

Shapes, seed 0, epochs fixed, gamma chosen on validation classes (there: ZSL 77.5, harmonic 71.3), 4.3 minutes of
processor time on 2 cores: ZSL 92.4, GZSL 52.3 / 96.5 / 67.8, calibrated 90.9 / 82.8 / 86.7, AUSUC 87.9. The second line
is `configs/softmax_pixels.py`.

Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib
from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.small_pixels("label_embedding", argument)
    config_lib.choose_loss(config, "warp")
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
