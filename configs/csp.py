"""CSP: a learned vector of each attribute and each object, before a frozen text tower.

    python -m zsl_jax train --config=configs/csp.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/csp

About a minute per run on two CPU cores. docs/prompts.md has figures.

Published, ViT-L/14 of CLIP, MIT-States, closed world, S / U / H / AUC: CLIP 30.2 / 46.0 / 26.1 / 11.0, CoOp 34.4 / 47.6
/ 29.8 / 13.5, CSP 46.6 / 49.9 / 36.3 / 19.4 (Nayak, Yu, Bach, "Learning to Compose Soft Prompts for Compositional
Zero-Shot Learning", ICLR 2023).
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("csp", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01, 0.03), "method.dropout": (0.0, 0.3)}
