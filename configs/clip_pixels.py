"""Two towers: a small ConvNet of pixels and an MLP of attributes, trained to meet by a contrastive loss.

    python -m zsl_jax train --config=configs/clip_pixels.py --workdir=runs/clip_pixels
    python -m zsl_jax train --config=configs/clip_pixels.py --config.method.contrast=siglip --workdir=runs/siglip_pixels

Minutes and figures: not measured yet.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from zsl_jax import recipes


def get_config(argument=None):
    config = recipes.small_pixels("two_tower", argument)
    config.class_encoder.widths = (64,)
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
