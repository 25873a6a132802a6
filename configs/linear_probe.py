"""A linear probe on a frozen pair of towers, from the texts of the classes on.

    python -m zsl_jax train --config=configs/linear_probe.py:npz --config.data.file=FILE.npz \
        --config.protocol=base_to_new --config.few_shot.of_seen=16 \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/linear_probe_new
    python -m zsl_jax train --config=configs/linear_probe.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/linear_probe
    python -m zsl_jax train --config=configs/linear_probe.py:xlsa17 --config.data.dir=FOLDER \
        --config.towers.columns=0:1280 --config.towers.text=FOLDER --config.towers.tie=TIE.npz \
        --workdir=runs/linear_probe_birds

Seconds per run once the tower is loaded. docs/prompts.md has figures.
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("linear_probe", argument)


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01), "method.weight_decay": (0.0, 1.0)}
