"""DeViSE as it was published: plain stochastic gradient descent, one image per step, one violating class.

    python -m zsl_jax train --config=configs/devise_published.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/published

The margin is that of the paper, .1, and classes are tried in a random order up to the first that violates it. Where
this departs from configs/devise.py: batches of 64 images with momentum and the sum of all hinges of margin 1 there.
What is not followed: the paper trains the image network too, by Adagrad. A public re-implementation for zero-shot
learning has all hinges, step size 1 and margin 1 for CUB (AWA1 .01 and 200, AWA2 .001 and 150, aPY 1 and 1, SUN .01 and
3).

About a minute per run of CUB127 on two CPU cores.

Attributes, a minute per run or less, two CPU cores, means of 5 draws of validation classes (docs/results.md):
ZSL 60.2 ± 0.8, GZSL 26.1 / 79.7 / 39.3, calibrated 55.6 / 58.3 / 56.8.

Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("devise", argument)
    config.train.batch_size = 1
    config.method.update(learning_rate=0.1, margin=0.1, momentum=0.0, violators="first")
    return config


def sweep():
    return {"method.learning_rate": (0.01, 0.03, 0.1, 0.3, 1.0)}
