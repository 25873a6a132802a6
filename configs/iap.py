"""IAP, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/iap.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/iap
    python -m zsl_jax train --config=configs/iap.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/iap_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 15 seconds, two CPU cores: ZSL 39.4 ± 0.4, GZSL 0.1 / 84.4 / 0.1, calibrated 31.1 / 58.8 / 40.7.

Sentences, 4 seconds per run, one CPU core: ZSL 53.4 ± 0.4, GZSL 0.0 / 86.6 / 0.0, calibrated 49.9 / 63.1 / 55.7.

IAP knows no attributes but those of the seen classes it finds: unseen classes are out of its reach before calibration.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 24.0, GZSL 0.2 / 72.8 / 0.4.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("iap", argument)
    if config_lib.has_sentences(config):
        config.method.learning_rate = 10.0
    return config


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
