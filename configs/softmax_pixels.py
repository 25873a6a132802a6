"""Cross-entropy over the training classes on top of a small ConvNet, trained together from pixels.

    python -m zsl_jax train --config=configs/softmax_pixels.py --workdir=runs/softmax_pixels
    python -m zsl_jax train --config=configs/softmax_pixels.py:digits --workdir=runs/digits_pixels

Minutes and figures: not measured yet.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.small_pixels("label_embedding", argument)


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
