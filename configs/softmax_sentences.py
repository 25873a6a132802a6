r"""Softmax compatibility on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/softmax_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/softmax_sentences

On 2 CPU cores 73 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.778; U/S/H
0.540/0.823/0.652; calibrated 0.713/0.725/0.719. Seed 0; knobs, epochs and gamma chosen on validation classes.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("softmax", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 30.0
    return config


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0, 100.0)}
