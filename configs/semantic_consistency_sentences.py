r"""Semantic consistency by metric learning on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/semantic_consistency_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/semantic_consistency_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 141 seconds a run on 2 CPU cores:
ZSL 72.3 ± 2.0, GZSL 46.9 / 76.8 / 58.2, calibrated 61.6 / 69.9 / 65.4. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

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
