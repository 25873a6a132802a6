r"""SJE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/sje_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/sje_sentences

On 2 CPU cores 104 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.781; U/S/H
0.573/0.813/0.673; calibrated 0.702/0.739/0.720. Seed 0; knobs, epochs and gamma chosen on validation classes.

Reference: Akata, Reed, Walter, Lee, Schiele, "Evaluation of Output Embeddings for Fine-Grained Image Classification",
CVPR 2015.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("sje", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 3.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
