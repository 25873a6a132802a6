"""DAP, on attributes or, with the word sent, on sentence embeddings of the classes.

    python -m zsl_jax train --config=configs/dap.py:xlsa17 --config.data.dir=FOLDER --workdir=runs/dap
    python -m zsl_jax train --config=configs/dap.py:xlsa17,sent --config.data.dir=FOLDER --workdir=runs/dap_sent

CUB127 (CUB restricted to 127 classes, MobileNet features), means of 5 seeds; knobs, epochs and gamma are chosen on
validation classes (docs/results.md).

Attributes, up to 40 seconds, two CPU cores: ZSL 44.3 ± 0.9, GZSL 3.7 / 83.7 / 7.1, calibrated 40.7 / 43.5 / 42.0.

Sentences, 16 seconds per run, one CPU core: ZSL 65.2 ± 1.0, GZSL 2.4 / 83.9 / 4.6, calibrated 63.2 / 60.0 / 61.5.

DAP trusts attributes that are strongly correlated as if they were independent: far behind the bilinear maps, and its
posterior favours seen classes, so that only calibration brings unseen ones back.

Published on CUB (200 classes, attributes, ResNet-101 features, so not comparable): ZSL 40.0, GZSL 1.7 / 67.9 / 3.3.

Reference: Lampert, Nickisch, Harmeling, "Attribute-Based Classification for Zero-Shot Visual Object Categorization",
TPAMI 2014.
"""

from zsl_jax import config as config_lib


def get_config(argument=None):
    return config_lib.base("dap", argument)


def sweep():
    return {"method.learning_rate": (0.3, 1.0, 3.0, 10.0)}
