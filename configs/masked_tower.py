"""Masking: which weights of a frozen text tower to leave out, so that its texts meet the images.

    python -m zsl_jax train --config=configs/masked_tower.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/masked_tower
    python -m zsl_jax train --config=configs/masked_tower.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/masked_tower_new
    python -m zsl_jax train --config=configs/masked_tower.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/masked_tower_birds

About a minute per run on two CPU cores. docs/prompts.md has figures.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("masked_tower", argument)


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01)}
