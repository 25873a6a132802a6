"""ALE as it was published: one pass after another of plain stochastic gradient descent, one image per step.

    python -m zsl_jax train --config=configs/ale_published.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/published

The step size is that of a public re-implementation for CUB (.3; AWA1 and AWA2 .01, aPY .04, SUN .1), the margin 1 and
the features of unit length, as there. Where this departs from configs/ale.py: batches of 64 images with momentum there,
one image without momentum here. What is not followed: the paper draws negatives until one violates and estimates the
rank from their number; here the rank is exact, the mean of what the draws estimate. Seconds per run.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_sgd", argument)
    config.method.learning_rate = 0.3
    return config


def sweep():
    return {"method.learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0)}
