"""CoCoOp: a context that depends on the image, before a frozen text tower.

    python -m zsl_jax train --config=configs/cocoop.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/cocoop
    python -m zsl_jax train --config=configs/cocoop.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/cocoop_new
    python -m zsl_jax train --config=configs/cocoop.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/cocoop_birds

Minutes per run on two CPU cores: every image has texts of its own for all classes. docs/prompts.md has figures.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("cocoop", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01)}
