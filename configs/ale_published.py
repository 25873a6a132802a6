"""ALE as it was published: plain stochastic gradient descent, one image per step, one violating class.

    python -m zsl_jax train --config=configs/ale_published.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/published

The step size is that of a public re-implementation for CUB (.3; AWA1 and AWA2 .01, aPY .04, SUN .1), the margin 1 and
the features of unit length, as there. Where this departs from configs/ale.py: batches of 64 images with momentum and
all violating classes there; one image without momentum here, and classes are drawn until one violates the margin, whose
place estimates the rank. configs/ale_sgd.py has the exact rank in its place, which is what the draws estimate.

About a minute per run of CUB127 on two CPU cores.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale", argument)
    config.train.batch_size = 1
    config.method.update(learning_rate=0.3, momentum=0.0, violators="first")
    return config


def sweep():
    return {"method.learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0)}
