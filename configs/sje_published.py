"""SJE as it was published: plain stochastic gradient descent, one image per step.

    python -m zsl_jax train --config=configs/sje_published.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/published

The margin is the 0/1 loss of the paper, 1. Where this departs from configs/sje.py: batches of 64 images with momentum
there, one image without momentum here. What is not followed: a public re-implementation has each feature of CUB at mean
0 and variance 1 (step size .1, margin 4; of unit length for AWA1 and AWA2, 1 and 2.5); here images have unit length.

About a minute per run of CUB127 on two CPU cores.

Attributes, a minute per run or less, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 60.1 ± 1.4, GZSL 26.0 / 81.0 / 39.4, calibrated 56.3 / 60.7 / 58.4.

Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image Classification",
CVPR 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sje", argument)
    config.train.batch_size = 1
    config.method.update(learning_rate=1.0, momentum=0.0)
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0), "method.margin": (1.0, 2.5, 4.0)}
