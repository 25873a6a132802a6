"""IAP on attributes.

    python -m zsl_jax train --config=configs/iap.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/iap

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 123 seconds: ZSL 38.8, GZSL 0.1 / 84.3 / 0.1,
calibrated 29.9 / 59.4 / 39.8.
IAP knows no attributes but those of the seen classes it finds: unseen classes are out of its reach before
calibration.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 24.0, GZSL 0.2 / 72.8 / 0.4.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("iap", argument)


def sweep():
    return {"method.learning_rate": (1.0, 3.0, 10.0, 30.0)}
