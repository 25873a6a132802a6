"""IAP on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/iap_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/iap

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 580 seconds: ZSL 53.3, GZSL 0.1 / 86.4 / 0.1,
calibrated 48.9 / 65.9 / 56.2.
IAP knows no attributes but those of the seen classes it finds: unseen classes are out of its reach before
calibration.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 24.0, GZSL 0.2 / 72.8 / 0.4.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("iap", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    config.method.learning_rate = 10.0
    return config


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
