"""ConSE on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/conse_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/conse

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 5 seconds a run on one CPU core:
ZSL 54.0 ± 0.6, GZSL 2.5 / 84.7 / 4.8, calibrated 48.6 / 60.4 / 53.9. Knobs, epochs and gamma are chosen on validation
classes (docs/results.md).

ConSE trains nothing but the seen classes, so that its mixtures lie close to one of them.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 34.3, GZSL 1.6 / 72.2 / 3.1.

Reference: Norouzi, Mikolov, Bengio, Singer, Shlens, Frome, Corrado, Dean, "Zero-Shot Learning by Convex Combination of
Semantic Embeddings", ICLR 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("conse", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
