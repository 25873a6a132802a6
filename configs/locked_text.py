"""Two towers that start from a pretrained text tower, which is locked: images are trained to meet its sentences.

    python -m zsl_jax train --config=configs/locked_text.py --config.towers.text=FOLDER \
        --config.towers.texts=FILE.json --workdir=runs/locked

FILE.json holds texts on each class, {"name": ["...", ...]}; of those a step draws one per class. Behind the locked
tower a small MLP is trained. `--config.optimizer.encoder_rate=0`, with an encoder and its public weights in
`config.encoder`, locks the images' side: locked-image tuning. A run takes
as many minutes as one of clip_sentences. Figures: docs/pixels.md.

Zhai et al., "LiT: Zero-Shot Transfer with Locked-image text Tuning", CVPR 2022.
"""

from zsl_jax import config as config_lib
from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.small_pixels("two_tower", argument, class_encoder="mlp")
    config_lib.add_towers(config, template="{text}")
    config.towers.by, config.towers.each = "texts", 16
    config.normalize.classes = "none"
    config.class_encoder.widths = (128, 64)
    return config
