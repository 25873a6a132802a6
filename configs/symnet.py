"""SymNet: moves that attach and detach an attribute, and say by their distance whether an input has it.

    python -m zsl_jax train --config=configs/symnet.py:pairs --config.data.file=FILE.npz --workdir=runs/symnet
    python -m zsl_jax sweep --config=configs/symnet.py:pairs --config.data.file=FILE.npz --workdir=runs/symnet_sweep

Minutes.

Reference: Li, Xu, Mao, Lu, "Symmetry and Group in Attribute-Object Compositions", CVPR 2020.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("symnet", argument or "pairs")
    if config.data.name == "pairs":
        config.data.semantics = "parts"
        config.select.folds = 3
    if not config_lib.is_smoke(argument):
        config.train.epochs = 40
        config.select.every = 4
    return config


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003), "method.temperature": (0.1, 0.3, 1.0)}
