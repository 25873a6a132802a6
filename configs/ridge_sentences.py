"""Ridge regression to the class descriptions on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/ridge_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/ridge

CUB127 (CUB restricted to 127 classes, MobileNet features), one run (a closed form), about 8 seconds a run on one CPU
core: ZSL 69.5, GZSL 27.2 / 81.2 / 40.8, calibrated 65.3 / 62.2 / 63.7. Knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

The cosine in attribute space suffers from hubs; SAE with the same map turned round (to features) does not.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("ridge", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.train.epochs = 1
    config.train.batch_size = 512
    return config


def sweep():
    return {"method.feature_ridge": (0.03, 0.1, 0.3, 1.0, 3.0)}
