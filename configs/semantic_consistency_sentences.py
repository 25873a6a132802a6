r"""Semantic consistency by metric learning on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/semantic_consistency_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency_sentences

On 2 CPU cores 687 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.697; U/S/H
0.447/0.753/0.561; calibrated 0.586/0.674/0.627. Seed 0; knobs, epochs and gamma chosen on validation classes.

Reference: Bucher, Herbin, Jurie, "Improving Semantic Embedding Consistency by Metric Learning for Zero-Shot
Classification", ECCV 2016.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("semantic_consistency", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 0.001
    return config


def sweep():
    return {"method.learning_rate": (0.001, 0.003, 0.01)}
