"""Learned names: one new word per training class, in a prompt and before a tower that stay as they are.

    python -m zsl_jax train --config=configs/learned_names.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/learned_names
    python -m zsl_jax train --config=configs/learned_names.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/learned_names_new
    python -m zsl_jax train --config=configs/learned_names.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/learned_names_birds

About a minute per run on two CPU cores. docs/prompts.md has figures.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("learned_names", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01, 0.03)}
