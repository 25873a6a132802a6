"""SJE on attributes.

    python -m zsl_jax train --config=configs/sje.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/sje

On 2 CPU cores 91 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.613; U/S/H
0.278/0.820/0.415; calibrated 0.569/0.633/0.599. Seed 0; knobs, epochs and gamma chosen on validation classes.

Published on CUB with ResNet-101 features, hence not comparable: ZSL 53.9, U/S/H 23.5/59.2/33.6 percent.

Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image Classification",
CVPR 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sje", argument)
    config.method.learning_rate = 1.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
