"""DAP on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dap_sentences.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/dap

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds, about 16 seconds a run on one CPU core:
ZSL 65.2 ± 1.0, GZSL 2.4 / 83.9 / 4.6, calibrated 63.2 / 60.0 / 61.5. Knobs, epochs and gamma are chosen on validation
classes (docs/results.md).

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
