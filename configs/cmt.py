"""CMT on attributes.

    python -m zsl_jax train --config=configs/cmt.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cmt

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 12 seconds a run on one CPU core:
ZSL 45.9 ± 0.6, GZSL 12.7 / 74.1 / 21.6, calibrated 41.4 / 44.5 / 42.9. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB with ResNet-101 features, hence not comparable: ZSL 34.6, U/S/H 7.2/49.8/12.6 percent.

Low as published: regression to descriptions turns a few classes into the nearest of everything (hubs).

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("cmt", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
