r"""DeViSE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/devise_sentences.py:xlsa17 --config.data.dir=FOLDER \
        --workdir=runs/devise_sentences

On 2 CPU cores 57 seconds for CUB127 (94 seen classes, 33 unseen; MobileNet features). ZSL 0.745; U/S/H
0.468/0.781/0.586; calibrated 0.645/0.700/0.671. Seed 0; knobs, epochs and gamma chosen on validation classes.

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
