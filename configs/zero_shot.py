"""Zero-shot from names alone: a frozen text tower describes the classes, a tie brings images there; nothing is trained.

    python -m zsl_jax train --config=configs/zero_shot.py:npz --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/named
    python -m zsl_jax train --config=configs/zero_shot.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --config.protocol=gzsl \
        --config.select.metric=harmonic --config.method.centre=training --workdir=runs/birds
    python -m zsl_jax train --config=configs/zero_shot.py:image_folder --config.data.dir=DATASET \
        --config.towers.text=CLIP --config.towers.image=CLIP --workdir=runs/clip

FILE.npz holds features, labels and class_names. A run takes seconds once the names are encoded; docs/zero_shot.md has
figures.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; Zhai et al., "LiT:
Zero-Shot Transfer with Locked-image text Tuning", CVPR 2022.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    config = config_lib.base("label_similarity", argument)
    config.protocol, config.select.metric = "transfer", "top1"
    config.train.epochs = 1
    if config.data.name not in sources.OF_TEXTS:
        config_lib.add_towers(config)
        # Features that a tie brings to texts; towers that were trained together need no mean taken off.
        config.method.centre = "none" if config.data.name == "image_folder" else "inputs"
    if config.data.name == "npz":
        config.data.semantics, config.data.num_unseen = "names", 0
    if config.data.name in sources.OF_PAIRS:
        # The prompt that csp begins with; in an open world, too.
        config.protocol, config.select.metric = "pairs", "auc"
        config.data.semantics, config.method.centre = "parts", "training"
    if config.data.name in sources.OF_SCENES:
        # Names and images, for a tower of each.
        config.protocol, config.select.metric = "matching", "group"
        config.data.inputs, config.method.centre = "pixels", "training"
    return config
