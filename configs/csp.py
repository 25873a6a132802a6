"""CSP: a learned vector of each attribute and each object, before a frozen text tower.

    python -m zsl_jax train --config=configs/csp.py:pairs --config.data.file=FILE.npz \
        --config.towers.text=FOLDER --config.towers.tie=TIE.npz --workdir=runs/csp

About a minute per run on two CPU cores.

Clothes (2,518 photos, 7 pairs, 2 unseen; MobileNetV2 tied to MiniLM), 6 epochs, nothing chosen, means of 5 draws,
3 seeds each, with 95 % intervals (docs/prompts.md): closed world S 95.9, U 98.1 ± 2.2, H 79.9 ± 5.3, AUC 85.0
± 5.2; open world AUC 54.9 ± 22.4. The hand-written prompt has AUC 51.7 ± 5.2 on the same draws.

Published, ViT-L/14 of CLIP, MIT-States, closed world, S / U / H / AUC: CLIP 30.2 / 46.0 / 26.1 / 11.0, CoOp 34.4 / 47.6
/ 29.8 / 13.5, CSP 46.6 / 49.9 / 36.3 / 19.4 (Nayak, Yu, Bach, "Learning to Compose Soft Prompts for Compositional
Zero-Shot Learning", ICLR 2023).
"""

from zsl_jax.recipes import families


def get_config(argument=None):
    return families.prompts("csp", argument)


def sweep():
    return {"method.learning_rate": (0.003, 0.01, 0.03), "method.dropout": (0.0, 0.3)}
