r"""LATEM on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/latem_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/latem_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 6 seconds a run on one CPU core:
ZSL 77.1 ± 1.6, GZSL 51.3 / 81.6 / 62.9, calibrated 70.6 / 71.4 / 70.9. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

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
