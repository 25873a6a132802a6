r"""Semantic consistency by metric learning on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/semantic_consistency_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency_sentences

Minutes on 2 CPU cores. Not measured on CUB127 yet.

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
