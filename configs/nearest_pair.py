"""Nearest pair by word vectors: features are mapped to the vectors of both names by ridge regression, the nearest wins.

    python -m zsl_jax train --config=configs/nearest_pair.py:pairs --config.data.file=FILE.npz \
        --config.data.words=GLOVE.txt --workdir=runs/nearest_pair
    python -m zsl_jax sweep --config=configs/nearest_pair.py:pairs --config.data.file=FILE.npz \
        --config.data.words=GLOVE.txt --workdir=runs/nearest_pair_sweep

    W = argmin_W sum_i ||W^T x_i - [v(a_i) | v(o_i)]||^2 + gamma ||W||^2,    F(x, (a, o)) = cos(W^T x, [v(a) | v(o)])

The baseline that knows of a pair what its two words say: the method is `ridge`, with `data.semantics=words`. With the
same file the open world has its feasible part. It is a closed form of seconds, up to a minute where cores are shared.
"""

from zsl_jax import config as config_lib
from zsl_jax.data import sources


def get_config(argument=None):
    config = config_lib.base("ridge", argument or "pairs")
    config.train.epochs = 1
    config.train.batch_size = 512
    if config.data.name in sources.OF_PAIRS:
        config.data.semantics = "words"
        config.select.folds = 3
    return config


def sweep():
    return {"method.feature_ridge": (0.03, 0.1, 0.3, 1.0, 3.0)}
