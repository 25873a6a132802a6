"""Two towers: a small ConvNet of pixels and an MLP of attributes, trained to meet by a contrastive loss.

    python -m zsl_jax train --config=configs/clip_pixels.py --workdir=runs/clip_pixels
    python -m zsl_jax train --config=configs/clip_pixels.py --config.method.loss=class_sigmoid \
        --workdir=runs/siglip_pixels
    python -m zsl_jax train --config=configs/clip_pixels.py --config.train.batch_size=1024 \
        --config.optimizer.chunk=128 --workdir=runs/clip_large

Shapes, seed 0, epochs fixed, gamma chosen on validation classes (there: ZSL 80.7, harmonic 74.0), 4.7 minutes of
processor time on 2 cores: ZSL 93.3, GZSL 59.4 / 93.3 / 72.6, calibrated 90.4 / 80.8 / 85.3, AUSUC 86.0.

The last line compares 1,024 images per step with the activations of 128, see docs/scale.md.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.small_pixels("two_tower", argument)
    config.class_encoder.widths = (64,)
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2)}
