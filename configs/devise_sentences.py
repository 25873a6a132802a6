r"""DeViSE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/devise_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/devise_sentences

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 3 seconds a run on one CPU core:
ZSL 74.8 ± 0.2, GZSL 47.7 / 78.3 / 59.3, calibrated 64.4 / 70.7 / 67.4. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Reference: Frome, Corrado, Shlens, Bengio, Dean, Ranzato, Mikolov, "DeViSE: A Deep Visual-Semantic Embedding Model",
NeurIPS 2013.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("devise", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 0.3
    return config


def sweep():
    return {"method.learning_rate": (0.03, 0.1, 0.3, 1.0, 3.0)}
