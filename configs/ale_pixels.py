"""ALE on top of a small ConvNet, trained together from pixels.

    python -m zsl_jax train --config=configs/ale_pixels.py --workdir=runs/ale_pixels
    python -m zsl_jax train --config=configs/ale_pixels.py --config.method.loss=softmax --workdir=runs/softmax_pixels

Minutes and figures: not measured yet.

Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import recipes


def get_config(argument=None):
    config = recipes.small_pixels("label_embedding", argument)
    config.method.loss = "ale"
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
