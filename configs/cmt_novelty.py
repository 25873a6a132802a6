"""CMT with novelty detection on attributes.

    python -m zsl_jax train --config=configs/cmt_novelty.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cmt_novelty

Minutes on 2 CPU cores. Not measured on CUB127 yet.

Published on CUB with ResNet-101 features, hence not comparable: ZSL 34.6, U/S/H 4.7/60.1/8.7 percent.

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("cmt_novelty", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
