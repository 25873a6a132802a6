r"""ALE with learned descriptions on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ale_learned_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/ale_learned_sentences

On 2 CPU cores 82 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.717; U/S/H
0.013/0.523/0.026; calibrated 0.320/0.481/0.384. Seed 0; knobs, epochs and gamma chosen on validation classes.

As on attributes, learned descriptions of seen classes leave the unseen ones behind; the form is meant for few images.

Reference: Akata, Perronnin, Harchaoui, Schmid, "Label-Embedding for Image Classification", TPAMI 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ale_learned", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.attachment = 0.1
    config.method.learning_rate = 0.3
    return config


def sweep():
    return {"method.attachment": (0.01, 0.1, 1.0), "method.learning_rate": (0.1, 0.3, 1.0)}
