r"""ALE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ale_sentences

On 2 CPU cores 134 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.770; U/S/H
0.541/0.818/0.651; calibrated 0.708/0.726/0.717. Seed 0; knobs, epochs and gamma chosen on validation classes.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 3.0
    return config


def sweep():
    return {"method.learning_rate": (0.1, 0.3, 1.0, 3.0, 10.0)}
