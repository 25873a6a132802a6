"""Tip-Adapter: training images as a cache beside a hand-written prompt.

    python -m zsl_jax train --config=configs/tip_adapter.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/tip_adapter
    python -m zsl_jax train --config=configs/tip_adapter.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/tip_adapter_new
    python -m zsl_jax train --config=configs/tip_adapter.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/tip_adapter_birds

Seconds per run once the tower is loaded. docs/prompts.md has figures.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    config = families.prompts("tip_adapter", argument)
    # Late knobs: no array depends on them.
    config.late.alpha = (0.0, 0.1, 0.3, 1.0)
    config.late.beta = (1.0, 5.5, 20.0)
    return config
