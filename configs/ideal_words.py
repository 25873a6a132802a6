"""Ideal words: the mean of a pair's features is a vector of its attribute plus one of its object; a closed form.

    python -m zsl_jax train --config=configs/ideal_words.py:pairs --config.data.file=FILE.npz --workdir=runs/ideal_words
    python -m zsl_jax sweep --config=configs/ideal_words.py:pairs --config.data.file=FILE.npz \
        --workdir=runs/ideal_words_sweep

seconds
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ideal_words", argument or "pairs")
    config.train.epochs = 1
    config.train.batch_size = 512
    config.select.folds = 1
    return config


def sweep():
    return {"method.shrinkage": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "method.ridge": (1.0, 10.0)}
