r"""LATEM on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/latem_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/latem_sentences

On 2 CPU cores 84 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.780; U/S/H
0.542/0.821/0.653; calibrated 0.698/0.752/0.724. Seed 0; knobs, epochs and gamma chosen on validation classes.

Reference: Xian, Akata, Sharma, Nguyen, Hein, Schiele, "Latent Embeddings for Zero-Shot Classification", CVPR 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("latem", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.num_maps = 2
    config.method.learning_rate = 3.0
    return config


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
