"""DAP on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dap_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/dap

CUB127 (127 classes of CUB, MobileNet features), seed 0, on 2 CPU cores with a load of about 15,
in 209 seconds: ZSL 65.6, GZSL 3.4 / 83.6 / 6.5,
calibrated 63.8 / 58.9 / 61.2.
DAP trusts attributes that are strongly correlated as if they were independent: far behind the bilinear maps, and
its posterior favours seen classes, so that only calibration brings unseen ones back.

Published on CUB (200 classes, attributes, ResNet-101 features, hence not comparable):
ZSL 40.0, GZSL 1.7 / 67.9 / 3.3.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    config = config_lib.base("dap", argument)
    if "semantics" in config.data:
        config.data.semantics = "sent"
    return config


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
