"""CoOp: the words around a class's name as learned vectors, before a frozen text tower.

    python -m zsl_jax train --config=configs/coop.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/coop
    python -m zsl_jax train --config=configs/coop.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/coop_new
    python -m zsl_jax train --config=configs/coop.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/coop_birds

About a minute per run on two CPU cores.

Clothes (2,518 photos, 7 pairs, 2 unseen; MobileNetV2 tied to MiniLM), 6 epochs, nothing chosen, means of 5 draws,
3 seeds each, with 95 % intervals (docs/prompts.md): closed world S 94.0, U 95.1 ± 5.6, H 79.5 ± 2.3, AUC 81.4 ± 5.0;
open world AUC 43.0 ± 17.6.

Published, ViT-B/16 of CLIP, 16 images per base class, means over 11 datasets, base / new / H: CLIP 69.3 / 74.2 / 71.7,
CoOp 82.7 / 63.2 / 71.7, CoCoOp 80.5 / 71.7 / 75.8 (Zhou, Yang, Loy, Liu, "Conditional Prompt Learning for
Vision-Language Models", CVPR 2022).
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("coop", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01, 0.03), "method.pull": (0.0, 1.0, 8.0)}
