"""CMT with novelty detection on attributes.

    python -m zsl_jax train --config=configs/cmt_novelty.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/cmt_novelty

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 22 seconds a run on one CPU core:
ZSL 45.9 ± 0.6, GZSL 41.2 / 30.8 / 35.2, calibrated 37.3 / 53.6 / 44.0. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Published on CUB with ResNet-101 features, hence not comparable: ZSL 34.6, U/S/H 4.7/60.1/8.7 percent.

Reference: Socher, Ganjoo, Manning, Ng, "Zero-Shot Learning Through Cross-Modal Transfer", NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("cmt_novelty", argument)


def sweep():
    return {"method.learning_rate": (0.0003, 0.001, 0.003)}
