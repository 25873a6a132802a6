"""SymNet: moves that attach and detach an attribute, and say by their distance whether an input has it.

    python -m zsl_jax train --config=configs/symnet.py:pairs --config.data.file=FILE.npz --workdir=runs/symnet
    python -m zsl_jax sweep --config=configs/symnet.py:pairs --config.data.file=FILE.npz --workdir=runs/symnet_sweep

Clothes (2,518 photos, 7 pairs, 2 unseen; MobileNetV2), means of 5 draws, one seed, with 95 % intervals over draws, 20
to 30 seconds of processor time per run (docs/pairs.md): closed world S 98.2, U 98.2 ± 1.3, H 80.3 ± 3.1, AUC 86.4 ±
2.1; open world AUC 51.4 ± 12.8. Two heads on the same draws: AUC 89.4 and 68.3.

Reference: Li, Xu, Mao, Lu, "Symmetry and Group in Attribute-Object Compositions", CVPR 2020.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    config = config_lib.base("symnet", argument or "pairs")
    if config.data.name in sources.OF_PAIRS:
        config.data.semantics = "parts"
        config.select.folds = 3
    if not config_lib.is_smoke(argument):
        config.train.epochs = 24
        config.select.every = 8
    return config


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01), "method.weight_decay": (0.0, 0.0001)}
