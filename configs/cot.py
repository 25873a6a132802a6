"""CoT: an expert of objects, and one of attributes that it guides over maps of three depths of an encoder of images.

    python -m zsl_jax train --config=configs/cot.py:pairs --config.data.file=IMAGES.npz --workdir=runs/cot
    python -m zsl_jax train --config=configs/cot.py:pairs --config.data.dir=MIT-STATES --config.encoder.name=vit_base \
        --config.encoder.weights=vit_base_patch16_224.augreg_in21k --config.data.size=224 --workdir=runs/cot_mit

IMAGES.npz holds images, attribute and object; the encoder of the first line is a small network that is trained with the
rest, 2 minutes of processor time for 10 epochs of 1,200 images of 40 x 40 pixels.

Clothes (2,518 photos of 128 pixels, 7 pairs, 2 unseen; a frozen MobileNetV2), means of 5 draws, one seed, with 95 %
intervals over draws, 3 minutes of processor time per run (docs/pairs.md, which has the command): closed world S 99.0, U
98.9 ± 1.4, H 87.4 ± 4.8, AUC 93.6 ± 3.8; open world AUC 63.3 ± 16.1.

Published, ViT-B/16, S / U / H / AUC: MIT-States 39.5 / 33.0 / 25.8 / 10.5, C-GQA 39.2 / 22.7 / 22.1 / 7.4 (Kim, Lee,
Park, Sohn, "Hierarchical Visual Primitive Experts for Compositional Zero-Shot Learning", ICCV 2023).
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    config = config_lib.base("cot", argument or "pairs")
    config.encoder = {**config_lib.encoder_section("convnet"), "weights": ""}
    config.encoder.update({"widths": (32, 64, 96), "merges": (2, 2, 2), "pool": "max"})
    if config.data.name in sources.OF_PAIRS:
        config.data.semantics = "parts"
        config.select.folds = 3
    if not config_lib.is_smoke(argument):
        config.train.epochs = 30
    config.select.every = config.train.epochs
    config.train.batch_size = 64
    config.optimizer.update(
        {"learning_rate": 3e-3, "weight_decay": 0.1, "warmup_steps": 50, "average": 0.99, "decay_epochs": 30}
    )
    return config


def sweep():
    return {"optimizer.learning_rate": (1e-3, 3e-3, 1e-2), "method.mixing": (0.0, 1.0)}
